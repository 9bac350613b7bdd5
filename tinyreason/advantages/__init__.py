"""Advantages: one estimator a file. `(Batch, advantages (N,), Store) → (N,) or (N, T)`."""

from tinyreason.advantages.dr_grpo import DrGrpo
from tinyreason.advantages.grpo import Grpo

ADVANTAGES = {"dr_grpo": DrGrpo, "grpo": Grpo}
