"""Advantages: an estimator or a shaper a file. `(Batch, advantages (N,) or (N, T), Store) → (N,) or (N, T)`."""

from tinyreason.algorithms.advantages._advantage import check_advantages as check_advantages
from tinyreason.algorithms.advantages._advantage import check_level as check_level
from tinyreason.algorithms.advantages._advantage import estimate as estimate
from tinyreason.algorithms.advantages._own import OwnAdvantage as OwnAdvantage
from tinyreason.leaves import Leaves

ADVANTAGES = Leaves.of_folder(__name__, __path__)
