"""The controls of a run: the same budget with a reward for form alone, and with one that is a coin toss.

Format alone lifts Qwen2.5-Math-1.5B on MATH500 from 36.0 to 65.0 (arXiv 2504.20571), and a random reward lifts some
bases too (arXiv 2506.10947): a gain counts only beyond these two.

A control must learn of no right answer by any path. Where validation chooses the run's checkpoint it chooses by right
answers, so a control has no validation and keeps its last step; what the choice is worth to the run is said beside it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from tinyreason.algorithms.rewards.format import Format
from tinyreason.algorithms.rewards.random_reward import RandomReward
from tinyreason.atomic import write_text
from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.data.files import read_json, read_lines
from tinyreason.errors import ConfigError
from tinyreason.evaluation.compare import HELD_OUT, Measured, read_run_side
from tinyreason.intervals import paired_gain
from tinyreason.reporting.report import leave_report

FILE = "controls.json"


def check_has_controls(config: RunConfig) -> None:
    """Only a reward can be taken away, and only one that is not a control's already."""
    if not config.train.needs_rewards:
        raise ConfigError(f"--controls changes the reward, and {config.recipe} (trainer {config.trainer}) has none.")
    if reward_name(config) in control_configs(config):
        raise ConfigError(
            f"--controls trains with the reward {reward_name(config)}, and that is this run's own; leave it out."
        )


def control_configs(config: RunConfig) -> dict[str, RunConfig]:
    """The run with another reward, and nobody to choose its checkpoint by right answers."""
    rewards = {"format": Format(), "random": RandomReward(seed=config.seed)}
    without = {"validation": None, "expected": None}
    return {name: config.model_copy(update={"rewards": (it,), **without}) for name, it in rewards.items()}


def reward_name(config: RunConfig) -> str:
    """What the run's row is called: `correctness + format`."""
    return " + ".join(reward.kind for reward in config.rewards)


def run_controls(
    config: RunConfig, out: Path, console: Console, run: Callable[[RunConfig, Path], Any]
) -> dict[str, Any]:
    """Trains what is not trained yet in `out/controls/`; returns what controls.json holds.

    `{"runs": [{"reward", "folder", "accuracy", "interval", "gain", "verdict"}], "beyond": [{"control", "gain",
    "verdict"}], "chosen": {"step", "steps", "accuracy", "last_accuracy"} | null}`: gains over the base, of the run over
    each control, and how the run's checkpoint was chosen.
    """
    folders = {reward_name(config): out}
    for name, control in control_configs(config).items():
        folder = out / "controls" / name
        if config.warmup and not config.warmup.adapter:
            start = config.warmup.model_copy(update={"adapter": str(out / "warmup" / "adapter")})
            control = control.model_copy(update={"warmup": start})
        console.say(f"\ncontrol   the same with the reward {name}")
        if not (folder / "result.json").is_file():
            run(control, folder)
        folders[name] = folder
    after = {name: read_run_side(folder, "after") for name, folder in folders.items()}
    trained = next(iter(after.values()))
    result = {
        "runs": [beside(name, folder, out) for name, folder in folders.items()],
        "beyond": [
            {"control": name} | paired(control, trained) for name, control in after.items() if control is not trained
        ],
        "chosen": chosen_step(out),
    }
    write_text(out / FILE, json.dumps(result, indent=1) + "\n")
    leave_report(out, console.say)
    return result


def chosen_step(out: Path) -> dict[str, Any] | None:
    """The step that the run's held-out problems chose, and how they fared there and at the last; None without them."""
    training = read_json(out / "result.json")["training"]
    if training["validation_accuracy"] is None:
        return None
    *_, last = read_lines(out / "metrics.jsonl")
    return {
        "step": training["kept_step"],
        "steps": training["steps"],
        "accuracy": training["validation_accuracy"],
        "last_accuracy": last["validation/accuracy"],
    }


def beside(reward: str, folder: Path, out: Path) -> dict[str, Any]:
    """One row of the table, from the run's own result."""
    result = read_json(folder / "result.json")
    return {
        "reward": reward,
        "folder": str(folder.relative_to(out)),
        "accuracy": result["after"]["accuracy"],
        "interval": result["after"]["interval"],
        "gain": result["gain"],
        "verdict": result["verdict"],
    }


def paired(control: Measured, trained: Measured) -> dict[str, Any]:
    """How far the run is ahead of its control, problem by problem."""
    shares = [shares_of(side) for side in (control, trained)]
    return paired_gain(*([side[problem] for problem in shares[0]] for side in shares))


def shares_of(side: Measured) -> dict[str, float]:
    """Problem → share of right replies."""
    return {problem: mean(r.correct is True for r in replies) for problem, replies in side.benches[HELD_OUT].items()}
