"""The whole story of a run: measure the base, train an adapter, measure again, say whether it got better."""

import hashlib
import json
import os
from pathlib import Path

from tinyreason.artifacts import RunFolder, command
from tinyreason.build import build_critiques
from tinyreason.clock import Clock
from tinyreason.config import RunConfig
from tinyreason.data.critiques import Critiques
from tinyreason.errors import ConfigError, DataError, ResumeError
from tinyreason.evaluate import Examiner, Score, compare, token_change
from tinyreason.example import Example
from tinyreason.grading import Judge
from tinyreason.hardware import Means
from tinyreason.learner import Learner
from tinyreason.model import base_sha256, load_model, peak_memory_gb, skeleton
from tinyreason.report import leave_report
from tinyreason.resume import open_or_continue
from tinyreason.rewards import ask_for_tokens
from tinyreason.screen import Screen
from tinyreason.stop import Stop
from tinyreason.trackers import check_trackers
from tinyreason.training import Training, train
from tinyreason.warmup import warm_up


def run(
    config: RunConfig,
    out: Path,
    means: Means,
    why_tier: str,
    screen: Screen,
    stop: Stop | None = None,
    fresh: bool = False,
) -> dict:
    """Runs a recipe into the folder `out`, or goes on with it there; returns what its result.json holds."""
    check_processes()
    clock, stop = Clock(), stop or Stop()
    with open_or_continue(out, config, means, why_tier, fresh) as folder, Judge() as judge:
        if folder.result:
            screen.say(f"this run is finished, and this is its result; --fresh starts over in {out}")
            return folder.result
        check_trackers(config.trl.get("report_to"))
        config.adapter.check(skeleton(config.model))
        examples, questions, checks = read_problems(config, folder, judge, screen)
        model, tokenizer = load_model(config.model, means)
        examiner = Examiner(config, tokenizer, judge, screen, stop)
        used = {"base_sha256": base_sha256(model), "data_sha256": data_sha256(examples, questions, checks)}
        if not config.warmup:
            before = measure_start(examiner, model, questions, used, folder, clock)
        model = config.adapter.attach(model, config.seed)
        learner = Learner(config, means, model, tokenizer, folder)
        if config.warmup:
            with clock.part("warmup"):
                warm_up(learner, screen)
            before = measure_start(examiner, model, questions, used, folder, clock)
        with clock.part("train"):
            training = train(learner, examples, checks, examiner, clock)
        with clock.part("evaluate"):
            after = examiner.examine(model, questions, "measuring the adapter")
        return close_run(learner, before, after, training, clock)


def check_processes() -> None:
    """Groups, histories and advantages are of the whole batch; a process among several would see a slice of it."""
    count = os.environ.get("WORLD_SIZE", "1")  # what torchrun and accelerate set
    if count != "1":
        raise ConfigError(f"a run is one process here, not one of {count}; start it without torchrun or accelerate.")


def read_problems(
    config: RunConfig, folder: RunFolder, judge: Judge, screen: Screen
) -> tuple[list[Example], list[Example], list[Example]]:
    """What is trained on, asked before and after, and asked on the way: all of it checked."""
    examples = config.data.load()
    if config.trainer == "grpo":
        check_gold_answers(examples, judge)
    questions, checks = (gradable(found, judge, screen) for found in held_out(config, examples))
    check_history(config, examples)
    examples, questions, checks = (ask_for_tokens(config.rewards, found) for found in (examples, questions, checks))
    if config.critiques is not None:
        examples = built_critiques(config, folder, screen)
    if config.trainer == "sft":
        check_completions(examples)
    return examples, questions, checks


def measure_start(
    examiner: Examiner, model, questions: list[Example], used: dict[str, str], folder: RunFolder, clock: Clock
) -> Score:
    """The evaluation before the first step, once a run. Errors: `ResumeError` on another base or other data."""
    file = folder.checkpoints / "start.json"
    if file.exists():
        known = json.loads(file.read_text(encoding="utf-8"))
        for name, what in (("base_sha256", "another base model"), ("data_sha256", "other data")):
            if known[name] != used[name]:
                raise ResumeError(
                    f"the run in {folder.path} was begun with {what} ({known[name][:12]}… there, {used[name][:12]}… "
                    f"here); give it the same, choose another --out, or start over with --fresh."
                )
        clock.take_up(known["seconds"])
        examiner.screen.say("the start was measured before")
        return Score.read(questions, known["before"])
    with clock.part("evaluate"):
        what = "measuring the start" if examiner.config.warmup else "measuring the base"
        before = examiner.examine(model, questions, what)
    folder.write_json("checkpoints/start.json", used | {"seconds": clock.seconds(), "before": before.replies()})
    return before


def data_sha256(*parts: list[Example]) -> str:
    """Of every problem that is trained on or asked, in order."""
    rows = [[vars(example) for example in part] for part in parts]
    return hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()


def held_out(config: RunConfig, examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """Problems that are not trained on: those of the evaluation, and those that choose the checkpoint."""
    trained_on = {example.id for example in examples}
    questions = test_problems(config, examples)
    if config.validation is None:
        return questions, []
    return questions, config.data.held_out(config.validation.problems, "validation", without=trained_on)


def built_critiques(config: RunConfig, folder: RunFolder, screen: Screen) -> list[Example]:
    """Critiques of attempts at the run's problems, built into its folder."""
    file = folder.path / "critiques.jsonl"
    order = config.critique_order()
    summary = build_critiques(order, file, screen)
    left_out = ", ".join(f"{count} {why}" for why, count in summary.dropped.items()) or "none"
    screen.say(f"built   {summary.kept} critiques by {order.teacher.kind}; dropped {left_out}")
    return Critiques(file=file).load()


def test_problems(config: RunConfig, examples: list[Example]) -> list[Example]:
    """The evaluation's problems: a test set of its own, less what is trained on, or held out from the training data."""
    own, count = config.evaluation.data, config.evaluation.problems
    if own is None or own.family:
        return (own or config.data).held_out(count, "test", without={example.id for example in examples})
    trained_on = {example.problem for example in examples}
    return [example for example in own.load() if example.problem not in trained_on][:count]


def check_gold_answers(examples: list[Example], judge: Judge) -> None:
    """Every gold answer must parse and score itself right: a reward that cannot judge teaches nothing."""
    for example, is_good in zip(examples, judge.check_gold([example.answer for example in examples]), strict=True):
        if not is_good:
            raise DataError(
                f"the gold answer of problem {example.id} cannot be graded: {example.answer[-80:]!r}; choose another "
                f"problem or correct it."
            )


def check_history(config: RunConfig, examples: list[Example]) -> None:
    """A reward that compares a problem with its visits in earlier steps needs problems that come back."""
    names = [reward.kind for reward in config.rewards if reward.needs_history]
    if not names:
        return
    a_step = config.train.rollouts_per_step // config.train.group_size
    visits = config.train.max_steps * a_step
    if visits <= max(len(examples), a_step):
        fewer = f"type data.size={visits // 4} or " if visits >= max(4, 2 * a_step) else ""
        raise ConfigError(
            f"{names[0]} compares a problem with its visits in earlier steps, and {visits:,} visits to "
            f"{len(examples):,} problems never come back to one; {fewer}raise train.max_steps."
        )


def check_completions(examples: list[Example]) -> None:
    """Every row must have something to imitate."""
    without = [example.id for example in examples if not example.completion]
    if without:
        raise DataError(
            f"problem {without[0]} has no completion to train on ({len(without)} of {len(examples)} have none); "
            f"use data.kind=solutions or critiques, or let critiques: build some."
        )


def gradable(examples: list[Example], judge: Judge, screen: Screen) -> list[Example]:
    """Of held-out problems, those that can be judged; the others are named, not counted as wrong."""
    fine = judge.check_gold([example.answer for example in examples])
    odd = [example.id for example, is_fine in zip(examples, fine, strict=True) if not is_fine]
    if odd:
        screen.say(f"left out of the held-out problems, their gold answers cannot be graded: {', '.join(odd)}")
    if examples and len(odd) == len(examples):
        raise DataError("no held-out problem has a gold answer that can be graded; set evaluation.data.")
    return [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]


def close_run(learner: Learner, before: Score, after: Score, training: Training, clock: Clock) -> dict:
    """Writes evaluation.json and result.json: the paired comparison, the verdict, and the expectation met or not."""
    config, folder = learner.config, learner.folder
    folder.write_json("evaluation.json", {"before": before.replies(), "after": after.replies()})
    seconds = clock.seconds()
    result = {
        "recipe": config.recipe,
        "tier": config.tier,
        "model": config.model.name,
        "adapter": {
            "kind": config.adapter.kind,
            "trainable_parameters": sum(p.numel() for p in learner.model.parameters() if p.requires_grad),
        },
        "before": before.summary(),
        "after": after.summary(),
        **compare(before, after),
        "tokens": token_change(before, after),
        "expected": config.expected and config.expected.model_dump(exclude_none=True),
        "training": {
            "problems": config.data.describe(),
            "steps": training.step,
            "kept_step": training.kept_step,
            "validation_accuracy": training.kept_accuracy if config.validation else None,
            **training.summary(),
        },
        "seconds": seconds,
        "peak_memory_gb": peak_memory_gb(),
        "command": command(),
        "seed": config.seed,
    }
    result["meets_expectation"] = meets(result)
    folder.write_json("result.json", result)
    leave_report(folder.path, training.examiner.screen.say)
    return result


def meets(result: dict) -> bool | None:
    """Whether the run reached what its tier promises; None where the tier promises nothing."""
    expected = result["expected"]
    if expected is None:
        return None
    return (
        result["after"]["accuracy"] >= expected["accuracy"]
        and -result["tokens"]["change"] >= expected.get("tokens_cut", float("-inf"))
        and result["gain"]["interval"][0] >= expected.get("gain_points", float("-inf"))
        and result["seconds"]["total"] <= 60 * expected.get("minutes", float("inf"))
    )
