"""Asks a sampler of the person's own, in a file or package of theirs."""

import math
from collections.abc import Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, ClassVar

from tinyreason.algorithms._own_numbers import at_step, checked_numbers
from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class OwnSampler(OwnLeaf, Sampler):
    """Asks `choose(problems, count, **meta)` of a file, or a `Sampler` in it, in a process of its own."""

    group: ClassVar[str] = "tinyreason.samplers"

    needs_answers: bool = True
    """Whether it reads gold answers, or what is correct; false = problems without an answer are trained on too."""

    @property
    def reads_gold(self) -> bool:
        """Returns what its config says of it, as its code is not looked at before a run."""
        return self.needs_answers

    def decisions(self) -> list[str]:
        """Returns the methods that the person's class has; a function only chooses. Errors: `ConfigError`."""
        own = self.process()
        return own.call(method="decisions") if own.is_leaf else ["choose"]

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        """Returns the numbers of the `count` problems of the next step. Errors: `ConfigError` with the file's line."""
        step = store.get(self.kind, "steps", 0) + 1
        store.put(self.kind, "steps", step)
        with said_with(f"as it chose the problems of step {step}: "):
            own = self.process()
            if own.is_leaf:
                found = self.ask("choose", list(examples), count, rng, store=store, seed=step)
            else:
                facts = {
                    "ids": [example.id for example in examples],
                    "answers": [example.answer for example in examples],
                    "metas": [example.meta for example in examples],
                    "step": step,
                }
                problems = [example.problem for example in examples]
                found = own.call(problems, count, seed=rng.getrandbits(32), **facts)
            return checked_places(found, count, len(examples), own.where())

    def keep(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        """Returns (N,) bool, which rollouts are trained on. Errors: `ConfigError` with the file's line."""
        with said_with(at_step(batch)):
            found = self.ask("keep", batch, advantages, store=store, seed=batch.step)
            kept = checked_numbers(found, len(batch.texts), self.process().where(), may_be_none=False)
            return batch.correct.new_tensor(kept).bool()

    def observe(self, batch: Batch, advantages: Tensor, store: Store) -> None:
        """Shows it a batch. Errors: `ConfigError` with the file's line."""
        if "observe" in self.decisions():
            with said_with(at_step(batch)):
                self.ask("observe", batch, advantages, store=store, seed=batch.step)

    def temperature(self, now: float, batch: Batch, store: Store) -> float:
        """Returns the temperature of the next rollouts. Errors: `ConfigError` with the file's line."""
        with said_with(at_step(batch)):
            found = self.ask("temperature", now, batch, store=store, seed=batch.step)
            if not is_finite(found) or found <= 0:
                raise ConfigError(f"{self.process().where()} returned {found!r:.40}; return a temperature above 0.")
            return float(found)

    def metrics(self, store: Store) -> dict[str, float]:
        """Returns what it says of itself, by name. Errors: `ConfigError` where that are not finite numbers."""
        if "metrics" not in self.decisions():
            return {}
        found = self.ask("metrics", store=store)
        if not isinstance(found, dict) or not all(is_finite(value) for value in found.values()):
            raise ConfigError(f"{self.process().where()} returned {found!r:.40}; return names with finite numbers.")
        return {str(name): float(value) for name, value in found.items()}

    def ask(self, method: str, *args: Any, store: Store, seed: int = 0) -> Any:
        """Returns what a method of the person's class returns, and keeps what its own store holds afterwards."""
        state = store.get(self.kind, "state", {})
        found, state = self.process().call_with_store(state, *args, method=method, seed=seed)
        store.put(self.kind, "state", state)
        return found


@contextmanager
def said_with(when: str):
    """Puts before an error when the code was asked."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{when}{error}") from None


def checked_places(found: Any, count: int, problems: int, where: str) -> list[int]:
    """Returns `count` numbers of problems. Errors: `ConfigError` for another count, and a problem that is not there."""
    if not isinstance(found, list) or len(found) != count:
        told = f"{len(found)} numbers" if isinstance(found, list) else f"a {type(found).__name__}"
        raise ConfigError(f"{where} returned {told}; return the numbers of the {count} problems of a step.")
    for place in found:
        if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < problems:
            raise ConfigError(f"{where} returned {place!r:.40}; return whole numbers from 0 to {problems - 1}.")
    return found


def is_finite(value: Any) -> bool:
    """Returns whether a value is a number, and finite."""
    return isinstance(value, int | float) and math.isfinite(value)
