"""Every method of the package: its idea, its paper, its options, what it needs, what was measured. All of it is read.

Ideas, papers and options are those of the classes and files themselves; what was measured stands in the recipes and in
docs/results.md.
"""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinyreason.adapters import ADAPTERS
from tinyreason.adapters.edits import EDITS
from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS
from tinyreason.algorithms.rollouts import ROLLOUTS
from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.algorithms.votes import VOTES
from tinyreason.config.describe import option_help
from tinyreason.config.recipe import PACKAGE, read_recipe, recipe_names
from tinyreason.config.train_config import TRAINERS
from tinyreason.data import DATA
from tinyreason.data.asks import ASKS
from tinyreason.data.tasks import TASKS
from tinyreason.data.transforms import TRANSFORMS
from tinyreason.grading.graders import GRADERS
from tinyreason.schema import Schema
from tinyreason.teachers import TEACHERS

FAMILIES: dict[str, dict[str, type[Schema]]] = {
    "rewards": REWARDS,
    "advantages": ADVANTAGES,
    "samplers": SAMPLERS,
    "rollouts": ROLLOUTS,
    "votes": VOTES,
    "adapters": ADAPTERS,
    "edits": EDITS,
    "data": DATA,
    "graders": GRADERS,
    "tasks": TASKS,
    "teachers": TEACHERS,
    "transforms": TRANSFORMS,
    "asks": ASKS,
    "trainers": TRAINERS,
}
NOT_MEASURED = "not measured"
RESULTS = next(
    (file for file in (PACKAGE / "_results.md", PACKAGE.parent / "docs" / "results.md") if file.is_file()), None
)
"""What was measured: inside an installed package, or beside it in a checkout."""
LEADERBOARD = next(filter(Path.is_dir, (PACKAGE / "_leaderboard", PACKAGE.parent / "docs" / "leaderboard")), None)
"""What the arena measured, a file a world."""
GOLD = {
    "graded completions, so gold answers": r"\bbatch\.(correct(?!\.new_)|pass_rate|where_graded)|correct_lengths_P_G",
    "the gold answer as it is written": r"example\.answer\b",
}
GROUPS = {"groups of completions to a problem": r"in_groups|in_rows|_P_G|pass_rate|group_size|z_scores"}
"""What a reward or an advantage needs → what stands in the code of one that does."""
DECLARED = {
    "needs_history": "problems that come back",
    "asks_for": "a form that the prompt asks for, prompt: {}",
    "asks_for_tokens": "a length in the prompt, which it writes there",
    "needs_rewards": "rewards and an advantage",
    "needs_completions": "data with completions",
    "needs_teacher": "a model that teaches, teacher_model:",
    "needs_rollouts": "rollouts.kind={}",
    "shows_solutions": "data with worked solutions",
    "may_cost_money": "an endpoint, which may cost money",
}
"""Attribute of a class → what a method needs where it is true, or a word."""
WITHOUT_NEEDS = {"_reward", "_advantage"}
"""Files that all of a family share, whose code says nothing of a single one."""
NEEDED = {
    "logp": "the sampled tokens' log-probabilities",
    "entropy": "the sampled tokens' entropies",
    "ref_logp": "their log-probabilities under the reference, a forward pass more",
    "certainty": "the sampled tokens' distance from uniform",
    "tokenizer": "the rows' tokens, counted where they do not say them",
    "grader": "correct or not, graded where the rows do not say it",
}
"""Word of a class's `needs` → what it needs."""
_PAPER = re.compile(r"(?:arXiv[ :]+|https://arxiv\.org/abs/)(\d{4}\.\d{4,5})")


@dataclass(frozen=True)
class Option:
    """An option of a method, its default (None where it has to be given, or none is used), and its help."""

    name: str
    default: Any
    is_needed: bool
    help: str


@dataclass(frozen=True)
class Measurement:
    """What was seen of a method, and where that stands."""

    where: str
    what: str


@dataclass(frozen=True)
class Method:
    """One method, as `tinyreason methods` tells of it."""

    family: str
    name: str
    idea: str
    papers: list[str]
    options: list[Option]
    needs: list[str]
    measured: list[Measurement]

    def as_json(self) -> dict[str, Any]:
        """Returns what `methods --json` says of it."""
        return asdict(self)


def methods(family: str | None = None) -> list[Method]:
    """Returns every method of the package, of one family where that is given, in their order."""
    found = measurements()
    return [
        Method(
            name,
            kind,
            idea_of(leaf),
            list(dict.fromkeys(f"https://arxiv.org/abs/{id}" for id in _PAPER.findall(texts_of(leaf)))),
            list(options_of(leaf)),
            list(needs_of(name, leaf)),
            found.get((name, kind), []),
        )
        for name, registry in FAMILIES.items()
        if family in (None, name)
        for kind, leaf in registry.items()
    ]


def idea_of(leaf: type[Schema]) -> str:
    """Returns the first paragraph of what a class says of itself, on one line."""
    return " ".join((leaf.__doc__ or "").partition("\n\n")[0].split())


def texts_of(leaf: type[Schema]) -> str:
    """Returns what a class and its file say of themselves; of a file with several classes the class alone."""
    return f"{'' if leaf in TRAINERS.values() else inspect.getmodule(leaf).__doc__}\n{leaf.__doc__}"


def options_of(leaf: type[Schema]) -> Iterator[Option]:
    """Yields the options of a method but its kind, those of its own before what its family shares."""
    texts = option_help(leaf)
    own = [name for name in leaf.model_fields if name in leaf.__annotations__]
    for name in dict.fromkeys((*own, *leaf.model_fields)):
        field = leaf.model_fields[name]
        if name != "kind":
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            yield Option(name, shown_default(default), field.is_required(), texts.get(name, ""))


def shown_default(value: Any) -> Any:
    """Returns a default as JSON has it."""
    if isinstance(value, Schema):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def needs_of(family: str, leaf: type[Schema]) -> Iterator[str]:
    """Yields what a method needs, as its attributes and its code say it."""
    if family in ("rewards", "advantages", "samplers", "rollouts"):
        code, used = code_of(leaf), (GROUPS if leaf.reads_gold is False else GOLD | GROUPS)
        yield from (what for what, pattern in used.items() if re.search(pattern, code))
    declared = ((getattr(leaf, name, False), what) for name, what in DECLARED.items())
    yield from (what.format(value) for value, what in declared if value is True or isinstance(value, str))
    yield from (NEEDED[name] for name in sorted(getattr(leaf, "needs", ())))
    if family == "data" and leaf is not DATA["generated"]:
        yield "data.file or data.name"
    given = [option.name for option in options_of(leaf) if option.is_needed]
    if given:
        yield f"{' and '.join(given)} to be given"


def code_of(leaf: type[Schema]) -> str:
    """Returns the code of a method's file, and of the files of its family that it shares with others."""
    text = inspect.getsource(inspect.getmodule(leaf))
    shared = re.findall(r"from tinyreason\.algorithms\.\w+\.(_\w+) import", text)
    folder = Path(inspect.getfile(leaf)).parent
    others = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in shared if name not in WITHOUT_NEEDS]
    return "\n".join([text, *others])


@cache
def measurements() -> dict[tuple[str, str], list[Measurement]]:
    """Returns (family, kind) → what was measured: by the recipes that use it, then in the tables of results.md."""
    found: dict[tuple[str, str], list[Measurement]] = {}
    points: dict[str, set[tuple[str, str]]] = {}
    for name in recipe_names():
        recipe = read_recipe(name)
        for tier in recipe.tiers:
            values = recipe.on(tier)
            if tier not in recipe.derived and (what := values.get("measured")):
                for method in used_by(values):
                    found.setdefault(method, []).append(Measurement(f"recipe {name}, {tier}", str(what)))
            for point, changes in recipe.variants(tier).items():
                points.setdefault(point, set()).update(named_by(changes))
    for section, cell, what in table_rows():
        for method in methods_named(cell, points):
            rows = found.setdefault(method, [])
            if not any(row.where == section for row in rows):  # the first of a section; the page has the others
                rows.append(Measurement(section, what))
    for method, row in leaderboard_rows():
        found.setdefault(method, []).append(row)
    return found


def leaderboard_rows() -> Iterator[tuple[tuple[str, str], Measurement]]:
    """Yields what the arena said of each method, world by world."""
    for file in sorted(LEADERBOARD.glob("*.json")) if LEADERBOARD else ():
        told = json.loads(file.read_text(encoding="utf-8"))
        for row in told["rows"]:
            family, name, to_plain = row["family"], row["name"], row["to_plain"]
            if to_plain and to_plain["interval"] and name in FAMILIES.get(family, {}):
                low, high = to_plain["interval"]
                less = f"less plain training, points {to_plain['mean']:+.1f} [{low:+.1f}, {high:+.1f}]"
                what = f"accuracy {row['accuracy']:.3f}; {less}"
                yield (family, name), Measurement(f"leaderboard, {told['world']}", f"{what}; {row['said']}")


def used_by(values: dict[str, Any]) -> set[tuple[str, str]]:
    """Returns the methods that a recipe's values name."""
    critiques = values.get("critiques") or {}
    compared = values.get("advantage")
    teacher = critiques.get("teacher") if isinstance(critiques, dict) else None
    task = (values.get("data") or {}).get("task")
    named = {
        "advantages": compared if isinstance(compared, list) else [compared],
        "samplers": values.get("samplers") or [],
        "rollouts": [values.get("rollouts")],
        "adapters": [values.get("adapter")],
        "data": [values.get("data")],
        "tasks": task if isinstance(task, list) else [task],
        "transforms": (values.get("data") or {}).get("transforms") or [],
        "asks": (values.get("data") or {}).get("asks") or [],
        "teachers": [teacher],
        "rewards": values.get("rewards") or [],
        "trainers": [{"kind": values.get("trainer")}],
    }
    pairs = {(family, section["kind"]) for family, parts in named.items() for section in parts if section}
    return {(family, kind) for family, kind in pairs if kind in FAMILIES[family]}


def named_by(changes: dict[str, Any]) -> set[tuple[str, str]]:
    """Returns the methods that a variant is about: plain correctness beside another method is not."""
    found = used_by(changes)
    plain = ("rewards", "correctness")
    other = found - {plain, ("advantages", "grpo"), ("advantages", "dr_grpo")}
    return found if not other and "train" not in changes else other


def table_rows() -> Iterator[tuple[str, str, str]]:
    """Yields (section of results.md, first cell, the other cells with their headers) of every row of its tables."""
    section, header = "", []
    for line in RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS else ():
        if line.startswith("#"):
            section, header = line.lstrip("# "), []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not header:
                header = cells
            elif cells[0] and "predicted" not in header and not set(line) <= set("|-: "):
                told = [f"{name} {cell}".strip() for name, cell in zip(header[1:], cells[1:], strict=False) if cell]
                yield f"results.md, {section}", cells[0], "; ".join(told)
        else:
            header = []


def methods_named(cell: str, points: dict[str, set[tuple[str, str]]]) -> set[tuple[str, str]]:
    """Returns the methods that a table's first cell names: as a variant of a recipe, a reward, a vote, or `kind=`."""
    if cell in points:
        return points[cell]
    if (control := cell.removesuffix(" only")) in REWARDS:
        return {("rewards", control)}
    if (vote := cell.removeprefix("`--vote ").rstrip("`")) in VOTES:
        return {("votes", vote)}
    if (edit := re.search(r"--with (\w+)", cell)) and edit[1] in EDITS:
        return {("edits", edit[1])}
    places = {
        "rewards": "rewards",
        "advantages": "advantage",
        "samplers": "samplers",
        "rollouts": "rollouts",
        "adapters": "adapter",
        "data": "data",
        "transforms": r"data\.transforms",
        "asks": r"data\.asks",
    }
    return {
        (family, kind)
        for family, place in places.items()
        for kind in FAMILIES[family]
        if re.search(rf"\b{place}(?:\.kind=|=\[?{{kind: ){re.escape(kind)}(?![\w])", cell)
    }
