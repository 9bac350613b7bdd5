"""Asks a reward of the person's own, which is a function, a class or one of ours in a file or package of theirs."""

from typing import ClassVar

from tinyreason.algorithms._own_numbers import at_step, checked_numbers, facts_of
from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.errors import ConfigError
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class OwnReward(OwnLeaf, Reward):
    """Asks `reward(completions, answers, **meta)` of a file, or a `Reward` in it, in a process of its own."""

    group: ClassVar[str] = "tinyreason.rewards"

    needs_answers: bool = True
    """Whether it reads gold answers, or what is correct; false = problems without an answer are trained on too."""

    @property
    def reads_gold(self) -> bool:
        """Returns what its config says of it, as its code is not looked at before a run."""
        return self.needs_answers

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        """Returns (N,) what it gives each rollout. Errors: `ConfigError` with the line of the file."""
        try:
            own, count = self.process(), len(batch.texts)
            if own.is_leaf:
                found, state = own.call_with_store(store.get(self.kind, "state", {}), batch, seed=batch.step)
                store.put(self.kind, "state", state)
                graded = (~batch.correct.isnan()).tolist()
                if isinstance(found, list) and len(found) == count:  # nan is allowed where nothing could be graded
                    found = [
                        None if value != value and not is_graded else value
                        for value, is_graded in zip(found, graded, strict=True)
                    ]
            else:
                answers = [example.answer for example in batch.examples]
                found = own.call(batch.texts, answers, seed=batch.step, **facts_of(batch))
            return batch.correct.new_tensor(checked_numbers(found, count, own.where(), may_be_none=True))
        except ConfigError as error:
            raise ConfigError(f"{at_step(batch)}{error}") from None
