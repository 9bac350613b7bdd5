"""Holds the two lines of pydantic that every config class shares."""

from typing import Annotated, Union

from pydantic import BaseModel, ConfigDict, Field


class Schema(BaseModel):
    """Holds frozen options; an undeclared key is an error; the string under a field is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def check(self, run, path: str) -> None:
        """Raises `ValueError`, one sentence, where this section contradicts the rest of the run's config.

        `run` is the whole `RunConfig`; `path` is where this section stands in it, such as `rewards.0`.
        """


def one_of(registry: dict[str, type[Schema]]):
    """Returns the type of a config section in which `kind` picks the class."""
    return Annotated[Union[tuple(registry.values())], Field(discriminator="kind")]  # noqa: UP007
