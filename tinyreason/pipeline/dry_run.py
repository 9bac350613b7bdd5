"""A dry run: a recipe's whole path on the sandbox model with the tier's own data, before GPU quota is spent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyreason.config.inference import SERVER
from tinyreason.config.recipe import Recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.config.stage import Stage
from tinyreason.config.train_distill import SELF, STAGE
from tinyreason.data.rollouts import Rollouts
from tinyreason.runs.result import RunResult
from tinyreason.sandbox import NAME as SANDBOX

STEPS = 2
PROBLEMS = 8
TOKENS = 64
ATTEMPTS = 16
"""Requests that go to the critiques' own teacher, so that its key and its answers are tried."""


def dry_run_config(recipe: Recipe, tier: str, overrides: tuple[str, ...]) -> RunConfig:
    """Returns the tier's config with the person's overrides, made small: sandbox model, two steps, short completions.

    Data, prompt, rewards, advantage, quantisation and kind of adapter stay as they are; of the model's own completions
    few are sampled, and each stage is taken once.
    """
    changes = dry_run_overrides(recipe.resolve(tier, overrides))
    return recipe.resolve(tier, (*overrides, *(f"{option}={value}" for option, value in changes.items())))


def dry_run_overrides(config: RunConfig) -> dict[str, Any]:
    """Returns option → its value in a dry run."""
    train, adapter = config.train, config.adapter
    found = {
        "model.name": SANDBOX,
        "model.dtype": "auto",
        "kernels.attention": "auto",
        "kernels.fused": "auto",
        "kernels.optimizer": "auto",
        "train.max_steps": STEPS,
        "train.max_completion_tokens": min(TOKENS, train.max_completion_tokens),
        "train.micro_batch_size": "null",
        "evaluation.problems": min(PROBLEMS, config.evaluation.problems),
        "evaluation.samples": 1,
        "evaluation.max_completion_tokens": min(TOKENS, train.max_completion_tokens),
        "evaluation.batch_size": PROBLEMS,
        "checkpoints.every_steps": 1,
        "checkpoints.keep": STEPS,
        "processes": 1,
        "inference.engine": "auto" if config.inference.engine == SERVER else config.inference.engine,
    }
    found |= {f"model.{name}": "null" for name in ("gguf_file", "chat_template") if getattr(config.model, name)}
    if config.teacher_model:
        name = config.teacher_model.name
        found |= {"teacher_model.name": name if name in (SELF, STAGE) else SANDBOX, "teacher_model.dtype": "auto"}
        found |= {"teacher_model.gguf_file": "null"}
    if config.warmup:
        found |= {"warmup.train.max_steps": STEPS, "warmup.adapter": "null"}
    found |= {f"train.{option}": value for option, value in train.dry_run_overrides().items()}
    found |= small_samples(config, "data")
    for number, stage in enumerate(config.stages):
        found |= {f"stages.{number}.repeat": 1} | stage_overrides(stage.over(config, 1), f"stages.{number}", stage)
    if config.validation:
        found |= {"validation.problems": min(PROBLEMS, config.validation.problems), "validation.every_steps": STEPS}
    if config.critiques is not None:
        by = [name for name in config.critiques.get("attempts_by", ()) if name in (SANDBOX, "oracle")]
        found |= {
            "critiques.samples": 1,
            "critiques.attempts": ATTEMPTS,
            "critiques.attempts_by": f"[{', '.join(by or [SANDBOX])}]",
        }
    if config.thought_budget:
        found["rollouts.budget"] = min(TOKENS // 2, config.thought_budget.budget)
    if adapter.rank > 32:
        found["adapter.rank"] = 32
    if not isinstance(adapter.targets, str):
        found["adapter.targets"] = "all-linear"
    found |= {f"adapter.{name}": "null" for name in ("start", "token") if getattr(adapter, name, None)}
    return found


def stage_overrides(config: RunConfig, path: str, stage: Stage) -> dict[str, Any]:
    """Returns option → its value in a dry run, of a stage that is this as a run of its own."""
    train = config.train
    found = {"max_steps": STEPS, "max_completion_tokens": min(TOKENS, train.max_completion_tokens)}
    found |= {"micro_batch_size": "null"} | train.dry_run_overrides()
    own_data = small_samples(config, f"{path}.data") if stage.data else {}
    return {f"{path}.train.{option}": value for option, value in found.items()} | own_data


def small_samples(config: RunConfig, path: str) -> dict[str, Any]:
    """Returns option → its value for few of the model's own completions; whatever they are, they are trained on."""
    if not config.data.is_sampled:
        return {}
    if isinstance(config.data, Rollouts):
        return {f"{path}.size": PROBLEMS, f"{path}.truncated": "true", f"{path}.transforms": "[]"}
    few = {f"{path}.size": PROBLEMS, f"{path}.samples": 2, f"{path}.keep": "all"}
    return few | ({f"{path}.model": SANDBOX} if config.data.model else {})


def seen_to_work(config: RunConfig, result: RunResult, folder: Path) -> Iterator[str]:
    """Yields what the dry run saw work, from what lies in its folder."""
    graded = ", every gold answer graded" if config.train.needs_rewards else ""
    yield f"data        read{graded}: {result.training.problems}"
    yield f"evaluation  {result.before.problems} problems asked before and after, completions graded"
    if config.train.needs_rewards:
        lines = sum(1 for _ in (folder / "rollouts.jsonl").open(encoding="utf-8"))
        names = ", ".join(reward.kind for reward in config.rewards)
        yield f"rewards     {names}: {lines} rollouts rewarded and compared by {config.compared_by}"
    yield f"training    {result.training.steps} steps of the {config.trainer} trainer, {config.adapter.kind} adapter"
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    yield f"written     {', '.join(files)}"


def reload_adapter(folder: Path) -> str:
    """Loads the saved adapter with PEFT onto a fresh base, and says what came out. Errors: `ModelError`."""
    import torch

    from tinyreason.inference.local_sampling import load_base_or_adapter

    model, tokenizer = load_base_or_adapter(str(folder))
    ids = torch.tensor([tokenizer("1+1=", add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        is_sound = bool(torch.isfinite(model(input_ids=ids).logits).all())
    return f"adapter     saved, and loaded again with PEFT: its logits are {'' if is_sound else 'NOT '}finite"


def not_seen(asked: RunConfig) -> Iterator[str]:
    """Yields what a dry run cannot know of the run that was asked for."""
    if asked.model.is_built_in:
        yield f"whether it learns in its {asked.train.max_steps:,} steps"
        return
    if asked.teacher_model:
        yield f"whether the teacher {asked.teacher_model.name} has the student's tokenizer, and fits beside it"
    yield f"whether {asked.model.name} loads, fits and learns: tinyreason plan tells what memory it takes"
    tokens = asked.train.max_completion_tokens
    yield f"whether completions of {tokens:,} tokens are long enough; here {TOKENS} were sampled"
    yield "what its own chat template makes of the prompts: the sandbox has another tokenizer"
