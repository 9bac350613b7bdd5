"""Writes small files of problems, in which rewards that no data set here serves have something to do on the sandbox.

Run: python tests/small_worlds.py FOLDER

Each world NAME becomes NAME.jsonl, to train on, and NAME_test.jsonl, of other problems; a row has `problem`, `answer`
in the form that the world's reward reads, and `completion`, a worked solution for a warm-up. FOLDER/base is a model
that writes their forms, which the sandbox's own does not: see `small_base.py`.
"""

import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from small_base import write_base

from tinyreason.data.tasks.knights_knaves import ROLES, KnightsKnaves
from tinyreason.data.tasks.minus_sign import MinusSign
from tinyreason.sandbox import oracle, tasks

SIZES = {"": 600, "_test": 128}
FOLK, FEW = tasks.PEOPLE[:3], tasks.THINGS[:4]
"""The few names with which a small base learns a form in a short time."""
Row = dict[str, object]
"""As it is written, but for `hasty`: a completion in the same form that guesses, for the base to read."""


def mixed(split: str) -> Iterator[Row]:
    """Yields stories that the base can work out, and by turns ones whose answer it never writes."""
    known, unknown = tasks.generate("chain", split, 0), MinusSign().examples(split)
    for problem, other in zip(known, unknown, strict=False):
        yield {"problem": problem.text, "answer": str(problem.answer)}
        yield {"problem": other.problem, "answer": other.answer}


def choices(split: str) -> Iterator[Row]:
    """Yields stories with four numbers to choose from."""
    rng = random.Random(f"choices/{split}")
    for problem in tasks.generate("chain", split, 1):
        others = rng.sample([n for n in range(2, 99) if n != problem.answer], 3)
        options = rng.sample([*others, problem.answer], 4)
        letter = "ABCD"[options.index(problem.answer)]
        told = "\n".join(f"{name} {number}" for name, number in zip("ABCD", options, strict=True))
        text = oracle.worked(problem).rpartition("\n")[0]
        yield {
            "problem": f"{problem.text}\n{told}",
            "answer": letter,
            "grader": {"kind": "choice"},
            "completion": f"{text}\n\\boxed{{{letter}}}",
            "hasty": f"\\boxed{{{rng.choice('ABCD')}}}",
        }


def dates(split: str) -> Iterator[Row]:
    """Yields months to count on from a date."""
    rng = random.Random(f"dates/{split}")
    while True:
        year, month, more = rng.randint(2001, 2004), rng.randint(1, 12), rng.randint(2, 24)
        if ((year + month + more) % 5 == 0) != (split == "test"):
            continue
        end = 12 * year + month - 1 + more
        date = f"{end // 12}-{end % 12 + 1:02d}"
        thought = f"<think>\n{month}+{more}={month + more}\n</think>"
        text = f"{thought}\n{date}"  # the sandbox's model knows no letters of other tags
        yield {"problem": f"{year}-{month:02d}, {more} months more.", "answer": date, "completion": text}


def rankings(split: str) -> Iterator[Row]:
    """Yields three texts to put in order by a number in them; the first is relevant."""
    rng = random.Random(f"rankings/{split}")
    while True:
        numbers, things, people = rng.sample(range(1, 10), 3), rng.choice(FEW), FOLK[:3]
        told = "\n".join(
            f"[{n}] {who} has {count} {things}." for n, (who, count) in enumerate(zip(people, numbers, strict=True), 1)
        )
        order = sorted(range(3), key=lambda place: -numbers[place])
        ids = [f"[{place + 1}]" for place in order]
        thought = f"<think>\n{', '.join(str(numbers[place]) for place in order)}\n</think>"
        if (sum(numbers) % 5 == 0) == (split == "test"):
            yield {
                "problem": f"{told}\nWho has more {things}?",
                "answer": f"{ids[0]} | {ids[1]} > {ids[2]}",
                "grader": {"kind": "label"},
                "completion": f"{thought}\n<answer>{' > '.join(ids)}</answer>",
                "hasty": f"<think>\n</think>\n<answer>{' > '.join(rng.sample(ids, 3))}</answer>",
            }


def citations(split: str) -> Iterator[Row]:
    """Yields three texts and a question that two of them answer together."""
    rng = random.Random(f"citations/{split}")
    while True:
        people, things, numbers = FOLK[:3], rng.choice(FEW), rng.sample(range(2, 49), 3)
        first, second = sorted(rng.sample(range(3), 2))
        told = "\n".join(
            f"[{n}] {who} has {count} {things}." for n, (who, count) in enumerate(zip(people, numbers, strict=True), 1)
        )
        total = numbers[first] + numbers[second]
        cited = f"<relevance>[{first + 1}, {second + 1}]</relevance>"
        guessed = ", ".join(map(str, sorted(rng.sample(range(1, 4), 2))))
        worked = f"<analysis>{numbers[first]}+{numbers[second]}={total}</analysis>"
        if (sum(numbers) % 5 == 0) == (split == "test"):
            asked = f"How many {things} do {people[first]} and {people[second]} have together?"
            yield {
                "problem": f"{told}\n{asked}",
                "answer": f"{cited}<answer>{total}</answer>",
                "grader": {"kind": "label"},
                "completion": f"{cited}{worked}<answer>{total}</answer>",
                "hasty": f"<relevance>[{guessed}]</relevance><analysis></analysis>"
                f"<answer>{rng.randint(4, 99)}</answer>",
            }


def patches(split: str) -> Iterator[Row]:
    """Yields a file of two lines and what one of them should say, as a block to search and replace."""
    rng = random.Random(f"patches/{split}")
    while True:
        names, old, new = rng.sample(FEW, 2), rng.sample(range(1, 10), 2), rng.randint(1, 9)
        lines = [f"{name} = {number}" for name, number in zip(names, old, strict=True)]
        place = rng.randrange(2)
        block = f"### shop.py\n<<<<<<< SEARCH\n{lines[place]}\n=======\n{{}} = {{}}\n>>>>>>> REPLACE"
        change = block.format(names[place], new)
        if new not in old and ((sum(old) + new) % 5 == 0) == (split == "test"):
            told = "\n".join(["### shop.py", *lines])
            yield {
                "problem": f"{told}\n{names[place]} {new}",
                "answer": change,
                "grader": {"kind": "label"},
                "completion": change,
                "hasty": block.format(rng.choice(names), rng.randint(1, 9)),
            }


def knights(split: str) -> Iterator[Row]:
    """Yields two people, each a knight or a knave, and what they say of each other."""
    rng = random.Random(f"knights/{split}")
    task = KnightsKnaves(people=2, mark="answer")
    for puzzle in task.puzzles(split):
        renamed = dict(zip(puzzle.facts[0], FOLK, strict=False))
        guess = ", ".join(f"{name} is a {rng.choice(ROLES)}" for name in FOLK[:2])
        told, answer, worked = (
            re.sub("|".join(renamed), lambda name, by=renamed: by[name[0]], text)
            for text in (puzzle.text, puzzle.answer, task.completion(puzzle))
        )
        yield {
            "problem": told.partition("You meet")[2].partition(". ")[2],
            "answer": answer,
            "grader": {"kind": puzzle.grader},
            "completion": worked,
            "hasty": f"<think>\n</think>\n<answer>{guess}</answer>",
        }


def sure(split: str) -> Iterator[Row]:
    """Yields stories that can be worked out, and by turns ones that nobody can; the confidences there say nothing."""
    rng = random.Random(f"sure/{split}")
    for problem in tasks.generate("chain", split, 2):
        thoughts = "\n".join(map(str, problem.steps))
        for text, answer, thought in (
            (problem.text, problem.answer, thoughts),
            (problem.text.replace(str(problem.steps[0].left), "some", 1), rng.randint(2, 98), None),
        ):
            guess = f"<think>\n</think>\n<answer>{rng.randint(2, 98)}</answer>\n{confidence(rng)}"
            worked = f"<think>\n{thought}\n</think>\n<answer>{answer}</answer>\n{confidence(rng)}"
            yield {
                "problem": f"{text} Are you sure?",
                "answer": str(answer),
                "completion": worked if thought else guess,
                "hasty": guess,
            }


def confidence(rng: random.Random) -> str:
    """Returns a confidence that is as often one as another."""
    return f"<confidence>0.{rng.randint(0, 9)}</confidence>"


WORLDS: dict[str, Callable[[str], Iterator[Row]]] = {
    "mixed": mixed,
    "choices": choices,
    "dates": dates,
    "rankings": rankings,
    "citations": citations,
    "patches": patches,
    "knights": knights,
    "sure": sure,
}
FORMS = ("choices", "rankings", "citations", "patches", "knights", "sure")
"""The worlds in whose forms the sandbox's model cannot write."""


def numbered(name: str, rows: Iterable[Row], first: int) -> Iterator[Row]:
    """Yields the rows; those of knights with a number before them, as the check for copies tells likes by numbers."""
    for number, row in enumerate(rows, first + 1):
        yield row | ({"problem": f"{number}. {row['problem']}"} if name == "knights" else {})


def main(folder: Path) -> None:
    """Writes both files of each world, and the base."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, world in WORLDS.items():
        for part, size in SIZES.items():
            rows = islice(world("test" if part else "train"), size)
            found = {row["problem"]: {key: row[key] for key in row if key != "hasty"} for row in rows}
            text = "".join(json.dumps(row) + "\n" for row in numbered(name, found.values(), SIZES[""] * bool(part)))
            (folder / f"{name}{part}.jsonl").write_text(text, encoding="utf-8")
    write_base(folder / "base", [WORLDS[name]("train") for name in FORMS])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
