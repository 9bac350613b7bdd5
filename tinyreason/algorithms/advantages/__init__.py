"""Advantages: an estimator or a shaper a file. `(Batch, advantages (N,) or (N, T), Store) → (N,) or (N, T)`."""

from tinyreason.algorithms.advantages._advantage import check_advantages as check_advantages
from tinyreason.algorithms.advantages._advantage import estimate as estimate
from tinyreason.algorithms.advantages._own import OwnAdvantage as OwnAdvantage
from tinyreason.algorithms.advantages.dr_grpo import DrGrpo
from tinyreason.algorithms.advantages.gfpo import Gfpo
from tinyreason.algorithms.advantages.grpo import Grpo
from tinyreason.algorithms.advantages.grpo_lead import GrpoLead

ADVANTAGES = {"dr_grpo": DrGrpo, "gfpo": Gfpo, "grpo": Grpo, "grpo_lead": GrpoLead}
