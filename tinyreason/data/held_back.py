"""Holds a share of a set back from training, so that its own problems can be the test."""

import random
from dataclasses import dataclass

from tinyreason.errors import DataError
from tinyreason.example import Example, different

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1


@dataclass(frozen=True)
class Split:
    """A set in parts: no problem is in two."""

    training: list[Example]
    test: list[Example]
    validation: list[Example]
    largest_test: int
    """How many problems the test could have."""

    @property
    def in_words(self) -> str:
        """What is held back of how much, for what."""
        parts = {"test": self.test, "validation": self.validation}
        counts = " and ".join(f"{len(part):,} for the {name}" for name, part in parts.items() if part)
        total = len(self.training) + len(self.test) + len(self.validation)
        return f"{counts} held back of {total:,}, {len(self.training):,} to train on"


def nothing_to_ask(origin: str, purpose: str = "test") -> DataError:
    """Returns the error of a set without any answer, of which nothing can be asked."""
    return DataError(
        f"{origin} has no column with answers and marks none in \\boxed{{}} or after ####, so that no {purpose} can be "
        f"held back from it; name a test set: evaluation.data.file=FILE."
    )


def hold_back(examples: list[Example], origin: str, tests: int, validations: int) -> Split:
    """Holds back at most a fifth of the different problems for the test and a tenth for the validation.

    They are dealt in a fixed shuffled order; only those with an answer can be. Errors: `DataError` where none is left.
    """
    dealt = different(example for example in examples if example.answer)
    if not dealt:
        raise nothing_to_ask(origin)
    random.Random(0).shuffle(dealt)
    largest = max(1, int(TEST_SHARE * len(dealt)))
    test = dealt[: min(tests, largest)]
    after = dealt[len(test) :]
    validation = after[: min(validations, max(1, int(VALIDATION_SHARE * len(dealt))))]
    held = {example.identity for example in (*test, *validation)}
    training = [example for example in examples if example.identity not in held]
    if not training or (validations and not validation):
        raise DataError(
            f"{origin} has {len(dealt):,} different problems with an answer, too few to hold any back; give more, or "
            f"name a test set: evaluation.data.file=FILE."
        )
    return Split(training, test, validation, largest if tests else 0)
