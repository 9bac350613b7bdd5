"""Rewards: one idea a file. `(Batch, Store) → (N,)`; nan means "cannot be graded", which is not zero."""

from tinyreason.algorithms.rewards._own import OwnReward as OwnReward
from tinyreason.algorithms.rewards._reward import check_rewards as check_rewards
from tinyreason.algorithms.rewards._reward import weigh as weigh
from tinyreason.algorithms.rewards._token_target import ask_for_tokens as ask_for_tokens
from tinyreason.algorithms.rewards.adactrl_tags import AdactrlTags
from tinyreason.algorithms.rewards.alp_length import AlpLength
from tinyreason.algorithms.rewards.campo_loop_penalty import CampoLoopPenalty
from tinyreason.algorithms.rewards.correctness import Correctness
from tinyreason.algorithms.rewards.cosine_length import CosineLength
from tinyreason.algorithms.rewards.efficient_reasoning import EfficientReasoning
from tinyreason.algorithms.rewards.format import Format
from tinyreason.algorithms.rewards.grpo_lead import GrpoLead
from tinyreason.algorithms.rewards.hapo_length import HapoLength
from tinyreason.algorithms.rewards.kimi_length import KimiLength
from tinyreason.algorithms.rewards.l1_exact import L1Exact
from tinyreason.algorithms.rewards.l1_max import L1Max
from tinyreason.algorithms.rewards.laser_d import LaserD
from tinyreason.algorithms.rewards.laser_de import LaserDe
from tinyreason.algorithms.rewards.laser_length import LaserLength
from tinyreason.algorithms.rewards.random_reward import RandomReward
from tinyreason.algorithms.rewards.self_efficiency_length import SelfEfficiencyLength
from tinyreason.algorithms.rewards.shorter_better import ShorterBetter
from tinyreason.algorithms.rewards.soft_overlong import SoftOverlong

REWARDS = {
    "adactrl_tags": AdactrlTags,
    "alp_length": AlpLength,
    "campo_loop_penalty": CampoLoopPenalty,
    "correctness": Correctness,
    "cosine_length": CosineLength,
    "efficient_reasoning": EfficientReasoning,
    "format": Format,
    "grpo_lead": GrpoLead,
    "hapo_length": HapoLength,
    "kimi_length": KimiLength,
    "l1_exact": L1Exact,
    "l1_max": L1Max,
    "laser_d": LaserD,
    "laser_de": LaserDe,
    "laser_length": LaserLength,
    "random": RandomReward,
    "self_efficiency_length": SelfEfficiencyLength,
    "shorter_better": ShorterBetter,
    "soft_overlong": SoftOverlong,
}
