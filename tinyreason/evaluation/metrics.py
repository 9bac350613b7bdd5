"""What is counted of the replies to one benchmark: accuracy, pass@k, cons@k, lengths, by level and subject."""

from collections import defaultdict
from collections.abc import Iterator

from tinyreason.evaluation.score import Completion, Score
from tinyreason.intervals import consensus, pass_at_k, share_interval

Group = tuple[str, str]
"""What it is grouped by, and the group's name."""


def measure(score: Score) -> dict:
    """The figures of one side on one benchmark; shares are 0–1, intervals 95 % and clustered by problem.

    `by` is `{"level": {"1": {"accuracy", "interval", "problems"}}}`, empty where the set has no such column.
    """
    replies = [reply for row in score.completions_P_S for reply in row]
    right = [reply.tokens for reply in replies if reply.correct]
    wrong = [reply.tokens for reply in replies if not reply.correct]
    return {
        **score.summary(),
        "pass_at_k": [_with_interval({"k": k}, pass_shares(score, k)) for k in powers_of_two(score)],
        "cons_at_k": _with_interval({"k": len(score.completions_P_S[0])}, consensus_shares(score)),
        "tokens_right": _mean(right),
        "tokens_wrong": _mean(wrong),
        "by": by_group(score),
    }


def pass_shares(score: Score, k: int) -> list[float]:
    """Each problem's pass@k."""
    return [pass_at_k(len(row), sum(reply.correct is True for reply in row), k) for row in score.completions_P_S]


def consensus_shares(score: Score) -> list[float]:
    """Each problem's cons@k, of all its replies."""

    def one(row: list[Completion]) -> float:
        return consensus([reply.extracted for reply in row], [reply.correct for reply in row])

    return [one(row) for row in score.completions_P_S]


def powers_of_two(score: Score) -> Iterator[int]:
    """1, 2, 4, … up to the number of samples, which is the last whatever it is."""
    most, k = len(score.completions_P_S[0]), 1
    while k < most:
        yield k
        k *= 2
    yield most


def by_group(score: Score) -> dict[str, dict[str, dict]]:
    """Accuracy of each level and subject that the problems name."""
    shares: dict[Group, list[float]] = defaultdict(list)
    for example, accuracy in zip(score.examples, score.accuracies_P, strict=True):
        for kind, name in example.meta.items():
            shares[kind, str(name)].append(accuracy)
    found: dict[str, dict[str, dict]] = defaultdict(dict)
    for (kind, name), values in sorted(shares.items()):
        found[kind][name] = {
            "accuracy": sum(values) / len(values),
            "interval": share_interval(values),
            "problems": len(values),
        }
    return dict(found)


def _with_interval(what: dict, shares: list[float]) -> dict:
    return what | {"share": sum(shares) / len(shares), "interval": share_interval(shares)}


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
