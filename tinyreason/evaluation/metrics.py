"""The figures of one benchmark: accuracy, pass@k, cons@k, lengths, by level and subject."""

from collections import defaultdict

from tinyreason.evaluation.circular import Circular, circular
from tinyreason.evaluation.macro_f1 import MacroF1, macro_f1
from tinyreason.evaluation.mathcheck import MathCheck, mathcheck
from tinyreason.evaluation.missing_premise import MissingPremise, missing_premise
from tinyreason.evaluation.score import Completion, Score, groups_of, side_summary
from tinyreason.intervals import consensus, pass_at_k, share_interval
from tinyreason.runs.result import Interval, Number, Side, Stored


class ShareAtK(Stored):
    """A share of problems, 0–1, with k completions to each."""

    k: int
    share: Number
    interval: Interval


class GroupAccuracy(Stored):
    """Accuracy on the problems of one level or subject, 0–1."""

    accuracy: Number
    interval: Interval
    problems: int


class BenchmarkMetrics(Side):
    """The figures of one side on one benchmark; shares are 0–1, intervals 95 % and clustered by problem."""

    pass_at_k: list[ShareAtK]
    """For k = 1, 2, 4, … up to the number of samples."""
    cons_at_k: ShareAtK
    tokens_right: float | None
    """Mean tokens of correct completions; None without any."""
    tokens_wrong: float | None
    """Mean tokens of the others."""
    by: dict[str, dict[str, GroupAccuracy]]
    """`level` or `subject` → its name → accuracy; empty where the set has no such column."""
    missing_premise: MissingPremise | None = None
    """Of the bench of that name."""
    circular: Circular | None = None
    """Where the options of multiple choice were rotated."""
    macro_f1: MacroF1 | None = None
    """Where every answer is a label of a closed set."""
    mathcheck: MathCheck | None = None
    """Of the bench of that name."""


def benchmark_metrics(score: Score) -> BenchmarkMetrics:
    """Returns the figures of one side on one benchmark."""
    completions = [completion for row in score.completions_P_S for completion in row]
    samples = len(score.completions_P_S[0])
    found = {
        "missing_premise": missing_premise(score),
        "circular": circular(score),
        "macro_f1": macro_f1(score),
        "mathcheck": mathcheck(score),
    }
    return BenchmarkMetrics(
        **{name: value for name, value in found.items() if value},
        **side_summary([score]).as_json(),
        pass_at_k=[share_at_k(k, pass_shares(score, k)) for k in powers_of_two(samples)],
        cons_at_k=share_at_k(samples, consensus_shares(score)),
        tokens_right=_mean([completion.tokens for completion in completions if completion.correct]),
        tokens_wrong=_mean([completion.tokens for completion in completions if not completion.correct]),
        by=by_group(score),
    )


def share_at_k(k: int, shares: list[float]) -> ShareAtK:
    """Returns the mean of shares 0–1, one per problem, with its interval."""
    return ShareAtK(k=k, share=sum(shares) / len(shares), interval=share_interval(shares))


def pass_shares(score: Score, k: int) -> list[float]:
    """Returns each problem's pass@k."""
    return [pass_at_k(len(row), sum(one.correct is True for one in row), k) for row in score.completions_P_S]


def consensus_shares(score: Score) -> list[float]:
    """Returns each problem's cons@k, of all its completions."""

    def of_problem(row: list[Completion]) -> float:
        return consensus([one.extracted for one in row], [one.correct for one in row])

    return [of_problem(row) for row in score.completions_P_S]


def powers_of_two(most: int) -> list[int]:
    """Returns 1, 2, 4, … up to `most`, which is the last whatever it is."""
    return [2**n for n in range(most.bit_length()) if 2**n < most] + [most]


def by_group(score: Score) -> dict[str, dict[str, GroupAccuracy]]:
    """Returns the accuracy of each level and subject that the problems name."""
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for example, accuracy in zip(score.examples, score.accuracies_P, strict=True):
        for kind, name in groups_of(example).items():
            shares[kind, str(name)].append(accuracy)
    found: dict[str, dict[str, GroupAccuracy]] = defaultdict(dict)
    for (kind, name), values in sorted(shares.items()):
        accuracy = sum(values) / len(values)
        found[kind][name] = GroupAccuracy(accuracy=accuracy, interval=share_interval(values), problems=len(values))
    return dict(found)


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
