"""Rollout engines: each turns prompts, token by token, into the logits of the next one.

An engine has `prefill(prompts, rows, limit)`, `step(tokens)` and `arrange(parents)`; `roll_out` drives it and samples.
"""

from typing import Literal, NamedTuple

from tinyreason.errors import ConfigError

EngineName = Literal["auto", "hf", "fused", "trl", "vllm_server"]
RolloutDtype = Literal["auto", "bfloat16"]
FUSED_MODELS = ("llama", "qwen2", "qwen3", "mistral")
"""`model_type` of what has the shape that the engine `fused` drives."""
WHY_FUSED = {
    "cpu": "a CPU, and a model of the shape of Llama",
    "cuda": "a model of the shape of Llama, of which it says on this card what transformers says",
}
"""Kind of device → why the engine `fused` is chosen there."""


class EngineChoice(NamedTuple):
    """Which engine serves a model, and why."""

    name: str
    why: str


def choose_engine(model, asked: EngineName = "auto", rollout_dtype: RolloutDtype = "auto") -> EngineChoice:
    """Returns the engine of a loaded model.

    Errors: `ConfigError` where `fused` is asked for and cannot drive it, or where another than `fused` is to sample in
    another number format than the base's.
    """
    choice = _choose(model, asked)
    if rollout_dtype == "auto":
        return choice
    if choice.name != "fused":
        raise ConfigError(
            f"train.rollout_dtype={rollout_dtype} needs the engine fused, and this run has {choice.name} "
            f"({choice.why}); leave train.rollout_dtype away."
        )
    return EngineChoice(choice.name, f"{choice.why}; rollouts in {rollout_dtype}")


def _choose(model, asked: EngineName) -> EngineChoice:
    """Returns the engine of a model in its own number format; `vllm_server` where no server was given, so of here."""
    from tinyreason.inference.engines.fused import fused_obstacle

    if asked == "hf":
        return EngineChoice("hf", "asked for")
    if asked == "trl":
        return EngineChoice("hf", "in evaluations; training is TRL's own, as asked for")
    reason = fused_obstacle(model)
    if asked == "fused":
        if reason:
            raise ConfigError(f"inference.engine=fused cannot drive this model: {reason}; type inference.engine=hf.")
        return EngineChoice("fused", "asked for")
    kind = model.device.type
    if not reason and kind not in WHY_FUSED:
        reason = f"fused has never been tried on a device of type {kind}"
    if not reason and kind == "cuda":
        from tinyreason.inference.engines.agreement import disagreement

        reason = disagreement(model)
    return EngineChoice("hf", reason) if reason else EngineChoice("fused", WHY_FUSED[kind])


def make_engine(model, asked: EngineName, rows: int, dtype=None):
    """Returns an engine of the model as it is now, adapter included, for at most `rows` rows at once.

    `dtype` (torch.dtype) is what the fused engine computes in; None = in the base's.
    """
    if _choose(model, asked).name == "hf":
        from tinyreason.inference.engines.hf import HFEngine

        return HFEngine(model)
    from tinyreason.inference.engines.fused import FusedEngine

    return FusedEngine(model, rows, dtype)
