"""The controls of a run: the same budget with a reward for form alone, and with one that is random.

Format alone lifts Qwen2.5-Math-1.5B on MATH500 from 36.0 to 65.0 (arXiv 2504.20571), and a random reward lifts some
bases too (arXiv 2506.10947): a gain counts only beyond these two.

A control must see no correct answer by any path. Checkpoint selection on a validation set sees them, so a control has
no validation and keeps its last step; what the selection is worth to the run is said beside it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tinyreason.algorithms.rewards.format import Format
from tinyreason.algorithms.rewards.random_reward import RandomReward
from tinyreason.atomic import write_text
from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.data.files import read_lines
from tinyreason.errors import ConfigError
from tinyreason.evaluation.score import Score
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.evaluation.seeds import read_score, result_over_seeds
from tinyreason.reporting.report import leave_report
from tinyreason.runs.result import (
    CONTROLS,
    RESULT,
    ControlRow,
    ControlsResult,
    GainOverControl,
    SelectedStep,
    read_controls,
    read_result,
)


def check_has_controls(config: RunConfig) -> None:
    """Refuses a run without a reward, or whose reward is a control's already. Errors: `ConfigError`."""
    if not config.train.needs_rewards:
        raise ConfigError(f"--controls changes the reward, and {config.recipe} (trainer {config.trainer}) has none.")
    if reward_name(config) in control_configs(config):
        raise ConfigError(
            f"--controls trains with the reward {reward_name(config)}, and that is this run's own; leave it out."
        )


def control_configs(config: RunConfig) -> dict[str, RunConfig]:
    """Returns the run with each control's reward, and without checkpoint selection, which sees correct answers."""
    rewards = {"format": Format(), "random": RandomReward(seed=config.seed)}
    without = {"validation": None, "expected": None}
    return {name: config.model_copy(update={"rewards": (it,), **without}) for name, it in rewards.items()}


def reward_name(config: RunConfig) -> str:
    """Returns what the run's row is called: `correctness + format`."""
    return " + ".join(reward.kind for reward in config.rewards)


def run_controls(
    config: RunConfig, out: Path, console: Console, run: Callable[[RunConfig, Path], Any]
) -> ControlsResult:
    """Trains what is not trained yet in `out/controls/`; returns what controls.json holds.

    Gains are over the base and, in `beyond`, of the run over each control.
    """
    folders = {reward_name(config): [out]}
    for name, control in control_configs(config).items():
        folder = out / "controls" / name
        if config.warmup and not config.warmup.adapter:
            warmup = config.warmup.model_copy(update={"adapter": str(out / "warmup" / "adapter")})
            control = control.model_copy(update={"warmup": warmup})
        console.say(f"\ncontrol   the same with the reward {name}")
        if not (folder / RESULT).is_file():
            run(control, folder)
        folders[name] = [folder]
    return write_controls(folders, out, console)


def controls_over_seeds(seeds: Sequence[Path], out: Path, console: Console) -> ControlsResult:
    """Writes `out/controls.json` over the runs of several seeds, each of which has its controls."""
    names = [row.reward for row in read_controls(seeds[0]).runs]
    folders = {names[0]: list(seeds)} | {name: [seed / "controls" / name for seed in seeds] for name in names[1:]}
    return write_controls(folders, out, console)


def write_controls(folders: dict[str, list[Path]], out: Path, console: Console) -> ControlsResult:
    """Writes `out/controls.json`: reward, the run's own first → its runs, one a seed."""
    after = {name: [read_score(folder, "after") for folder in runs] for name, runs in folders.items()}
    trained, *controls = after
    result = ControlsResult(
        runs=[control_row(name, runs, out) for name, runs in folders.items()],
        beyond=[beyond_control(name, after[name], after[trained]) for name in controls],
        chosen=selected_step(folders[trained][0]) if len(folders[trained]) == 1 else None,
    )
    write_text(out / CONTROLS, json.dumps(result.as_json(), indent=1) + "\n")
    leave_report(out, console.say)
    return result


def selected_step(out: Path) -> SelectedStep | None:
    """Returns the step that the validation set selected, its accuracy and the last one's; None without validation."""
    training = read_result(out).training
    if training.validation_accuracy is None:
        return None
    *_, last = read_lines(out / "metrics.jsonl")
    return SelectedStep(
        step=training.kept_step,
        steps=training.steps,
        accuracy=training.validation_accuracy,
        last_accuracy=last["validation/accuracy"],
    )


def control_row(reward: str, runs: Sequence[Path], out: Path) -> ControlRow:
    """Returns one row of the table, from the results of the reward's own runs."""
    result = result_over_seeds(runs)
    return ControlRow(
        reward=reward,
        folder=str(runs[0].relative_to(out)),
        accuracy=result.after.accuracy,
        interval=result.after.interval,
        gain=result.gain,
        verdict=result.verdict,
    )


def beyond_control(control: str, theirs: Sequence[Score], trained: Sequence[Score]) -> GainOverControl:
    """Returns the gain of the run over its control, paired by problem and seed, and the verdict by both graders."""
    found = believed_comparison(theirs, trained)
    return GainOverControl(control=control, gain=found["gain"], verdict=found["verdict"])
