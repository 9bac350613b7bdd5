"""Samplers: one idea a file. Which problems a step asks, which rollouts it trains on, how warm the next are."""

from tinyreason.algorithms.samplers._own import OwnSampler as OwnSampler
from tinyreason.algorithms.samplers._sampler import check_decisions as check_decisions
from tinyreason.algorithms.samplers._sampler import check_samplers as check_samplers
from tinyreason.algorithms.samplers._sampler import in_turn as in_turn
from tinyreason.algorithms.samplers._sampler import that_decide as that_decide
from tinyreason.algorithms.samplers.balanced_filter import BalancedFilter
from tinyreason.algorithms.samplers.domain_deficit_weights import DomainDeficitWeights
from tinyreason.algorithms.samplers.dump_ucb import DumpUcb
from tinyreason.algorithms.samplers.dynamic_sampling import DynamicSampling
from tinyreason.algorithms.samplers.entropy_temperature import EntropyTemperature
from tinyreason.algorithms.samplers.greso_skip import GresoSkip
from tinyreason.algorithms.samplers.mopps import Mopps
from tinyreason.algorithms.samplers.no_resample import NoResample
from tinyreason.algorithms.samplers.pods import Pods
from tinyreason.algorithms.samplers.sec_bandit import SecBandit
from tinyreason.algorithms.samplers.spo_single_stream import SpoSingleStream
from tinyreason.algorithms.samplers.vcrl import Vcrl

SAMPLERS = {
    "balanced_filter": BalancedFilter,
    "domain_deficit_weights": DomainDeficitWeights,
    "dump_ucb": DumpUcb,
    "dynamic_sampling": DynamicSampling,
    "entropy_temperature": EntropyTemperature,
    "greso_skip": GresoSkip,
    "mopps": Mopps,
    "no_resample": NoResample,
    "pods": Pods,
    "sec_bandit": SecBandit,
    "spo_single_stream": SpoSingleStream,
    "vcrl": Vcrl,
}
