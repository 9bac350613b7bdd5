"""What an adapter learns before GRPO: supervised fine-tuning, kept in the run folder, held as the KL reference."""

import shutil
from dataclasses import replace
from pathlib import Path

from tinyreason import trainers
from tinyreason.exporting.card import save_adapter
from tinyreason.pipeline.transformed import transformed_rows
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.session import TrainingSession


def warm_up(session: TrainingSession) -> None:
    """Trains the session's adapter, or restores the one that is there already, and resumes from it.

    Errors: `ModelError` where `warmup.adapter` does not fit, `DataError` where the rows cannot be trained on.
    """
    config, model = session.config, session.model
    kept = Path(config.warmup.adapter) if config.warmup.adapter else session.folder.path / "warmup" / "adapter"
    if not (kept / "adapter_config.json").is_file():
        shutil.rmtree(kept.parent, ignore_errors=True)
        fine_tune(replace(session, config=config.warmup_config, folder=RunFolder(kept.parent)))
        half = kept.with_name(".adapter.part")
        save_adapter(config.warmup_config, model, half)
        half.rename(kept)  # what is there is whole
    config.adapter.start_from(model, kept)
    session.context.console.say(
        f"start   after the warm-up on {config.warmup.data.describe()}; the baseline is measured there ({kept})"
    )


def fine_tune(session: TrainingSession) -> None:
    """Takes the steps of the warm-up."""
    with session.context.console.live("warm-up step", total=session.config.train.max_steps) as live:

        def watch(step: int, metrics: dict[str, float]) -> dict[str, float]:
            live.advance(1, f"loss {metrics['loss']:.3f}")
            return {}

        rows, console = session.config.data.load(), session.context.console
        rows = transformed_rows(session.config, rows, session.folder, session.grader, console, session.tokenizer)
        trainers.train(session, rows, watch)
