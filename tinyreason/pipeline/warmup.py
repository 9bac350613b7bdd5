"""What an adapter learns before GRPO: supervised fine-tuning, kept in the run folder, held as the KL reference."""

from dataclasses import replace
from pathlib import Path

from tinyreason import processes
from tinyreason.pipeline.stages import stage_folder, train_stage
from tinyreason.pipeline.transformed import transformed_in
from tinyreason.runs.clock import Clock
from tinyreason.trainers.session import TrainingSession


def warm_up(session: TrainingSession) -> None:
    """Trains the session's adapter, or restores the one that is there already, and resumes from it.

    Errors: `ModelError` where `warmup.adapter` does not fit, `DataError` where the rows cannot be trained on, `Stopped`
    with all saved.
    """
    config, model = session.config, session.model
    kept = Path(config.warmup.adapter) if config.warmup.adapter else session.folder.path / "warmup" / "adapter"
    if not (kept / "adapter_config.json").is_file():
        own = replace(session, config=config.warmup_config, folder=stage_folder(kept.parent))
        rows = processes.by_main(lambda: transformed_in(own, config.warmup.data.load()))
        train_stage(own, rows, "warm-up", Clock())
    config.adapter.start_from(model, kept)
    session.context.console.say(
        f"start   after the warm-up on {config.warmup.data.describe()}; the baseline is measured there ({kept})"
    )
