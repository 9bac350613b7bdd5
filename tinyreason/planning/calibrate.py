"""`plan --calibrate`: the two figures of a card that no datasheet has, fitted to steps that it took.

They are how much of its arithmetic a pass reaches, and how long launching a kernel takes. `make gpu` leaves such steps
in gpu.json. What is found is kept in the user's cache, and plans for a card of that name use it.
"""

import json
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tinyreason.atomic import write_text
from tinyreason.config.recipe import read_recipe
from tinyreason.data.files import read_json
from tinyreason.errors import DataError
from tinyreason.models.hardware import Card
from tinyreason.planning.gpus import Datasheet, cards_file, datasheet_of, read_calibrations
from tinyreason.planning.memory import Job
from tinyreason.planning.model_shape import Shape
from tinyreason.planning.plan import Machine, make_plan
from tinyreason.planning.step_time import speed_of, step_seconds
from tinyreason.runs.result import Stored

REACHED = [0.02 * 1.1**n for n in range(42)]
LAUNCH_US = [1.5 * 1.1**n for n in range(45)]
"""What is tried: 2 to 100 % of the arithmetic, 1.5 to 100 microseconds."""


class TimedStep(Stored):
    """A step that a card took, as gpu.json holds it."""

    recipe: str
    tier: str
    overrides: list[str]
    shape: dict[str, Any]
    """Of the model: the fields of `Shape`."""
    prompt_tokens: int
    card: dict[str, Any]
    """`name`, `memory_gb` and `capability` of the card."""
    measured_seconds_a_step: float


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and by what factor the plan was off at the worst, before and after."""

    sheet: Datasheet
    steps: int
    worst_before: float
    worst_after: float


def calibrate(file: Path) -> Calibration:
    """Fits a card's two figures to the steps in a gpu.json, and keeps them. Errors: `DataError` where it has none."""
    steps = read_steps(file)
    card = card_of(steps[0])
    sheet = datasheet_of(card)
    if sheet is None:
        raise DataError(f"{file}: {card.name} is not among the cards known here, so its datasheet must be added first.")
    jobs = [(job_of(step, card, sheet), step.measured_seconds_a_step) for step in steps]
    tried = (replace(sheet, reached=reached, launch_us=us) for reached in REACHED for us in LAUNCH_US)
    found = min(tried, key=lambda one: sum(error**2 for error in log_errors(jobs, one)))
    kept = {"reached": found.reached, "launch_us": found.launch_us}
    cards_file().parent.mkdir(parents=True, exist_ok=True)
    write_text(cards_file(), json.dumps(read_calibrations() | {sheet.name: kept}, indent=1) + "\n")
    return Calibration(found, len(jobs), worst_factor(jobs, sheet), worst_factor(jobs, found))


def read_steps(file: Path) -> list[TimedStep]:
    """Returns the timed steps among the stages of a gpu.json. Errors: `DataError`."""
    stages = read_json(file)
    found = []
    for stage in stages.values() if isinstance(stages, dict) else ():
        try:
            found.append(TimedStep.model_validate(stage["result"]))
        except (ValidationError, KeyError, TypeError):
            continue
    if not found:
        raise DataError(f"{file} holds no step that a card took; make gpu writes such a file on a machine with one.")
    return found


def card_of(step: TimedStep) -> Card:
    """Returns the card that took a step."""
    major, minor = step.card["capability"]
    return Card(step.card["name"], step.card["memory_gb"], (major, minor))


def job_of(step: TimedStep, card: Card, sheet: Datasheet) -> Job:
    """Returns what a step computed, as the planner sees it."""
    config = read_recipe(step.recipe).resolve(step.tier, step.overrides)
    machine = Machine(card, sheet, 2**30 * card.memory_gb)
    return make_plan(config, machine, step.prompt_tokens, Shape(**step.shape)).job


def log_errors(jobs: list[tuple[Job, float]], sheet: Datasheet) -> list[float]:
    """Returns the logarithm of predicted over measured seconds, a number a step."""
    return [log(step_seconds(job, speed_of(job, sheet)) / seconds) for job, seconds in jobs]


def worst_factor(jobs: list[tuple[Job, float]], sheet: Datasheet) -> float:
    """Returns the largest factor by which a prediction is off, at least 1."""
    return exp(max(abs(error) for error in log_errors(jobs, sheet)))
