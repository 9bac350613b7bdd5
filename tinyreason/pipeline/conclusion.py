"""What a run found, written down: completions, the paired gain, whether it was the expected one, and the report."""

from typing import Any

from tinyreason.evaluation.score import Score, side_summary, token_change
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.evaluation.template_check import unless_form_alone
from tinyreason.exporting.card import write_run_card
from tinyreason.models.load import peak_memory_gb
from tinyreason.pipeline.problems import RunProblems
from tinyreason.pipeline.train import Training
from tinyreason.reporting.report import leave_report
from tinyreason.runs.changes import changes_of
from tinyreason.runs.clock import Clock
from tinyreason.runs.environment import command
from tinyreason.runs.result import (
    EVALUATION,
    GRADERS_DISAGREE,
    RESULT,
    AdapterSummary,
    RunResult,
    TemplateCheck,
    TrainingSummary,
)
from tinyreason.runs.stage_result import finished_stages, rows_changed
from tinyreason.trainers.session import TrainingSession


def close_run(
    session: TrainingSession,
    before: Score,
    after: Score,
    training: Training,
    clock: Clock,
    problems: RunProblems,
    base: Score | None = None,
    template_check: TemplateCheck | None = None,
) -> RunResult:
    """Writes evaluation.json and result.json: the paired comparison, the verdict, and the expectation met or not.

    `base` is the score of the bare base where the run started from an adapter; the verdict is against that start.
    """
    config, folder = session.config, session.folder
    sides = {"before": before, "after": after} | ({"base": base} if base else {})
    folder.write_json(EVALUATION, {name: score.as_json() for name, score in sides.items()})
    seconds = clock.seconds()
    result = RunResult(
        recipe=config.recipe,
        tier=config.tier,
        model=config.model.name,
        adapter=AdapterSummary(
            kind=config.adapter.kind,
            trainable_parameters=sum(p.numel() for p in session.model.parameters() if p.requires_grad),
        ),
        **{name: side_summary([score]) for name, score in sides.items()},
        **conclusion(before, after, training.taught_nothing(), template_check),
        template_check=template_check,
        asked_problems=config.evaluation.problems,
        available_problems=problems.available,
        tokens=token_change([before], [after]),
        expected=config.expected and config.expected.model_dump(exclude_none=True),
        **({"stages": stages} if (stages := finished_stages(folder.path)) else {}),
        training=TrainingSummary(
            problems=config.data.describe() + (f" but {problems.held_back:,} held back" if problems.held_back else ""),
            **({"rows_changed": changed} if (changed := rows_changed(folder.path)) else {}),
            steps=training.step,
            kept_step=training.kept_step,
            validation_accuracy=training.kept_accuracy if config.validation else None,
            **({"validation_problems": len(problems.validation)} if config.validation else {}),
            **training.summary(),
        ),
        seconds=seconds,
        peak_memory_gb=peak_memory_gb(),
        command=command(),
        seed=config.seed,
        **({"bit_exact": False, "changes": changes} if (changes := changes_of(folder.path)) else {}),
    )
    result = result.model_copy(update={"meets_expectation": meets_expectation(result)})
    folder.write_json(RESULT, result.as_json())
    with folder.writing("the adapter's card"):
        write_run_card(folder.path)
    leave_report(folder.path, session.context.console.say)
    return result


def conclusion(
    before: Score, after: Score, reason: str | None, template_check: TemplateCheck | None = None
) -> dict[str, Any]:
    """Returns the paired gain and its verdict.

    Nothing can be told with a reason why training cannot have caused it, or where it may be form alone.
    """
    found = unless_form_alone(believed_comparison([before], [after]), template_check, after)
    return found | ({"verdict": "cannot tell", "verdict_reason": reason} if reason else {})


def meets_expectation(result: RunResult) -> bool | None:
    """Returns whether the run reached what its tier promises; None where the tier promises nothing.

    A run that taught nothing reaches nothing.
    """
    expected = result.expected
    if expected is None:
        return None
    return (
        result.verdict != GRADERS_DISAGREE
        and result.verdict_reason is None
        and result.after.accuracy >= expected["accuracy"]
        and -result.tokens.change >= expected.get("tokens_cut", float("-inf"))
        and result.gain.interval[0] >= expected.get("gain_points", float("-inf"))
        and result.seconds["total"] <= 60 * expected.get("minutes", float("inf"))
    )
