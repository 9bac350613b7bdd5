"""Holds the lines of pydantic that every config class shares."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo
from pydantic_core import PydanticKnownError, core_schema


class Schema(BaseModel):
    """Holds frozen options; an undeclared key is an error; the string under a field is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def check(self, run, path: str) -> None:
        """Raises `ValueError`, one sentence, where this section contradicts the rest of the run's config.

        `run` is the whole `RunConfig`; `path` is where this section stands in it, such as `rewards.0`.
        """


class Section:
    """The type of a config section whose `kind` picks the class; made by `one_of`.

    A union of all classes would do the same, and have every one imported and built before any is used.
    """

    registry: ClassVar[Mapping[str, type[Schema]]]
    own: ClassVar[Any] = None

    @classmethod
    def class_of(cls, values: Any) -> type[Schema] | None:
        """Returns the class that these values are of; None where their kind is missing or unknown."""
        if cls.own is not None and cls.own.is_meant(values, cls.registry):
            return cls.own
        kind = kind_of(values)
        return cls.registry[kind] if isinstance(kind, str) and kind in cls.registry else None

    @classmethod
    def read(cls, values: Any, info: ValidationInfo) -> Schema:
        """Reads a section by the class that it is of."""
        if not isinstance(values, dict | Schema):
            raise PydanticKnownError("model_attributes_type")
        found = cls.class_of(values)
        if found is not None:
            return found.model_validate(values, context=info.context)
        kind = kind_of(values)
        if kind is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
        known = ", ".join(f"'{name}'" for name in cls.registry)
        raise PydanticKnownError(
            "union_tag_invalid", {"discriminator": "'kind'", "tag": str(kind), "expected_tags": known}
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(cls.read)


def kind_of(values: Any) -> Any:
    """Returns the `kind` of a section, read or not; None without one."""
    return values.get("kind") if isinstance(values, dict) else getattr(values, "kind", None)


def one_of(registry: Mapping[str, type[Schema]], own: Any = None) -> type[Section]:
    """Returns the type of a config section in which `kind` picks the class; `own` is that of code of the person's."""
    return type("Section", (Section,), {"registry": registry, "own": own})


def one_or_several(section: Any):
    """Returns the type of a config section that stands alone or in a list."""
    several = Annotated[tuple[section, ...], Field(min_length=1), Tag("several")]
    return Annotated[
        Annotated[section, Tag("one")] | several,
        Discriminator(lambda values: "several" if isinstance(values, list | tuple) else "one"),
    ]
