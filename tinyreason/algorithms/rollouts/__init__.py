"""Rollouts: one idea a file. What a group holds beside the policy's own answers: a hint, a solution, another try."""

from tinyreason.algorithms.rollouts._rollout_plan import POLICY as POLICY
from tinyreason.algorithms.rollouts._rollout_plan import Rollout as Rollout
from tinyreason.algorithms.rollouts._rollout_plan import check_readers as check_readers
from tinyreason.leaves import Leaves

ROLLOUTS = Leaves.of_folder(__name__, __path__)
