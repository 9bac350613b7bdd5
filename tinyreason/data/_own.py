"""Reads problems that code of the person's own makes or chooses, in a file or package of theirs."""

from functools import cached_property
from itertools import islice
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tinyreason.data._source import Source
from tinyreason.data.files import Row
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.own_code.leaf import OwnLeaf


class OwnData(OwnLeaf, Source):
    """Asks `rows(**options)` of a file, whose rows are read as those of a data file, or a source like ours in it."""

    group: ClassVar[str] = "tinyreason.data"
    runs_code: ClassVar[bool] = True

    size: Annotated[int, Field(ge=1)] | None = None
    """Number of problems, from the first on; unset: all."""
    time_limit_s: float = Field(600.0, gt=0)
    """Seconds that the code may take to give its problems; then it is ended."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        """Leaves it to the code whether there is a file or a data set."""
        return self

    @property
    def is_offline(self) -> bool:
        """Returns that reading it needs no network, as far as the config can tell."""
        return True

    @property
    def origin(self) -> str:
        """Returns what messages call this source."""
        return self.kind

    @cached_property
    def source_options(self) -> dict[str, Any]:
        """What a class is made with: its own options, and those of every source that are given."""
        given = self.model_dump(exclude_unset=True, include={*Source.model_fields, "size"} - {"transforms"})
        return given | self.options

    def process(self):
        """Returns the process that runs it; a source like ours is given what every source can be given."""
        from tinyreason.own_code.process import process_of

        options = self.source_options if self.file or self.name else self.options
        return process_of(self.reference, options, self.time_limit_s)

    def load(self, needs_answers: bool = True) -> list[Example]:
        """Returns the problems that are trained on. Errors: `DataError` with the line of the file."""
        try:
            own = self.process()
            found = own.call(method="load") if own.is_leaf else None
        except ConfigError as error:
            raise self.as_data_error(error) from None
        if found is None:
            examples = list(islice(self.pool(needs_answers=needs_answers), self.size))
        elif not found or not all(isinstance(example, Example) for example in found):
            raise DataError(f"load of {own.where()} must return a list of Example, with at least one.")
        else:
            examples = found[: self.size]
        if self.size and len(examples) < self.size:
            raise DataError(f"{self.origin} has {len(examples):,} problems, not {self.size:,}; lower data.size.")
        return examples

    def rows(self, split: str | None = None) -> list[Row]:
        """Returns the rows that the code gives; a source like ours reads its file or data set."""
        try:
            own = self.process()
            if own.is_leaf:
                if not (self.file or self.name):
                    raise DataError(f"{self.origin} reads no data.file and no data.name; set evaluation.data too.")
                return super().rows(split)
            found = own.call()
        except ConfigError as error:
            raise self.as_data_error(error) from None
        if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
            raise DataError(f"{own.where()} must return a list of rows, as {{'problem': '1+1?', 'answer': '2'}}.")
        return found

    def as_data_error(self, error: ConfigError) -> ConfigError:
        """Returns the error of the code as one of the data; that it is not allowed stays what it is."""
        return DataError(str(error)) if self.is_allowed else error

    def describe(self) -> str:
        """Returns what is trained on, in a few words."""
        return f"{f'the first {self.size:,}' if self.size else 'all'} problems of {self.origin}"
