"""Samplers: one idea a file. Which problems a step asks, which rollouts it trains on, how warm the next are."""

from tinyreason.algorithms.samplers._sampler import check_samplers as check_samplers
from tinyreason.algorithms.samplers._sampler import in_turn as in_turn
from tinyreason.algorithms.samplers._sampler import that_decide as that_decide
from tinyreason.leaves import Leaves

SAMPLERS = Leaves.of_folder(__name__, __path__)
