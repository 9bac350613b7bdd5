"""Rollouts: one idea a file. What a group holds beside the policy's own answers: a hint, a solution, another try."""

from tinyreason.algorithms.rollouts._rollout_plan import POLICY as POLICY
from tinyreason.algorithms.rollouts._rollout_plan import Rollout as Rollout
from tinyreason.algorithms.rollouts._rollout_plan import ThoughtBudget as ThoughtBudget
from tinyreason.algorithms.rollouts._rollout_plan import check_readers as check_readers
from tinyreason.algorithms.rollouts.adaptthink import Adaptthink
from tinyreason.algorithms.rollouts.budget_forcing import BudgetForcing
from tinyreason.algorithms.rollouts.critique_grpo import CritiqueGrpo
from tinyreason.algorithms.rollouts.cure import Cure
from tinyreason.algorithms.rollouts.expo import Expo
from tinyreason.algorithms.rollouts.guide import Guide
from tinyreason.algorithms.rollouts.luffy import Luffy
from tinyreason.algorithms.rollouts.multi_attempt import MultiAttempt
from tinyreason.algorithms.rollouts.relift import Relift
from tinyreason.algorithms.rollouts.rl_plus import RlPlus
from tinyreason.algorithms.rollouts.seele import Seele

ROLLOUTS = {
    "adaptthink": Adaptthink,
    "budget_forcing": BudgetForcing,
    "critique_grpo": CritiqueGrpo,
    "cure": Cure,
    "expo": Expo,
    "guide": Guide,
    "luffy": Luffy,
    "multi_attempt": MultiAttempt,
    "relift": Relift,
    "rl_plus": RlPlus,
    "seele": Seele,
}
