"""Puts answers that are equal into one cluster, without a gold answer and without Math-Verify."""

from tinyreason.grading.answers import MAX_ANSWER_CHARS
from tinyreason.grading.values import compare_values


def clusters_of(answers: list[str | None]) -> list[int | None]:
    """Returns the cluster of each answer, 0, 1, …; None where there is no answer."""
    names: dict[str, int] = {}
    for answer in dict.fromkeys(answers):
        if answer is None:
            continue
        joined = {name for known, name in names.items() if are_equal(known, answer)} | {len(names)}
        names[answer] = min(joined)
        names = {known: min(joined) if name in joined else name for known, name in names.items()}
    return [None if answer is None else names[answer] for answer in answers]


def are_equal(one: str, other: str) -> bool:
    """Returns whether either is graded correct where the other is the gold answer; a formula never is."""
    if max(len(one), len(other)) > MAX_ANSWER_CHARS:
        return False
    return compare_values(one, other)[0] is True or compare_values(other, one)[0] is True
