"""Rewards: one idea a file. `(Batch, Store) → (N,)`; nan means "cannot be graded", which is not zero."""

from tinyreason.algorithms.rewards._own import OwnReward as OwnReward
from tinyreason.algorithms.rewards._reward import check_rewards as check_rewards
from tinyreason.algorithms.rewards._reward import weigh as weigh
from tinyreason.algorithms.rewards._token_target import ask_for_tokens as ask_for_tokens
from tinyreason.leaves import Leaves

REWARDS = Leaves.of_folder(__name__, __path__, {"random": "random_reward"})
