"""Computes the statistics of an evaluation: pass@k, cons@k, intervals clustered by problem, the exact paired test."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import hypot
from statistics import mean

CONFIDENCE = 0.95
RESAMPLES = 9999
ROUNDING = 1e-9
"""Sums of weights that differ by this share of the larger are equal, as sums are rounded."""
FEW = 100
"""With fewer problems than this the bootstrap's intervals are too narrow, and small-sample ones take its place."""


@lru_cache(maxsize=100_000)
def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Returns the chance that one of k completions is correct, the k sampled without replacement from the `samples`.

    Unbiased: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374), which is the hypergeometric survival.
    """
    from scipy.stats import hypergeom

    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {correct} correct among {samples} is not defined")
    return float(hypergeom.sf(0, samples, correct, k))


def consensus(
    answers: Sequence[str | None], correct: Sequence[bool | None], weights: Sequence[float] | None = None
) -> float:
    """Returns cons@k of one problem, 0–1: whether the most frequent answer is correct; of a tie, the correct share.

    A completion's answer counts by its weight, of at least 0; without weights each counts 1. All correct answers are
    one, whatever they look like; incorrect ones are one if they read the same. A completion without an answer has no
    vote. (Self-consistency, arXiv 2203.11171)
    """
    votes: dict[str | bool, float] = {}
    for answer, is_correct, weight in zip(answers, correct, weights or [1.0] * len(answers), strict=True):
        if is_correct is True or answer is not None:
            name = is_correct is True or "".join(str(answer).split())
            votes[name] = votes.get(name, 0.0) + weight
    most = max(votes.values(), default=0.0)
    if not most:
        return 0.0
    winners = [answer for answer, weight in votes.items() if weight >= most * (1 - ROUNDING)]
    return (True in winners) / len(winners)


def share_interval(values: list[float]) -> list[float]:
    """Returns the 95 % interval of a mean of shares in 0–1, one a problem, so that problems are the clusters.

    From 100 problems on the percentile bootstrap. With fewer, or where all shares are equal, Korn and Graubard's:
    Clopper-Pearson with the number of independent completions that have this variance, less what a variance from few
    problems is uncertain by, z² / t² (Survey Methodology 24, 1998).
    AIME's thirty problems all incorrect are 0 to 12 %, not 0 to 0.
    """
    if len(values) >= FEW and len(set(values)) > 1:
        return _bootstrap(values)
    from scipy.stats import beta

    share, count = mean(values), effective_size(values)
    tail, correct = (1 - CONFIDENCE) / 2, share * count
    low = 0.0 if share == 0 else float(beta.ppf(tail, correct, count - correct + 1))
    high = 1.0 if share == 1 else float(beta.ppf(1 - tail, correct + 1, count - correct))
    return [low, high]


def effective_size(values: list[float]) -> float:
    """Returns how many independent 0/1 samples would give a mean as certain as that of these shares, one a problem."""
    from scipy.stats import norm, sem, t

    if len(set(values)) == 1:
        return float(len(values))
    share, tail = mean(values), (1 - CONFIDENCE) / 2
    uncertainty = (norm.ppf(tail) / t.ppf(tail, len(values) - 1)) ** 2
    return float(share * (1 - share) / sem(values) ** 2 * uncertainty)


def difference_interval(differences: list[float]) -> list[float]:
    """Returns the 95 % interval of a mean of paired differences, one a problem: bootstrap, under 100 Student's t."""
    if len(set(differences)) == 1:
        return [differences[0]] * 2
    if len(differences) >= FEW:
        return _bootstrap(differences)
    from scipy.stats import ttest_1samp

    interval = ttest_1samp(differences, 0.0).confidence_interval(CONFIDENCE)
    return [float(interval.low), float(interval.high)]


def unchanged_interval(problems: int) -> list[float]:
    """Returns the 95 % interval of a gain in points where no problem changed: Clopper-Pearson of none, up or down.

    Thirty problems without any change are -12 to +12, not 0 to 0.
    """
    unseen = 100 * share_interval([0.0] * problems)[1]
    return [-unseen, unseen]


def sign_flip_p(differences: list[float]) -> float:
    """Returns the two-sided p of paired differences, one a problem, if either side were as likely to be the better.

    Fisher's randomisation test: exact up to 13 problems that differ, 9,999 random flips beyond. With one completion
    a problem it is McNemar's exact test.
    """
    import numpy
    from scipy.stats import permutation_test

    differing = numpy.array([value for value in differences if value], dtype=float)
    if len(differing) < 2:
        return 1.0
    result = permutation_test(
        (differing,),
        numpy.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=1000,
        vectorized=True,
        rng=numpy.random.default_rng(0),
    )
    return float(result.pvalue)


def verdict(interval: list[float], p_value: float, comparisons: int = 1) -> str:
    """Returns "improved" or "worse" if the interval excludes 0 and the exact test agrees, else "cannot tell".

    Of several comparisons p is multiplied by their number (Bonferroni), for the best of many is chosen by looking.
    """
    low, high = interval
    if comparisons * p_value > 1 - CONFIDENCE or low <= 0 <= high:
        return "cannot tell"
    return "improved" if low > 0 else "worse"


def paired_gain(before: list[float], after: list[float]) -> dict:
    """Returns the gain of paired shares 0–1 in points: `{"gain": {"points", "interval", "p_value"}, "verdict"}`."""
    differences = [100 * (b - a) for a, b in zip(before, after, strict=True)]
    low, high = difference_interval(differences) if any(differences) else unchanged_interval(len(differences))
    interval = [max(low, -100.0), min(high, 100.0)]
    p_value = sign_flip_p(differences)
    gain = {"points": mean(differences), "interval": interval, "p_value": p_value}
    return {"gain": gain, "verdict": verdict(interval, p_value)}


def against_control(
    groups: Sequence[Sequence[float]], control: Sequence[float]
) -> list[tuple[list[float], float] | None]:
    """Returns the 95 % interval of each group's mean less the control's, for all at once, and p; None of one value.

    Dunnett's test (JASA 50, 1955): how much values differ within a group is estimated of all groups together, as
    three values of one group say next to nothing of it.
    """
    import numpy
    from scipy.stats import dunnett

    tested = [number for number, values in enumerate(groups) if min(len(values), len(control)) > 1]
    found: list[tuple[list[float], float] | None] = [None] * len(groups)
    if any(len({*groups[number]}) > 1 for number in tested):
        result = dunnett(*(groups[number] for number in tested), control=control, rng=numpy.random.default_rng(0))
        interval = result.confidence_interval(CONFIDENCE)
        for number, low, high, p_value in zip(tested, interval.low, interval.high, result.pvalue, strict=True):
            found[number] = ([float(low), float(high)], float(p_value))
    return found


Values = dict[str, float]
"""Problem → its value."""


def averaged(seeds: Sequence[Values]) -> Values:
    """Returns each problem's mean over the seeds that asked it."""
    problems = dict.fromkeys(problem for values in seeds for problem in values)
    return {problem: mean(values[problem] for values in seeds if problem in values) for problem in problems}


def over_seeds(
    seeds: Sequence[Values], by_problem: Callable[[list[float]], list[float]], within: tuple[float, float] | None = None
) -> tuple[float, list[float]]:
    """Returns the mean over problems and seeds with its 95 % interval; `by_problem` gives that of problems alone.

    `within`: the least and the largest value that there can be.
    """
    problems = list(averaged(seeds).values())
    middle = mean(problems)
    low, high = widened(middle, by_problem(problems), [mean(values.values()) for values in seeds])
    least, largest = within or (low, high)
    return middle, [max(low, least), min(high, largest)]


def widened(middle: float, interval: list[float], seeds: list[float]) -> list[float]:
    """Returns the interval of a mean over problems, widened by what seeds, each with its mean, differ by.

    Its distances from the middle, and Student's t interval of the seeds, are added in squares (MOVER, Zou and Donner,
    Statistics in Medicine 27, 2008). In simulated worlds of 2 to 10 seeds it covers the truth 95 to 99 times in 100;
    a hierarchical bootstrap covers it 73 and 82 times where 2 or 3 seeds differ more than problems do, as few seeds
    show too little of how seeds differ.
    """
    low, high = interval
    own = _t_distance(1 - CONFIDENCE, seeds)
    return [middle - hypot(middle - low, own), middle + hypot(high - middle, own)]


def gain_over_seeds(before: Sequence[Values], after: Sequence[Values]) -> dict:
    """Returns `paired_gain` of shares by problem, a pair for each seed, its interval over problems and seeds."""
    pairs = [
        [{problem: side[problem] for problem in b if problem in a} for side in (b, a)]
        for b, a in zip(before, after, strict=True)
    ]
    sides = [averaged([pair[number] for pair in pairs]) for number in (0, 1)]
    gains = [100 * (mean(a.values()) - mean(b.values())) for b, a in pairs]
    return widened_gain(paired_gain(*(list(side.values()) for side in sides)), gains)


def widened_gain(found: dict, seeds: list[float]) -> dict:
    """Returns a `paired_gain` by problem, widened by the gains of the seeds in points; one seed changes nothing."""
    gain = found["gain"]
    if len(seeds) < 2:
        return found
    low, high = widened(gain["points"], gain["interval"], seeds)
    interval = [max(low, -100.0), min(high, 100.0)]
    p_value = max(gain["p_value"], _p_over_seeds(gain, seeds))
    return {"gain": gain | {"interval": interval, "p_value": p_value}, "verdict": verdict(interval, p_value)}


def _t_distance(p_value: float, values: list[float]) -> float:
    """Returns how far from 0 a mean must be for this two-sided p by Student's t; 0 of one value."""
    from scipy.stats import sem, t

    return float(t.isf(p_value / 2, len(values) - 1) * sem(values)) if len(values) > 1 else 0.0


def _p_over_seeds(gain: dict, seeds: list[float]) -> float:
    """Returns the two-sided p at which the widened interval would just reach 0; of the problems it knows the limits."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    low, high = gain["interval"]
    points = gain["points"]
    error = (points - low if points > 0 else high - points) / norm.isf((1 - CONFIDENCE) / 2)

    def beyond(p_value: float) -> float:
        return hypot(norm.isf(p_value / 2) * error, _t_distance(p_value, seeds)) - abs(points)

    smallest = 1e-12
    return brentq(beyond, smallest, 1.0) if points and beyond(smallest) > 0 else smallest if points else 1.0


def _bootstrap(values: list[float]) -> list[float]:
    """Returns the 95 % percentile bootstrap interval of the mean."""
    import numpy
    from scipy.stats import bootstrap

    result = bootstrap(
        (numpy.array(values),),
        numpy.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        batch=1000,
        rng=numpy.random.default_rng(0),
    )
    return [float(result.confidence_interval.low), float(result.confidence_interval.high)]
