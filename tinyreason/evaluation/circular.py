"""Circular evaluation of multiple choice: a question counts only if it is answered under every rotation of its options.

As MathBench scores (arXiv 2405.12209): who guesses, or likes one letter, seldom answers all of them.
"""

import re
from collections import defaultdict
from dataclasses import replace
from statistics import fmean

from tinyreason.data.transforms.choice_open import OPTION
from tinyreason.errors import DataError
from tinyreason.evaluation.score import Completion, Score
from tinyreason.example import Example
from tinyreason.grading.graders.choice import letter_of
from tinyreason.intervals import share_interval
from tinyreason.runs.stored import Interval, Number, Stored

_TURN = re.compile(r"(.*)/turn (\d+) of (\d+)", re.DOTALL)


class Circular(Stored):
    """Figures over questions of which every rotation was asked; shares 0–1."""

    problems: int
    accuracy: Number
    """Share answered correctly under every rotation."""
    interval: Interval
    as_given: Number
    """Share answered correctly in the order of the set."""
    as_given_interval: Interval


def rotations(examples: list[Example]) -> list[Example]:
    """Returns each question once for each rotation of its options, the letter of the gold answer moved along.

    Errors: `DataError` for one without two options on lines of their own, or whose gold is not the letter of one.
    """
    return [turned for example in examples for turned in rotated(example)]


def rotated(example: Example) -> list[Example]:
    """Returns a question under each rotation of its options. Errors: `DataError`."""
    found = list(OPTION.finditer(example.problem))
    letters, texts = [one[1] or one[2] for one in found], [one[3] for one in found]
    gold = letter_of(example.answer)
    if len(found) < 2 or gold not in letters:
        what = f"its answer {example.answer[:40]!r} is not the letter of one" if len(found) > 1 else "this has none"
        raise DataError(
            f"--circular rotates the options of a question, lines such as 'A. Paris', and of problem {example.id} "
            f"{what}; leave --circular out."
        )
    count, at = len(found), letters.index(gold)
    meta = {name: value for name, value in example.meta.items() if name != "grader"}
    turned = []
    for turn in range(count):
        text = example.problem
        for place in reversed(range(count)):
            start, end = found[place].span(3)
            text = text[:start] + texts[(place + turn) % count] + text[end:]
        turned.append(
            replace(
                example,
                id=f"{example.id}/turn {turn} of {count}",
                messages=(*example.messages[:-1], example.messages[-1] | {"content": text}),
                answer=letters[(at - turn) % count],
                grader="choice",
                meta=meta | {"turn": str(turn)},
            )
        )
    return turned


def circular(score: Score) -> Circular | None:
    """Returns the figures over questions of which every rotation is there; None without any."""
    circles: dict[tuple[str, int], dict[int, list[Completion]]] = defaultdict(dict)
    for example, row in zip(score.examples, score.completions_P_S, strict=True):
        if named := _TURN.fullmatch(example.id):
            circles[named[1], int(named[3])][int(named[2])] = row
    whole = [turns for (_, count), turns in circles.items() if len(turns) == count]
    if not whole:
        return None
    every = [
        fmean(all(one.correct is True for one in sample) for sample in zip(*turns.values(), strict=True))
        for turns in whole
    ]
    first = [fmean(one.correct is True for one in turns[0]) for turns in whole]
    return Circular(
        problems=len(whole),
        accuracy=fmean(every),
        interval=share_interval(every),
        as_given=fmean(first),
        as_given_interval=share_interval(first),
    )
