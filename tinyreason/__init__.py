"""One command from a recipe's name to a trained adapter whose gain is proven.

The same from Python:

    import tinyreason

    config = tinyreason.load_recipe("one_shot_rlvr", overrides=["train.max_steps=20"])
    result = tinyreason.run(config, "runs/mine")
    print(result.verdict, result.gain.points, result.gain.interval)

    found = tinyreason.evaluate("runs/mine", "gsm8k", samples=4)
    print(found.benches["gsm8k"].model.accuracy)

    [row] = tinyreason.compare("runs/mine", "runs/other")
    print(row.verdict, row.gain.points)

    exported = tinyreason.export("runs/mine", "gguf", "exports/mine")
    print(exported.passes, exported.place)

    [verdict] = tinyreason.grade([r"so it is \\boxed{4}"], ["4"])
    print(verdict.correct)

Each of them says on the screen what it does, as the command line does, and raises a `tinyreason.errors.TinyReasonError`
of one sentence where the input cannot be used. What is heavy is imported when a function is called.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyreason.config.run_config import RunConfig
    from tinyreason.evaluation.benchmark_run import BenchmarkResult
    from tinyreason.evaluation.compare import ComparisonRow
    from tinyreason.exporting.request import Exported, Kind
    from tinyreason.grading.grader import Verdict
    from tinyreason.runs.context import StepCallback
    from tinyreason.runs.result import RunResult, SeedsResult

__all__ = ["compare", "evaluate", "export", "grade", "load_recipe", "read_result", "run"]

if sys.platform != "win32" and "PYTORCH_ALLOC_CONF" not in os.environ:  # the name from torch 2.9 on
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # else torch keeps holes on the card


def load_recipe(
    name: str | Path,
    tier: str | None = None,
    overrides: Sequence[str] | str = (),
    seed: int | None = None,
    allow_code: bool = False,
) -> "RunConfig":
    """Returns a recipe resolved to one config, validated as a whole.

    `name`: a recipe, as `tinyreason recipes` lists them, or the path of a .yaml file. `tier`: sandbox, cpu, 8gb, t4,
    24gb or 80gb; None = the one for this machine, which is said with the reason. `overrides`: a list of words such as
    `"train.max_steps=20"`, or one such word. `allow_code`: lets the files of code run that the recipe's file names;
    those that `overrides` name may run anyway.
    Errors: `ConfigError` for an unknown recipe, tier or option, and for a value that is not allowed.
    """
    from tinyreason.config.recipe import read_recipe
    from tinyreason.console import Console
    from tinyreason.models.hardware import find_card, tier_for

    recipe = read_recipe(str(name))
    words = (overrides,) if isinstance(overrides, str) else tuple(overrides)
    if tier is None:
        tier, reason = tier_for(recipe, None, words, find_card())
        Console().say(f"tier    {tier} ({reason})")
    config = recipe.resolve(tier, words, seed)
    if allow_code:
        from tinyreason.config import own_code

        own_code.allow_code(config)
    return config


def run(
    config: "RunConfig | str | Path",
    out: str | Path | None = None,
    fresh: bool = False,
    accept_changes: bool = False,
    seeds: Sequence[int] | int | None = None,
    callbacks: "Sequence[StepCallback] | StepCallback" = (),
) -> "RunResult | SeedsResult":
    """Trains by a config and measures the gain; returns what result.json holds.

    Accuracies are fractions 0 to 1, gains and their 95 % intervals percentage points, times seconds. `config`: of
    `load_recipe`, or a recipe's name. `out`: folder of the run, new or to be resumed; None = a new one under runs/.
    `fresh`: start over in `out`. `accept_changes`: resume with other libraries or code too, which makes the result not
    bit-exact. `seeds`: so many, or a list of them, instead of the config's one; each has a run, and what seeds.json
    holds is returned: the gain over all of them, and each one's in `.runs`. A run computes on one card: the largest
    that may be used, or the one that torch computes on already. `callbacks`: one or several functions of (step,
    metrics), called after each step with what metrics.jsonl holds of it; where one returns True the run ends after the
    next step, all of it saved.
    Errors: `ConfigError`, `DataError`, `ModelError` before anything long begins; `FolderError` and `ResumeError` where
    the folder cannot be used; `Stopped` after Ctrl-C or a callback's wish, with all steps saved: the same call resumes.
    """
    from tinyreason.cli.train_output import announce, conclude, conclude_seeds
    from tinyreason.config.tiers import TIERS
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.hardware import check_tier, take_card
    from tinyreason.models.load import compute_settings_for
    from tinyreason.pipeline.finished import finished_result
    from tinyreason.runs.context import RunContext
    from tinyreason.runs.deadline import Deadline
    from tinyreason.runs.folder import default_folder

    configs, console = _configs(config, seeds), Console()
    if out and not fresh and (found := finished_result(configs, Path(out), console, seeds is not None)):
        (conclude if seeds is None else conclude_seeds)(console, found, Path(out))
        return found
    first, card, folder = configs[0], take_card(), Path(out) if out else default_folder(configs)
    check_tier(first.tier, card)
    _check_ready(configs, folder)
    quiet_libraries(offline=first.is_offline)
    compute = compute_settings_for(first.model, first.kernels, card if TIERS[first.tier].needs_gpu else None)

    from tinyreason.pipeline.run import run as run_recipe
    from tinyreason.pipeline.seeds import run_seeds

    with Deadline(say=console.say) as deadline:
        told = (callbacks,) if callable(callbacks) else tuple(callbacks)
        context = RunContext(console, compute, "asked for", deadline, accept_changes, told)
        announce(context, first, folder)
        result = (
            run_recipe(first, folder, context, fresh) if seeds is None else run_seeds(configs, folder, context, fresh)
        )
    (conclude if seeds is None else conclude_seeds)(console, result, folder)
    return result


def _check_ready(configs: list["RunConfig"], folder: Path) -> None:
    """Refuses runs for which something is not there, or whose code nobody has allowed. Errors: `TinyReasonError`."""
    from tinyreason.config.preconditions import check_preconditions
    from tinyreason.pipeline.finished import run_folders
    from tinyreason.runs.own_code import settle_code

    check_preconditions(configs[0])
    settle_code(run_folders(folder, [one.seed for one in configs]), configs, allow=False)


def _configs(config: "RunConfig | str | Path", seeds: Sequence[int] | int | None) -> list["RunConfig"]:
    """Returns the config, or that of a recipe's name, with each of the seeds. Errors: `ConfigError`."""
    from tinyreason.config.run_config import RunConfig
    from tinyreason.errors import ConfigError

    if isinstance(config, str | Path):
        config = load_recipe(config)
    if not isinstance(config, RunConfig):
        raise ConfigError(f"{config!r:.80} is not a config; give what load_recipe returns, or the name of a recipe.")
    if seeds is None:
        return [config]
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not numbers or len({*numbers}) < len(numbers) or not all(type(seed) is int and seed >= 0 for seed in numbers):
        raise ConfigError(f"seeds={seeds!r:.80} are not different whole numbers from 0 on; give e.g. seeds=[0, 1, 2].")
    return [config.model_copy(update={"seed": seed}) for seed in numbers]


def evaluate(
    model: str | Path,
    bench: str | None = None,
    data: str | Path | None = None,
    *,
    against: str | Path | None = None,
    base: str | Path | None = None,
    problems: int | None = None,
    samples: int = 8,
    seed: int = 0,
    out: str | Path | None = None,
    chat_template: str | Path | None = None,
    votes: Sequence[str] = (),
    **sampling: Any,
) -> "BenchmarkResult":
    """Evaluates a model on benchmarks; returns what eval.json holds.

    Accuracies are fractions 0 to 1 with 95 % intervals clustered by problem; `.benches[name].model` has those of the
    model, `.gain` the paired gain over `against` in percentage points. `model`, `against`: the folder of a run or an
    adapter, a model folder, a hub id or `sandbox`; `against="base"` is the one trained on, and
    `base` where that is by now. `bench`: names, with commas between; `data`: a local copy of it, or any file of
    problems with answers. `problems`: only so many of each bench. `chat_template`: file of a
    chat template (Jinja) in place of the tokenizer's. `votes`: of `majority`, `self_certainty`, `complexity`; what the
    samples of a problem reach by them is in `.benches[name].votes`. `sampling`: temperature, top_p,
    max_completion_tokens, batch_size, prompt, template, template_options; else as the run evaluated.
    The same call resumes in the same folder. Errors: `ConfigError`, `DataError`, `ModelError`, `FolderError`.
    """
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.evaluation.benchmark_request import evaluate_sides, load_benches, needs_no_network, read_sides
    from tinyreason.evaluation.benchmark_run import settle

    sides = read_sides(*(word and str(word) for word in (model, against, base, chat_template)))
    files = (Path(data),) if data else ()
    quiet_libraries(offline=needs_no_network(sides.values(), bench, files))
    settled = settle(sides["model"], {"samples": samples, "seed": seed} | sampling)
    benches = load_benches(bench, files, problems)
    return evaluate_sides(sides, benches, settled, out and Path(out), Console(), votes=tuple(votes))[0]


def export(
    model: str | Path,
    kind: "Kind",
    to: str | Path | None = None,
    *,
    file_type: str = "f16",
    dtype: str | None = None,
    adapter_only: bool = False,
    problems: int = 64,
    base: str | Path | None = None,
    check: bool = False,
) -> "Exported":
    """Writes a run or an adapter in another form and holds that against the live adapter; returns what agrees.

    `.place` is the folder or file, `.findings` what was compared, `.passes` whether all of it agrees. `model`: the
    folder of a run or of an adapter. `kind`: merged, gguf, modelfile or vllm. `to`: folder to write into; None = under
    exports/. `file_type`: f16 or q8_0, of a GGUF file. `dtype`: of a merged folder; None = the base's own.
    `adapter_only`: with gguf, the adapter alone. `problems`: so many of the run's own evaluation are asked again.
    `base`: where the base is by now. `check`: writes nothing, and compares what is there.
    Errors: `ConfigError`, `FolderError`, `ModelError`, the last with the family for what that cannot have.
    """
    from tinyreason.cli.export import export_and_say

    words = str(model), kind, to and Path(to), file_type, dtype, adapter_only, problems, base and str(base), check
    return export_and_say(*words)


def compare(first: str | Path, *others: str | Path) -> list["ComparisonRow"]:
    """Compares folders of runs or evaluations with the first, paired on the problems they share.

    Returns a row for each other folder and bench: `.gain` of the other over the first in percentage points with its
    95 % interval, `.verdict`, `.accuracy` (0 to 1) of [first, other], and what was not asked alike.
    Errors: `ConfigError` for one folder alone; `FolderError` for one that is not finished, or shares no problem.
    """
    from tinyreason.cli.evaluation_output import show_comparison
    from tinyreason.console import Console
    from tinyreason.evaluation.compare import compare_folders

    rows = compare_folders([Path(folder) for folder in (first, *others)])
    show_comparison(Console(), rows)
    return rows


def read_result(folder: str | Path) -> "RunResult | SeedsResult":
    """Returns the result of a finished run, or over the runs of several seeds; a notebook shows it as a table.

    Errors: `FolderError` where the folder holds none, or it is damaged.
    """
    from tinyreason.errors import FolderError
    from tinyreason.runs import result

    path = Path(folder)
    if not (path / result.RESULT).is_file() and not (path / result.SEEDS).is_file():
        raise FolderError(f"{path} has no {result.RESULT}: give the folder of a run that is finished.")
    return result.read_seeds_result(path) or result.read_result(path)


def grade(completions: Sequence[str], answers: Sequence[str]) -> list["Verdict"]:
    """Grades N completions against their N gold answers; returns N verdicts, in order.

    Both are lists. `.correct` is None where the gold answer cannot be parsed. A comparison that takes over 2 s ends,
    and its completion counts as incorrect. Errors: `DataError` where one is not a list of texts, or the two differ in
    length.
    """
    from tinyreason.errors import DataError
    from tinyreason.grading.grader import Grader

    texts = {"completions": completions, "answers": answers}
    for name, given in texts.items():
        if isinstance(given, str) or not all(isinstance(text, str) for text in given):
            raise DataError(
                f"{name}={given!r:.80} is not a list of texts; give a list, as in grade([completion], [answer])."
            )
    if len(completions) != len(answers):
        raise DataError(f"{len(completions)} completions and {len(answers)} answers are given; give one for each.")
    with Grader() as grader:
        return grader.grade(list(completions), list(answers))
