"""Advantages: one estimator a file. `(Batch, advantages (N,), Store) → (N,) or (N, T)`."""

from tinyreason.advantages.dr_grpo import DrGrpo
from tinyreason.advantages.gfpo import Gfpo
from tinyreason.advantages.grpo import Grpo
from tinyreason.advantages.grpo_lead import GrpoLead

ADVANTAGES = {"dr_grpo": DrGrpo, "gfpo": Gfpo, "grpo": Grpo, "grpo_lead": GrpoLead}
