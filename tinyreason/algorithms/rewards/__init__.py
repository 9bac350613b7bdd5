"""Rewards: one idea a file. `(Batch, Store) → (N,)`; nan means "cannot be judged", which is not zero."""

from tinyreason.rewards._reward import check_rewards as check_rewards
from tinyreason.rewards._reward import weigh as weigh
from tinyreason.rewards._token_target import ask_for_tokens as ask_for_tokens
from tinyreason.rewards.adactrl_tags import AdactrlTags
from tinyreason.rewards.alp_length import AlpLength
from tinyreason.rewards.campo_loop_penalty import CampoLoopPenalty
from tinyreason.rewards.correctness import Correctness
from tinyreason.rewards.cosine_length import CosineLength
from tinyreason.rewards.efficient_reasoning import EfficientReasoning
from tinyreason.rewards.format import Format
from tinyreason.rewards.grpo_lead import GrpoLead
from tinyreason.rewards.hapo_length import HapoLength
from tinyreason.rewards.kimi_length import KimiLength
from tinyreason.rewards.l1_exact import L1Exact
from tinyreason.rewards.l1_max import L1Max
from tinyreason.rewards.laser_d import LaserD
from tinyreason.rewards.laser_de import LaserDe
from tinyreason.rewards.laser_length import LaserLength
from tinyreason.rewards.random import Random
from tinyreason.rewards.self_efficiency_length import SelfEfficiencyLength
from tinyreason.rewards.shorter_better import ShorterBetter
from tinyreason.rewards.soft_overlong import SoftOverlong

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
    "random": Random,
    "self_efficiency_length": SelfEfficiencyLength,
    "shorter_better": ShorterBetter,
    "soft_overlong": SoftOverlong,
}
