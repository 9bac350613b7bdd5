"""Writes small files of problems, in which rewards that no data set here serves have something to do on the sandbox.

Run: python tests/small_worlds.py FOLDER

Each world NAME becomes NAME.jsonl, to train on, and NAME_test.jsonl, of other problems; a row has `problem`, `answer`
in the form that the world's reward reads, and `completion`, a worked solution for a warm-up.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from tinyreason.data.tasks.minus_sign import MinusSign
from tinyreason.sandbox import oracle, tasks

SIZES = {"": 600, "_test": 128}
Row = dict[str, object]


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
    """Yields four texts to put in order by a number in them; the first two are relevant."""
    rng = random.Random(f"rankings/{split}")
    while True:
        numbers, things = rng.sample(range(2, 99), 4), rng.choice(tasks.THINGS)
        people = rng.sample(tasks.PEOPLE, 4)
        told = "\n".join(
            f"[{n}] {who} has {count} {things}." for n, (who, count) in enumerate(zip(people, numbers, strict=True), 1)
        )
        order = sorted(range(4), key=lambda place: -numbers[place])
        ids = [f"[{place + 1}]" for place in order]
        thought = f"<think>\n{', '.join(str(numbers[place]) for place in order)}\n</think>"
        if (sum(numbers) % 5 == 0) == (split == "test"):
            yield {
                "problem": f"{told}\nWho has more {things}?",
                "answer": f"{ids[0]} > {ids[1]} | {ids[2]} > {ids[3]}",
                "completion": f"{thought}\n<answer>{' > '.join(ids)}</answer>",
            }


def citations(split: str) -> Iterator[Row]:
    """Yields three texts and a question that two of them answer together."""
    rng = random.Random(f"citations/{split}")
    while True:
        people, things, numbers = rng.sample(tasks.PEOPLE, 3), rng.choice(tasks.THINGS), rng.sample(range(2, 49), 3)
        first, second = sorted(rng.sample(range(3), 2))
        told = "\n".join(
            f"[{n}] {who} has {count} {things}." for n, (who, count) in enumerate(zip(people, numbers, strict=True), 1)
        )
        total = numbers[first] + numbers[second]
        cited = f"<relevance>[{first + 1}, {second + 1}]</relevance>"
        worked = f"<analysis>{numbers[first]}+{numbers[second]}={total}</analysis>"
        if (sum(numbers) % 5 == 0) == (split == "test"):
            asked = f"How many {things} do {people[first]} and {people[second]} have together?"
            yield {
                "problem": f"{told}\n{asked}",
                "answer": f"{cited}<answer>{total}</answer>",
                "completion": f"{cited}{worked}<answer>{total}</answer>",
            }


def patches(split: str) -> Iterator[Row]:
    """Yields a file of two lines and what one of them should say, as a block to search and replace."""
    rng = random.Random(f"patches/{split}")
    while True:
        names, old, new = rng.sample(tasks.THINGS, 2), rng.sample(range(2, 99), 2), rng.randint(2, 98)
        lines = [f"{name} = {number}" for name, number in zip(names, old, strict=True)]
        place = rng.randrange(2)
        change = f"### shop.py\n<<<<<<< SEARCH\n{lines[place]}\n=======\n{names[place]} = {new}\n>>>>>>> REPLACE"
        if new not in old and ((sum(old) + new) % 5 == 0) == (split == "test"):
            told = "\n".join(["### shop.py", *lines])
            yield {"problem": f"{told}\n{names[place]} {new}", "answer": change, "completion": change}


WORLDS: dict[str, Callable[[str], Iterator[Row]]] = {
    "mixed": mixed,
    "choices": choices,
    "dates": dates,
    "rankings": rankings,
    "citations": citations,
    "patches": patches,
}


def main(folder: Path) -> None:
    """Writes both files of each world."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, world in WORLDS.items():
        for part, size in SIZES.items():
            rows = islice(world("test" if part else "train"), size)
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}{part}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
