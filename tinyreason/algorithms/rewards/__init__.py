"""Rewards: one idea a file. `(Batch, Store) → (N,)`; nan means "cannot be graded", which is not zero."""

from tinyreason.algorithms.rewards._own import OwnReward as OwnReward
from tinyreason.algorithms.rewards._reward import check_rewards as check_rewards
from tinyreason.algorithms.rewards._reward import weigh as weigh
from tinyreason.algorithms.rewards._token_target import ask_for_tokens as ask_for_tokens
from tinyreason.algorithms.rewards.adactrl_tags import AdactrlTags
from tinyreason.algorithms.rewards.alp_length import AlpLength
from tinyreason.algorithms.rewards.arena_sections import ArenaSections
from tinyreason.algorithms.rewards.autothink_modes import AutothinkModes
from tinyreason.algorithms.rewards.campo_loop_penalty import CampoLoopPenalty
from tinyreason.algorithms.rewards.choice_letter import ChoiceLetter
from tinyreason.algorithms.rewards.correctness import Correctness
from tinyreason.algorithms.rewards.cosine_length import CosineLength
from tinyreason.algorithms.rewards.date_distance import DateDistance
from tinyreason.algorithms.rewards.efficient_reasoning import EfficientReasoning
from tinyreason.algorithms.rewards.empo_cluster import EmpoCluster
from tinyreason.algorithms.rewards.format import Format
from tinyreason.algorithms.rewards.grpo_lead import GrpoLead
from tinyreason.algorithms.rewards.hapo_length import HapoLength
from tinyreason.algorithms.rewards.kimi_length import KimiLength
from tinyreason.algorithms.rewards.l1_exact import L1Exact
from tinyreason.algorithms.rewards.l1_max import L1Max
from tinyreason.algorithms.rewards.laser_d import LaserD
from tinyreason.algorithms.rewards.laser_de import LaserDe
from tinyreason.algorithms.rewards.laser_length import LaserLength
from tinyreason.algorithms.rewards.logic_rl_format import LogicRlFormat
from tinyreason.algorithms.rewards.multi_attempt import MultiAttempt
from tinyreason.algorithms.rewards.otc_relative_cost import OtcRelativeCost
from tinyreason.algorithms.rewards.phi4_length_cosine import Phi4LengthCosine
from tinyreason.algorithms.rewards.random_reward import RandomReward
from tinyreason.algorithms.rewards.rank_list_reward import RankListReward
from tinyreason.algorithms.rewards.rent import Rent
from tinyreason.algorithms.rewards.rlcr_brier import RlcrBrier
from tinyreason.algorithms.rewards.rpr_phrases import RprPhrases
from tinyreason.algorithms.rewards.self_efficiency_length import SelfEfficiencyLength
from tinyreason.algorithms.rewards.sequence_similarity import SequenceSimilarity
from tinyreason.algorithms.rewards.shorter_better import ShorterBetter
from tinyreason.algorithms.rewards.soft_overlong import SoftOverlong
from tinyreason.algorithms.rewards.ufo_retry import UfoRetry
from tinyreason.algorithms.rewards.unlikeliness import Unlikeliness

REWARDS = {
    "adactrl_tags": AdactrlTags,
    "alp_length": AlpLength,
    "arena_sections": ArenaSections,
    "autothink_modes": AutothinkModes,
    "campo_loop_penalty": CampoLoopPenalty,
    "choice_letter": ChoiceLetter,
    "correctness": Correctness,
    "cosine_length": CosineLength,
    "date_distance": DateDistance,
    "efficient_reasoning": EfficientReasoning,
    "empo_cluster": EmpoCluster,
    "format": Format,
    "grpo_lead": GrpoLead,
    "hapo_length": HapoLength,
    "kimi_length": KimiLength,
    "l1_exact": L1Exact,
    "l1_max": L1Max,
    "laser_d": LaserD,
    "laser_de": LaserDe,
    "laser_length": LaserLength,
    "logic_rl_format": LogicRlFormat,
    "multi_attempt": MultiAttempt,
    "otc_relative_cost": OtcRelativeCost,
    "phi4_length_cosine": Phi4LengthCosine,
    "random": RandomReward,
    "rank_list_reward": RankListReward,
    "rent": Rent,
    "rlcr_brier": RlcrBrier,
    "rpr_phrases": RprPhrases,
    "self_efficiency_length": SelfEfficiencyLength,
    "sequence_similarity": SequenceSimilarity,
    "shorter_better": ShorterBetter,
    "soft_overlong": SoftOverlong,
    "ufo_retry": UfoRetry,
    "unlikeliness": Unlikeliness,
}
