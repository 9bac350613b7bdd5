"""The benchmarks that `tinyreason eval --bench` knows: one row each."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tinyreason.data import world_of
from tinyreason.data.columns import to_examples
from tinyreason.data.files import READERS, Row, read_rows
from tinyreason.data.problems import Problems
from tinyreason.data.solutions import Solutions
from tinyreason.errors import ConfigError, DataError, nearest
from tinyreason.evaluation.mathcheck import checklist
from tinyreason.evaluation.missing_premise import premise_pairs
from tinyreason.example import Example, different

GROUPS = ("level", "subject")
ENDLESS_PROBLEMS = 256
"""Problems of a bench that never ends, as generated ones, where nobody says how many."""


@dataclass(frozen=True)
class Bench:
    """Where a benchmark's problems come from, and what of its rows is read."""

    about: str
    name: str
    """The hub data set."""
    subset: str | None = None
    split: str = "test"
    problem: tuple[str, ...] = ("problem", "question")
    """Columns that may hold the problem, the first that is there."""
    answer: tuple[str, ...] = ("answer",)
    """Columns that may hold the gold answer."""
    groups: dict[str, str] = field(default_factory=dict)
    """`level` or `subject` → the column that has it, where the set has one."""
    ungradable: dict[str, str] = field(default_factory=dict)
    """Gold answer that does not equal itself to the grader → the reason; such a problem is left out and named."""

    make: Callable[[], Iterator[Example]] | None = None
    """Makes endless problems of its own; else they are read."""
    parse: Callable[[list[Row], str], list[Example]] | None = None
    """Reads the rows of a file that a person has to give, where they are in a form of their own."""

    @property
    def is_offline(self) -> bool:
        """Whether its problems are read without a network."""
        return self.make is not None or self.source().is_offline

    @property
    def is_endless(self) -> bool:
        """Whether its problems are those of an endless source, which is also trained on."""
        return self.make is None and self.source().is_endless

    def source(self, file: Path | None = None) -> Problems:
        """Returns where its problems are read from: a local copy, the hub or generated ones."""
        return Problems(file=file) if file else Problems(name=self.name, subset=self.subset, split=self.split)

    def load(self, file: Path | None = None, limit: int | None = None) -> list[Example]:
        """Reads its problems, of the hub or of a local copy, the first `limit`; `meta` has their level and subject."""
        if self.make:
            if file:
                raise DataError(f"this benchmark makes its own problems, and {file} is given; leave --data out.")
            return list(islice(self.make(), limit or ENDLESS_PROBLEMS))
        if self.parse:
            if not file:
                raise DataError(
                    f"this benchmark is read from a file of {self.name}; get it there, and give --data FILE."
                )
            return self.parse(read_rows(file), file.name)[:limit]
        source = self.source(file)
        if source.is_endless:
            made = list(islice(source.examples(), limit or ENDLESS_PROBLEMS))
            return [replace(example, meta={"level": f"{example.meta['steps']} steps"}) for example in made]
        rows = source.rows()
        columns = [self._column(rows, role, names, source.origin) for role, names in self._wanted()]
        examples = with_groups(to_examples(rows, source.origin, *columns), rows, self.groups)
        return examples[:limit]

    def _wanted(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("problem", self.problem), ("answer", self.answer)

    def _column(self, rows: list[Row], role: str, names: tuple[str, ...], origin: str) -> str:
        for name in names:
            if all(row.get(name) is not None for row in rows):
                return name
        present = ", ".join(dict.fromkeys(name for row in rows for name in row))
        raise DataError(
            f"{origin} is not this benchmark: every row needs its {role} in a column {' or '.join(names)}, and it has "
            f"{present}; give the benchmark's own file, or leave --bench out to read any file."
        )


BENCHES = {
    "gsm8k": Bench(
        "1,319 grade-school word problems, arXiv 2110.14168",
        "openai/gsm8k",
        "main",
        problem=("question",),
    ),
    "math500": Bench(
        "500 competition problems of MATH, arXiv 2305.20050",
        "HuggingFaceH4/MATH-500",
        problem=("problem",),
        groups={"level": "level", "subject": "subject"},
    ),
    "aime24": Bench("the 30 problems of AIME 2024", "HuggingFaceH4/aime_2024", split="train", problem=("problem",)),
    "aime25": Bench("the 30 problems of AIME 2025", "math-ai/aime25", problem=("problem",)),
    "amc23": Bench("40 problems of AMC 12, 2023", "math-ai/amc23"),
    "minerva": Bench(
        "272 problems of MIT courses, arXiv 2206.14858",
        "math-ai/minervamath",
        answer=("answer", "solution"),
        groups={"subject": "type"},
        ungradable={
            "np.arcsin(10/13)": "Python, not mathematics",
            "E_{1},E_{2}": "Math-Verify takes E for Euler's number, which has no index",
            r"\frac{dM}{dt}=\frac{10^{5} L_{\odot}}{0.007 c^{2} M_{\odot}^{6}} M^{6}": r"Math-Verify cannot read \odot",
        },
    ),
    "olympiadbench": Bench(
        "675 olympiad problems (text, English, open answers), arXiv 2402.14008",
        "Hothan/OlympiadBench",
        "OE_TO_maths_en_COMP",
        "train",
        problem=("question",),
        answer=("final_answer",),
        groups={"subject": "subfield"},
        ungradable={
            "$t(0,4]$": "a slip in the data: an interval after its variable",
        },
    ),
    "chain": Bench("sandbox: two or three changes, the family it is trained on", "sandbox:chain"),
    "long_chain": Bench("sandbox: four or five changes", "sandbox:long_chain"),
    "compare": Bench("sandbox: two people, one has more", "sandbox:compare"),
    "missing_premise": Bench(
        "128 generated price problems, each also without a premise that its answer rests on",
        "generated",
        make=premise_pairs,
    ),
    "mathcheck": Bench(
        "MATHCHECK-GSM, four tasks in four versions of 129 problems, arXiv 2407.08733: its gsm_checklist.json",
        "github.com/PremiLab-Math/MathCheck",
        parse=checklist,
    ),
    "words": Bench("generated word problems of one to three steps", "words"),
}


def find_bench(word: str) -> Bench:
    """Returns the bench of that name. Errors: `ConfigError`."""
    if word not in BENCHES:
        raise ConfigError(
            f"there is no bench '{word}'{nearest(word, BENCHES)}, or leave --bench out and give --data FILE."
        )
    return BENCHES[word]


def bench_for(model: str) -> str:
    """Returns the name of the first bench that is made for the model, else of the first of all."""
    return next((name for name, bench in BENCHES.items() if bench.name.startswith(f"{model}:")), next(iter(BENCHES)))


def read_file(file: Path, limit: int | None = None) -> list[Example]:
    """Reads the different problems of a file that is not a known bench, with level and subject where it has them."""
    source = Problems(file=file)
    rows = source.rows()
    return different(with_groups(to_examples(rows, source.origin), rows, {name: name for name in GROUPS}))[:limit]


def read_test(word: str, file: Path | None = None) -> list[Example]:
    """Reads the problems of a bench by its name, or of a file by its path."""
    path = Path(word)
    if word not in BENCHES and (path.exists() or path.suffix):
        return read_file(path)
    return find_bench(word).load(file)


def read_training(word: str, split: str, subset: str | None) -> list[Example]:
    """Reads the problems of a file, of a generated family (as many as a run takes) or of a data set on the hub."""
    path = Path(word)
    if path.exists() or path.suffix in READERS:
        return read_any(path)
    if not world_of(word) and word.count("/") != 1:
        raise DataError(
            f"there is no file {word}; give a file, sandbox, words, either with :FAMILY, or a data set on the hub."
        )
    try:
        return Problems(name=word, split=split, subset=subset).load()
    except ValidationError as error:
        raise ConfigError(f"{error.errors()[0]['ctx']['error']}.") from None


def read_any(path: Path) -> list[Example]:
    """Reads the problems of a file, or what it holds to imitate where it has no answers. Errors: `DataError`."""
    try:
        return Problems(file=path).load()
    except DataError:
        with suppress(DataError):
            return Solutions(file=path).load()
        raise


def with_groups(examples: Iterable[Example], rows: list[Row], groups: dict[str, str]) -> list[Example]:
    """Returns the examples with their level and subject in `meta`."""

    def meta(row: Row) -> dict[str, Any]:
        return {group: str(row[column]) for group, column in groups.items() if row.get(column) is not None}

    return [replace(example, meta=example.meta | meta(row)) for example, row in zip(examples, rows, strict=True)]
