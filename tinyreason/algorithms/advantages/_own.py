"""Asks an advantage of the person's own, in a file or package of theirs."""

from typing import ClassVar

from tinyreason.algorithms._own_numbers import at_step, checked_numbers, facts_of
from tinyreason.algorithms.advantages._advantage import Advantage
from tinyreason.errors import ConfigError
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class OwnAdvantage(OwnLeaf, Advantage):
    """Asks `advantage(rewards, group_size, **meta)` of a file, or an estimator like ours in it."""

    group: ClassVar[str] = "tinyreason.advantages"
    role: ClassVar[str] = "either"

    def __call__(self, batch: Batch, advantages: Tensor, store: Store) -> Tensor:
        """Returns (N,) or (N, T). Errors: `ConfigError` with the line of the file."""
        try:
            own, count = self.process(), len(batch.texts)
            if own.is_leaf:
                found, state = own.call_with_store(
                    store.get(self.kind, "state", {}), batch, advantages, seed=batch.step
                )
                store.put(self.kind, "state", state)
            else:
                rewards = [None if value != value else value for value in batch.reward.tolist()]
                known = {name: value for name, value in facts_of(batch).items() if name != "group_size"}
                known["advantages"] = advantages.tolist()
                completions = {"completions": batch.texts, "answers": [example.answer for example in batch.examples]}
                found = own.call(rewards, batch.group_size, seed=batch.step, **known, **completions)
            if isinstance(found, list) and found and all(isinstance(row, list) for row in found):
                width = advantage_width(found, own.where())
                flat = [value for row in found for value in row]
                return batch.reward.new_tensor(
                    checked_numbers(flat, count * width, own.where(), may_be_none=False)
                ).view(count, width)
            return batch.reward.new_tensor(checked_numbers(found, count, own.where(), may_be_none=False))
        except ConfigError as error:
            raise ConfigError(f"{at_step(batch)}{error}") from None


def advantage_width(rows: list[list], where: str) -> int:
    """Returns how many tokens each row has a number for. Errors: `ConfigError` where rows differ."""
    if len({len(row) for row in rows}) > 1:
        raise ConfigError(f"{where} returned rows of different lengths; return (N,) or (N, T).")
    return len(rows[0])
