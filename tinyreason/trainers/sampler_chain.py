"""What samplers decide of a step, carried out: its problems, the rollouts that are trained on, the next temperature."""

from dataclasses import dataclass
from random import Random
from typing import Any

import torch

from tinyreason.algorithms.samplers import in_turn, that_decide
from tinyreason.config.run_config import RunConfig
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.trainers.trl_seam import in_order

TOKEN_MEANS = {"dapo", "cispo"}
"""Losses that are divided by the batch's tokens; the others are divided by its rows."""


@dataclass
class SamplerChain:
    """Asks a run's samplers; what they know is in the run's store, so that a run resumes exactly."""

    config: RunConfig
    examples: list[Example]

    def problems(self, step: int, store: Store) -> list[int] | None:
        """Returns the numbers of the problems that a step asks; None where they are TRL's, which come in turn."""
        choosing, train = that_decide(self.config.samplers, "choose"), self.config.train
        count, rng = train.generated_rows // train.group_size, Random(f"{self.config.seed}/{step}")
        if choosing:
            return choosing[0].choose(self.examples, count, rng, store)
        has_more = train.generated_rows > train.rows_per_step
        return in_turn(len(self.examples), count, rng, store) if has_more else None

    def kept(self, batch: Batch, advantages: torch.Tensor, store: Store) -> torch.Tensor | None:
        """Returns (N,) bool, which rollouts are trained on; None = all. Each sampler learns from the whole batch."""
        filters = that_decide(self.config.samplers, "keep")
        kept = [sampler.keep(batch, advantages, store) for sampler in filters]
        for sampler in self.config.samplers:
            sampler.observe(batch, advantages, store)
        return torch.stack(kept).all(dim=0) if kept else None

    def temperature(self, store: Store) -> float:
        """Returns the temperature of the next rollouts."""
        return store.get("temperature", "now", self.config.train.temperature)

    def move_temperature(self, batch: Batch, store: Store) -> None:
        """Has the sampler that decides the temperature, if there is one, look at a batch."""
        for sampler in that_decide(self.config.samplers, "temperature"):
            store.put("temperature", "now", sampler.temperature(self.temperature(store), batch, store))

    def metrics(self, kept: torch.Tensor | None, store: Store) -> dict[str, float]:
        """Returns what is worth following, by name."""
        found = {
            f"sampler/{name}": value
            for sampler in self.config.samplers
            for name, value in sampler.metrics(store).items()
        }
        if kept is not None:
            found["sampler/share_kept"] = float(kept.float().mean())
        if that_decide(self.config.samplers, "temperature"):
            found["sampler/temperature"] = self.temperature(store)
        return found


def trained_part(output: dict[str, Any], kept: torch.Tensor, rows: int, loss: str) -> dict[str, Any]:
    """Returns the `rows` rows of a batch that are trained on: those that are kept before others.

    The others fill up, with an advantage of 0, and count in no mean: the tokens that a loss is divided by are those of
    rows that are kept, and where it is divided by rows, the advantages are raised instead. Where more are kept than
    fit, the first are taken; where none is, the step trains on nothing.
    """
    order = torch.argsort(~kept, stable=True)[:rows].sort().values
    part = {name: in_order(value, order.tolist()) for name, value in output.items()}
    advantages = part["advantages"]
    counted = kept[order].to(advantages.device)
    advantages = advantages * (counted if advantages.dim() == 1 else counted[:, None])
    mask = part["completion_mask"] * part.get("tool_mask", 1)
    if loss in TOKEN_MEANS and counted.any():
        mask = mask[counted]
    elif counted.any():
        advantages = advantages * (len(counted) / counted.sum())
    return part | {"advantages": advantages, "num_items_in_batch": mask.sum()}
