"""The model's own completions to its problems, graded, each written down as it comes: what self-training trains on."""

import json
from collections import Counter
from dataclasses import replace
from statistics import fmean
from typing import Any

from tinyreason import processes
from tinyreason.data.sampled import Sampled
from tinyreason.errors import DataError
from tinyreason.evaluation.score import Completion, evaluate
from tinyreason.example import Example
from tinyreason.inference.local_sampling import load_base_or_adapter
from tinyreason.inference.sampling import BatchRoom, Sampling
from tinyreason.pipeline.asked import Row, asked_rows, whole_rows
from tinyreason.pipeline.transformed import transformed_in
from tinyreason.runs.stage_result import SAMPLED
from tinyreason.trainers.session import TrainingSession

SAMPLES, TEMPERATURE = "samples.jsonl", "temperature.json"
BATCHES_AT_ONCE = 4
"""So many batches are sampled and graded together, and written down before the next are begun."""


def sampled_examples(session: TrainingSession, problems: list[Example], earlier: list[Example]) -> list[Example]:
    """Returns the completions to train on of the session's model, as its `data` says, in the order of the problems.

    They lie in the session's folder; what is there already is not sampled again. `earlier` is what stages before kept.
    The transforms of the data are of what is kept.
    Errors: `DataError` where none is kept, `Stopped` between two batches.
    """
    data: Sampled = session.config.data
    rows = sample_rows(session, problems)
    rows += asked_rows(session, problems, rows, sampling_of(session), lambda: who_samples(session))
    found = kept_examples(data, problems, rows)
    correct = sum(row["correct"] is True for row in rows) / len(rows)
    most = f", {data.most_per_problem} of a problem at most" if data.most_per_problem else ""
    why = f"{correct:.1%} correct; kept are {'whole' if data.keep == 'all' else data.keep} ones{most}"
    change = {"by": "sampled", "before": len(rows), "after": len(found), "why": why}
    session.folder.write_json(SAMPLED, {"rows_changed": [change]})
    more = f", and {len(earlier):,} of earlier stages" if data.with_earlier and earlier else ""
    session.context.console.say(
        f"sampled {len(rows):,} completions to {len(problems):,} problems, {correct:.1%} correct; {len(found):,} to "
        f"{len({example.meta['problem_id'] for example in found}):,} problems are kept{more}"
    )
    if data.with_earlier:
        new = {(example.identity, example.completion) for example in found}
        found = [example for example in earlier if (example.identity, example.completion) not in new] + found
    if not found:
        raise DataError(
            f"none of {len(rows):,} sampled completions is {data.keep} and whole, so there is nothing to train on; "
            f"raise data.samples, take easier problems, or have a warm-up before."
        )
    return processes.by_main(lambda: transformed_in(session, found))


def sample_rows(session: TrainingSession, problems: list[Example]) -> list[Row]:
    """Returns every sampled completion, problem by problem; those not yet in the folder are sampled now."""
    config, folder, context = session.config, session.folder, session.context
    sampling, room = sampling_of(session), BatchRoom()
    at_once = max(1, BATCHES_AT_ONCE * sampling.batch_size // sampling.samples)
    rows = whole_rows(folder, SAMPLES, at_once * sampling.samples, len(problems) * sampling.samples)
    done = len(rows) // sampling.samples
    if done == len(problems):
        return rows
    model, tokenizer = who_samples(session)
    if config.data.temperatures:
        sampling = replace(sampling, temperature=best_temperature(session, model, tokenizer, problems, sampling))
    context.deadline.restart_timing()
    with context.console.live("sampling", total=len(problems) * sampling.samples, done=len(rows)) as live:
        for at in range(done, len(problems), at_once):
            part = problems[at : at + at_once]
            score = evaluate(model, tokenizer, part, sampling, session.grader, live.advance, room)
            found = [
                {"id": example.id, "sample": sample, **{name: getattr(one, name) for name in COLUMNS}}
                for example, completions in zip(part, score.completions_P_S, strict=True)
                for sample, one in enumerate(completions)
            ]
            folder.append(SAMPLES, found)
            rows += found
            context.deadline.check()
    return rows


def who_samples(session: TrainingSession) -> tuple[Any, Any]:
    """Returns (model, tokenizer) of who samples: the model that is trained, or that of `data.model`."""
    name = session.config.data.model
    return load_base_or_adapter(name) if name else (session.model, session.tokenizer)


COLUMNS = ("text", "tokens", "truncated", "correct")


def best_temperature(session: TrainingSession, model, tokenizer, problems: list[Example], sampling: Sampling) -> float:
    """Returns the temperature whose completions to the first problems are best balanced; found once, and kept.

    Of equal ones the lowest.
    """
    data, folder, tried = session.config.data, session.folder, problems[: session.config.data.tried]
    if (file := folder.path / TEMPERATURE).exists():
        return json.loads(file.read_text(encoding="utf-8"))["temperature"]
    found, total = {}, len(data.temperatures) * len(tried) * sampling.samples
    with session.context.console.live("trying temperatures", total=total, done=0) as live:
        for temperature in sorted(data.temperatures):
            at = replace(sampling, temperature=temperature)
            score = evaluate(model, tokenizer, tried, at, session.grader, live.advance)
            found[temperature] = fmean(
                balance(*kept_of(data, row), wanted=data.wanted) for row in score.completions_P_S
            )
            session.context.deadline.check()
    best = max(found, key=found.get)
    folder.write_json(TEMPERATURE, {"temperature": best, "balance": {str(at): value for at, value in found.items()}})
    said = ", ".join(f"{value:.2f} at {at:g}" for at, value in found.items())
    session.context.console.say(f"sampled at a temperature of {best:g}: balance {said}")
    return best


def kept_of(data: Sampled, completions: list[Completion]) -> tuple[int, int]:
    """Returns (how many different completions of a problem are kept and correct, how many are kept)."""
    whole = {one.text: one.correct is True for one in completions if not one.truncated}
    kept = [correct for correct in whole.values() if data.keep == "all" or correct == (data.keep == "correct")]
    return sum(kept), len(kept)


def balance(correct: int, kept: int, wanted: int = 8) -> float:
    """Returns B-STaR's balance of a problem: c/k, and c²/(wanted·k) where fewer than `wanted` are correct."""
    return correct / kept * min(1.0, correct / wanted) if kept else 0.0


def sampling_of(session: TrainingSession) -> Sampling:
    """Returns how a run or stage samples what it trains on."""
    config = session.config
    return Sampling(
        samples=config.data.samples,
        temperature=config.data.temperature,
        max_completion_tokens=config.train.max_completion_tokens,
        batch_size=config.evaluation.batch_size,
        prompt=config.prompt,
        template_options=config.template_options,
        seed=config.seed,
        engine=config.inference.engine,
        server=session.context.server,
    )


def kept_examples(data: Sampled, problems: list[Example], rows: list[Row]) -> list[Example]:
    """Returns those rows that are kept, each as its problem with the completion to imitate."""
    by_id, counts = {example.id: example for example in problems}, Counter()
    found = []
    for row in without_repetitions(rows):
        fits = data.keep == "all" or (row["correct"] is True) == (data.keep == "correct")
        if row["truncated"] or not fits or counts[row["id"]] == data.most_per_problem:
            continue
        counts[row["id"]] += 1
        meta = {name: row[name] for name in ("correct", "tokens", "sample", "variant") if name in row} | {
            "problem_id": row["id"]
        }
        example = by_id[row["id"]]
        named = {"id": f"{row['id']}#{row['sample']}", "meta": example.meta | meta}
        found.append(replace(example, completion=row["text"], **named))
    return found


def without_repetitions(rows: list[Row]) -> list[Row]:
    """Returns the rows less those whose text is that of an earlier sample of the same problem."""
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((row["id"], row["text"]), row)
    return list(first.values())
