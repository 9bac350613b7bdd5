"""Has an exported folder remember how its run asked, and what it learned from: prompt, limits, template, data."""

import json
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.exporting.private import without_paths
from tinyreason.inference.model_reference import REMEMBERED


def remember(run: RunConfig | None, folder: Path) -> None:
    """Writes what `eval` and `chat` read beside a model, or nothing of an adapter without a run; no absolute path."""
    if run is not None:
        values = {"config": without_paths(run.model_dump(mode="json"))}
        (folder / REMEMBERED).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
