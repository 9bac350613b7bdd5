"""What a stage before has sampled, carried on as training data: nothing is sampled twice."""

import json
from pathlib import Path

from tinyreason.data.files import Row
from tinyreason.data.rollout_rows import ROLLOUTS, read_rollouts
from tinyreason.data.rollouts import Rollouts
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.pipeline.sampled import SAMPLES
from tinyreason.pipeline.transformed import transformed_in
from tinyreason.trainers.session import TrainingSession


def carried_examples(session: TrainingSession, problems: list[Example], root: Path) -> list[Example]:
    """Returns the rollouts, or samples, of the last stage before a session's that has any, after its transforms.

    `root` is the run's folder. Errors: `DataError` where there is no such stage, or nothing of it can be trained on.
    """
    data: Rollouts = session.config.data
    place = sampled_before(root, session.folder.path)
    if place is None:
        raise DataError("data.run=previous: no stage before this one has sampled completions.")
    rows = read_rollouts(place)[0] if (place / ROLLOUTS).is_file() else rows_of_samples(place, problems)
    found = data.of_rows(rows)
    correct = sum(one.meta["correct"] for one in found) / len(found)
    session.context.console.say(
        f"carried {len(found):,} of {len(rows):,} completions that stage {place.name} sampled, {correct:.1%} correct"
    )
    return transformed_in(session, found)


def sampled_before(root: Path, own: Path) -> Path | None:
    """Returns the folder of the last stage that sampled, before the one whose folder is `own`; None without one."""
    places = {int(place.name.partition("-")[0]): place for place in root.glob("stages/[0-9]*-*")}
    last = len(places) + 1 if own == root else int(own.name.partition("-")[0])
    before = [places[number] for number in sorted(places) if number < last]
    return next((one for one in reversed(before) if any((one / name).is_file() for name in (ROLLOUTS, SAMPLES))), None)


def rows_of_samples(place: Path, problems: list[Example]) -> list[Row]:
    """Returns what a stage of self-training sampled as rollouts are written. Errors: `DataError`."""
    by_id = {example.id: example for example in problems}
    with (place / SAMPLES).open(encoding="utf-8") as file:
        samples = [json.loads(line) for line in file]
    if unknown := next((one["id"] for one in samples if one["id"] not in by_id), None):
        raise DataError(
            f"stage {place.name} sampled completions to problem {unknown}, which data.name or data.file of "
            f"data.run=previous does not hold; give it the data of that stage."
        )
    return [
        {name: sample[name] for name in ("sample", "tokens", "truncated", "correct")}
        | {"problem_id": one.id, "prompt": list(one.messages), "completion": sample["text"], "answer": one.answer}
        | ({"grader": json.loads(one.rule)} if one.rule else {})
        for sample in samples
        for one in (by_id[sample["id"]],)
    ]
