"""Holds the lines of pydantic that every config class shares."""

from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Schema(BaseModel):
    """Holds frozen options; an undeclared key is an error; the string under a field is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def check(self, run, path: str) -> None:
        """Raises `ValueError`, one sentence, where this section contradicts the rest of the run's config.

        `run` is the whole `RunConfig`; `path` is where this section stands in it, such as `rewards.0`.
        """


def one_or_several(section: Any):
    """Returns the type of a config section that stands alone or in a list."""
    several = Annotated[tuple[section, ...], Field(min_length=1), Tag("several")]
    return Annotated[
        Annotated[section, Tag("one")] | several,
        Discriminator(lambda values: "several" if isinstance(values, list | tuple) else "one"),
    ]


def one_of(registry: dict[str, type[Schema]], own: type[Schema] | None = None):
    """Returns the type of a config section in which `kind` picks the class; `own` is that of code of the person's."""
    known = Annotated[Union[tuple(registry.values())], Field(discriminator="kind")]  # noqa: UP007
    if own is None:
        return known

    def whose(values: Any) -> str:
        return "own" if own.is_meant(values, registry) else "known"

    return Annotated[Annotated[known, Tag("known")] | Annotated[own, Tag("own")], Discriminator(whose)]
