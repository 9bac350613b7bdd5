"""What an adapter learns before GRPO: supervised fine-tuning, kept in the run folder, held as the KL reference."""

import shutil
from pathlib import Path

from tinyreason.artifacts import RunFolder
from tinyreason.config import RunConfig
from tinyreason.errors import ModelError
from tinyreason.hardware import Means
from tinyreason.screen import Screen


def warm_up(config: RunConfig, means: Means, model, tokenizer, folder: RunFolder, screen: Screen) -> None:
    """Trains the attached adapter of `model`, or takes up the one that is there already, and goes on from it.

    Errors: `ModelError` where `warmup.adapter` is no adapter, `DataError` where the rows cannot be trained on.
    """
    kept = Path(config.warmup.adapter) if config.warmup.adapter else folder.path / "warmup" / "adapter"
    if config.warmup.adapter and not (kept / "adapter_config.json").is_file():
        raise ModelError(f"warmup.adapter={kept} is no adapter folder: it has no adapter_config.json.")
    if not (kept / "adapter_config.json").is_file():
        shutil.rmtree(kept.parent, ignore_errors=True)
        fine_tune(config, means, model, tokenizer, RunFolder(kept.parent), screen)
        half = kept.with_name(".adapter.part")
        config.adapter.save(model, half)
        half.rename(kept)  # what is there is whole
    config.adapter.go_on(model, kept)
    screen.say(f"start   after the warm-up on {config.warmup.data.describe()}; `before` is measured there ({kept})")


def fine_tune(config: RunConfig, means: Means, model, tokenizer, folder: RunFolder, screen: Screen) -> None:
    """The steps of the warm-up."""
    from tinyreason.trainers import sft

    own = config.warmup_config
    with screen.live("warm-up step", total=own.train.max_steps) as live:

        def watch(step: int, metrics: dict[str, float]) -> dict[str, float]:
            live.advance(1, f"loss {metrics['loss']:.3f}")
            return {}

        sft.train(own, means, model, tokenizer, own.data.load(), folder, watch, screen.say)
