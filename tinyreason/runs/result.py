"""What a run found, as its JSON files hold it: one schema for those who write them and those who read them back."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from tinyreason.data.files import read_json
from tinyreason.errors import FolderError
from tinyreason.example import Example
from tinyreason.runs.result_html import result_html
from tinyreason.runs.stage_result import RowsChange, StageResult
from tinyreason.runs.stored import Interval, Kind, Number, Side, Stored

RESULT, EVALUATION, CONTROLS, SEEDS = "result.json", "evaluation.json", "controls.json", "seeds.json"

GRADERS_DISAGREE = "graders disagree"
"""The verdict where a second grader, which training never sees, finds another gain."""
MUCH_POINTS = 10.0
"""Another way of asking that is better by so much may explain a gain."""


class Gain(Stored):
    """A paired difference of accuracies, in percentage points."""

    points: Number
    interval: Interval
    p_value: Number | None = None

    @property
    def in_words(self) -> str:
        """`+40.0 [+35.0, +45.0]`."""
        low, high = self.interval
        return f"{self.points:+.1f} [{low:+.1f}, {high:+.1f}]"


class SecondOpinion(Stored):
    """What a stricter grader, which training never sees, makes of the same completions; pairs are [before, after]."""

    accuracy: list[Number]
    """0–1."""
    gain: Gain
    verdict: str
    signs: list[dict[str, Number]]
    """Sign of reward hacking → share of the correct completions that show it, 0–1; empty where none is correct."""


class OtherWay(Stored):
    """The baseline asked with another template or prompt: accuracy 0–1, and the gain over the way it was asked."""

    template: str
    prompt: str
    accuracy: Number
    correct: str
    """For each problem, in the evaluation's order, 1 where it was correct, else 0."""
    gain: Gain
    verdict: str


class TemplateCheck(Stored):
    """The baseline asked in every way, once to each of the first problems: accuracy 0–1 as asked, and the others."""

    problems: int
    asked: Number
    others: list[OtherWay]
    warning: str | None = None

    @property
    def better_way(self) -> OtherWay | None:
        """Returns the best of the other ways if it is better by 10 points and more than chance."""
        best = max(self.others, key=lambda way: way.accuracy, default=None)
        is_better = best and best.verdict == "improved" and best.gain.points >= MUCH_POINTS
        return best if is_better else None

    @property
    def excludes_much(self) -> bool:
        """Returns whether the sample is large enough to say that no other way is better by 10 points."""
        return all(way.gain.interval[1] < MUCH_POINTS for way in self.others)


class TokenChange(Stored):
    """By what share the mean tokens per completion changed, -0.4 for 40 % fewer."""

    change: Number
    interval: Interval


class AdapterSummary(Stored):
    """What was trained."""

    kind: str | None = None
    trainable_parameters: int | None = None


class TrainingSummary(Stored):
    """On what and how long it was trained, which step was kept, and how the last steps went."""

    problems: str | None = None
    rows_changed: list[RowsChange] = []
    """What sampling and transforms made of its rows, in their order."""
    steps: int | None = None
    kept_step: int | None = None
    validation_accuracy: float | None = None
    """Of the kept step; None without a validation set."""
    validation_problems: int | None = None
    last_reward: float | None = None
    last_loss: float | None = None
    scoring_share_of_step_time: float | None = None
    share_zero_variance_groups: float | None = None
    skipped_steps: int | None = None
    """Whose gradient float16 could not hold; None in other number formats."""
    largest_weight_change: float | None = None
    """Of a trained number, from before the first step to the kept one."""


class RunResult(Stored):
    """What result.json holds. A reader needs the comparison; an older file may lack the rest."""

    recipe: str | None = None
    tier: str | None = None
    model: str | None = None
    adapter: AdapterSummary = AdapterSummary()
    base: Side | None = None
    """The bare base, where the run started from an adapter, which `before` is of."""
    before: Side
    after: Side
    gain: Gain
    verdict: str
    """Improved, worse, cannot tell or graders disagree."""
    verdict_reason: str | None = None
    """Why nothing can be told, where it is not the interval that includes 0."""
    second_opinion: SecondOpinion | None = None
    """None in older files."""
    template_check: TemplateCheck | None = None
    """None where it was turned off."""
    asked_problems: int | None = None
    """How many problems the evaluation was to have; `before` and `after` say how many it had."""
    available_problems: int | None = None
    """How many its source holds for it, counted up to four times what was asked for."""
    tokens: TokenChange | None = None
    expected: dict[str, Number] | None = None
    stages: list[StageResult] = []
    """The warm-up and the stages before the run's own training, where it has any."""
    training: TrainingSummary = TrainingSummary()
    seconds: dict[str, Number] = {}
    """`total`, and of each part of the run."""
    peak_memory_gb: Number | None = None
    command: str | None = None
    seed: int | None = None
    meets_expectation: bool | None = None
    """None where the tier expects nothing."""
    bit_exact: bool | None = None
    """False where the run was resumed otherwise than it was begun: it may not be what it would have been."""
    changes: list[str] = []
    """What was other then."""

    @property
    def is_short_of_problems(self) -> bool:
        """Whether the evaluation had fewer problems than it was to have."""
        return self.after.problems < (self.asked_problems or 0)

    @property
    def sides(self) -> dict[str, Side]:
        """What was measured, by the words a reader is told them in; the gain is of the last over the one before."""
        if self.base is None:
            return {"before": self.before, "after": self.after}
        return {"base": self.base, "start": self.before, "end": self.after}

    def _repr_html_(self) -> str:
        """Returns what a notebook shows of it."""
        return result_html(self)


class SeedRow(Stored):
    """One of several runs that differ in their seed; accuracies are 0–1."""

    seed: int
    folder: str
    """Relative to the folder of all."""
    before: Number
    after: Number
    gain: Gain
    verdict: str


class SeedsResult(RunResult):
    """What seeds.json holds: a result over all seeds that are done, whose intervals have problems and seeds in them."""

    asked: list[int]
    """The seeds that were asked for."""
    runs: list[SeedRow]
    """Those that are done."""

    @property
    def is_whole(self) -> bool:
        """Whether every seed is done."""
        return {row.seed for row in self.runs} >= {*self.asked}


class StoredCompletion(Stored):
    """One graded completion."""

    text: str
    tokens: int | None = None
    truncated: bool = False
    correct: bool | None = None
    """None where it could not be graded."""


class StoredProblem(Stored):
    """One problem with its completions."""

    id: str
    problem: str = ""
    answer: str = ""
    accuracy: Number | None = None
    """Share of correct completions, 0–1."""
    completions: list[StoredCompletion] = Field(alias="replies")
    grader: dict[str, Any] | None = None
    """Of a problem with another grader than `math`: its `kind` and options."""

    @property
    def example(self) -> Example:
        """Returns the problem as it was asked, but for the turns before its last."""
        options = dict(self.grader or {"kind": "math"})
        kind, meta = options.pop("kind"), {"grader": options} if options else {}
        return Example(self.id, ({"role": "user", "content": self.problem},), self.answer, meta=meta, grader=kind)


class StoredEvaluation(Stored):
    """What evaluation.json holds: the same problems on both sides."""

    before: list[StoredProblem]
    after: list[StoredProblem]
    base: list[StoredProblem] | None = None
    """Of the bare base, where the run started from an adapter."""


class ControlRow(Stored):
    """A reward, and what the same budget with it reached."""

    reward: str
    folder: str = ""
    accuracy: Number
    interval: Interval
    gain: Gain
    verdict: str = ""


class GainOverControl(Stored):
    """What the run gains over one of its controls."""

    control: str
    gain: Gain
    verdict: str


class SelectedStep(Stored):
    """The checkpoint that the validation set selected, and its accuracy there and at the last step."""

    step: int
    steps: int
    accuracy: Number
    last_accuracy: Number


class ControlsResult(Stored):
    """What controls.json holds: the run's own row first, then one for each control."""

    runs: list[ControlRow]
    beyond: list[GainOverControl]
    chosen: SelectedStep | None


def read_result(folder: Path) -> RunResult:
    """Reads the result of a finished run. Errors: `FolderError` where the file is damaged."""
    return _read(folder / RESULT, RunResult)


def read_evaluation(folder: Path) -> StoredEvaluation:
    """Reads the completions of a finished run. Errors: `FolderError` where the file is missing or damaged."""
    return _read(folder / EVALUATION, StoredEvaluation)


def read_controls(folder: Path) -> ControlsResult:
    """Reads the controls of a finished run. Errors: `FolderError` where the file is damaged."""
    return _read(folder / CONTROLS, ControlsResult)


def read_seeds_result(folder: Path) -> SeedsResult | None:
    """Reads the result over several seeds; None where the folder is not of several. Errors: `FolderError`."""
    return _read(folder / SEEDS, SeedsResult) if (folder / SEEDS).is_file() else None


def _read(file: Path, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(read_json(file))
    except ValidationError:
        raise FolderError(f"{file} is not whole; run it again with --fresh.") from None
