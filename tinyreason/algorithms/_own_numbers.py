"""Checks the numbers that code of the person's own returns, one for each completion."""

import math
from typing import Any

from tinyreason.errors import ConfigError
from tinyreason.rollout import Batch


def facts_of(batch: Batch) -> dict[str, Any]:
    """Returns what a plain function may ask for by name, each a list of N but for the numbers."""
    return {
        "problems": [example.problem for example in batch.examples],
        "ids": [example.id for example in batch.examples],
        "metas": [example.meta for example in batch.examples],
        "correct": [None if math.isnan(value) else value == 1 for value in batch.correct.tolist()],
        "lengths": batch.length.tolist(),
        "truncated": batch.truncated.tolist(),
        "group_size": batch.group_size,
        "max_completion_tokens": batch.max_completion_tokens,
        "step": batch.step,
    }


def checked_numbers(found: Any, count: int, where: str, may_be_none: bool) -> list[float]:
    """Returns `count` numbers, nan for None. Errors: `ConfigError` for another count, and what is not finite."""
    if not isinstance(found, list):
        raise ConfigError(f"{where} returned a {type(found).__name__}; return a list of {count} numbers.")
    if len(found) != count:
        raise ConfigError(f"{where} returned {len(found)} numbers for {count} completions; return one for each.")
    for place, value in enumerate(found):
        if value is None and may_be_none:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            none = ", or None where it cannot tell" if may_be_none else ""
            raise ConfigError(
                f"{where} returned {value!r:.40} for completion {place + 1} of {count}; return a finite number{none}."
            )
    return [math.nan if value is None else float(value) for value in found]


def at_step(batch: Batch) -> str:
    """Returns at what time the code was asked, and how the run is resumed then; step 0 is before the run."""
    if not batch.step:
        return "on completions sampled before the run: "
    return f"at step {batch.step} (correct the file and resume with --accept-changes): "
