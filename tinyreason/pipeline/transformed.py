"""The rows that are trained on after the transforms of their data: made once, kept in the run folder."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.data.transforms import TransformContext, transformed
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.models.tokenizer import load_tokenizer
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.stage_result import TRANSFORMED, stage_places
from tinyreason.trainers.session import TrainingSession

FILE = "data.jsonl"


def transformed_rows(
    config: RunConfig, examples: list[Example], folder: RunFolder, grader: Grader, console: Console, tokenizer=None
) -> list[Example]:
    """Returns the rows after the transforms of `data`; as `data.jsonl` has them where that was made of the same rows.

    Errors: `DataError` where a row lacks what a transform needs, or nothing is left.
    """
    if not config.data.transforms:
        return examples
    made_by = config.model_dump(mode="json", include={"seed": True, "model": True, "data": {"transforms"}})
    earlier = noted_before(folder)
    inputs = digest([[vars(one) for one in examples], made_by, *([earlier] if earlier else [])])
    if (kept := kept_rows(folder, inputs)) is not None:
        console.say(f"transforms were made before: {len(kept):,} rows of {FILE}")
        return kept
    rows, at_work = apply_transforms(config, examples, grader, console.say, tokenizer, earlier)
    text = "".join(json.dumps(vars(row), default=str) + "\n" for row in rows)
    folder.write_text(FILE, text)
    facts = {"inputs_sha256": inputs, "rows": len(rows), "rows_sha256": digest(text)}
    noted = {"noted": at_work.noted} if at_work.noted else {}
    folder.write_json(TRANSFORMED, facts | {"rows_changed": at_work.changes} | noted)
    return rows


def transformed_in(session: TrainingSession, examples: list[Example]) -> list[Example]:
    """Returns the rows after the transforms of a warm-up's or stage's own data, kept in its own folder."""
    console = session.context.console
    return transformed_rows(session.config, examples, session.folder, session.grader, console, session.tokenizer)


def noted_before(folder: RunFolder) -> list[dict[str, Any]]:
    """Returns what the transforms of the stages before noted, in their order; `folder` is a stage's or the run's."""
    place = folder.path
    run = place.parent.parent if place.parent.name == "stages" else place
    found = []
    for stage in stage_places(run):
        if stage == place:
            break
        with suppress(OSError, ValueError, KeyError, TypeError):
            found.append(json.loads((stage / TRANSFORMED).read_text(encoding="utf-8"))["noted"])
    return found


def apply_transforms(
    config: RunConfig,
    examples: list[Example],
    grader: Grader,
    say: Callable[[str], None],
    tokenizer=None,
    earlier: Sequence[dict[str, Any]] = (),
) -> tuple[list[Example], TransformContext]:
    """Returns (rows after the transforms of `data`, what they were given and noted), and says what each did.

    `earlier` is what those of the stages before noted.
    Errors: `DataError`, `ModelError`.
    """
    transforms = config.data.transforms
    if tokenizer is None and any("tokenizer" in transform.needs for transform in transforms):
        tokenizer = load_tokenizer(config.model)
    at_work = TransformContext(config.seed, tokenizer, grader, earlier=list(earlier))
    return transformed(transforms, examples, at_work, say), at_work


def kept_rows(folder: RunFolder, inputs: str) -> list[Example] | None:
    """Returns the rows that the folder holds, if they are whole and of these inputs."""
    try:
        facts = json.loads((folder.path / TRANSFORMED).read_text(encoding="utf-8"))
        text = (folder.path / FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    if (facts.get("inputs_sha256"), facts.get("rows_sha256")) != (inputs, digest(text)):
        return None
    return [as_example(json.loads(line)) for line in text.splitlines()]


def as_example(row: dict[str, Any]) -> Example:
    """Returns the example that a row of the file holds."""
    tuples = {name: tuple(row[name]) for name in ("messages", "tools")}
    return Example(**row | tuples | {"spans": tuple(map(tuple, row["spans"]))})


def digest(value: Any) -> str:
    """Returns the SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()
