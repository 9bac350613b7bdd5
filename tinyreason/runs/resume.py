"""Resuming a run that was interrupted: what must be the same for that, and what starting over removes."""

import shutil
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import FolderError, ResumeError
from tinyreason.runs.changes import differences
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder, open_run, read_config

NOT_COMPUTED_WITH = ("about", "paper", "expected", "measured")
"""What of a config changes no number of a run."""
FILES = (
    *("result.json", "checkpoints", "metrics.jsonl", "rollouts.jsonl", "evaluation.json", "report.html", "log.txt"),
    *("critiques.jsonl", "adapter", "history", "controls", "controls.json", "warmup", "stages", "samples.jsonl"),
    *("tensorboard", "served"),
    *("heartbeat.json", "stop.request", ".heartbeat.json.part"),
    *("code", "constraints.txt", "environment.json", "config.yaml"),
)
"""What a run leaves behind, less the answers it paid for, in the order it goes: the last say whose folder it is."""
HALF_BEGUN = {"config.yaml", ".config.yaml.part", ".environment.json.part"}
"""All that is there of a run that was killed in its first moment."""
SHOWN_DIFFERENCES = 4


def open_or_resume(out: Path, config: RunConfig, context: RunContext, fresh: bool = False) -> RunFolder:
    """Opens the folder of a new run, or of the one with this config in `out`. Errors: `ResumeError`, `FolderError`."""
    earlier = read_config(out)
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if (fresh and earlier) or (names and names <= HALF_BEGUN):
        clear(out)
        return open_run(out, config, context, is_resumed=any(out.iterdir()))
    if earlier:
        check_config(out, earlier, config)
        return RunFolder(out, is_resumed=True)
    return open_run(out, config, context)


def clear(out: Path) -> None:
    """Removes what an earlier run left in a folder; what others put there stays, and what was paid for."""
    if (out / "log.txt").exists():
        with RunFolder(out, is_resumed=True):
            pass  # nobody is running in it
    for name in (*FILES, *HALF_BEGUN, ".adapter.part", ".adapter.old"):
        path = out / name
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise FolderError(f"cannot remove {path}: {error.strerror}; choose another folder with --out.") from None


def check_config(out: Path, earlier: dict[str, Any], config: RunConfig) -> None:
    """Refuses to resume with another config. Errors: `ResumeError`."""
    here = config.model_dump(mode="json")
    for name in NOT_COMPUTED_WITH:
        earlier, here = ({key: value for key, value in side.items() if key != name} for side in (earlier, here))
    earlier, here = map(without_places, (earlier, here))
    for side in (earlier, here):  # where a server is, and how long it is waited for, changes no number
        side.get("inference", {}).pop("server", None)
    differing = list(differences(earlier, here))
    if differing:
        more = f" and {len(differing) - SHOWN_DIFFERENCES} more" if len(differing) > SHOWN_DIFFERENCES else ""
        raise ResumeError(
            f"the run in {out} was begun with another config: {', '.join(differing[:SHOWN_DIFFERENCES])}{more}; "
            f"give it the same, choose another --out, or start over with --fresh."
        )


def without_places(values: Any) -> Any:
    """Returns a config without where code of the person's own lies: `code/` says what is in it."""
    if isinstance(values, list):
        return [without_places(value) for value in values]
    if not isinstance(values, dict):
        return values
    gone = ("code", "code_sha256") if "code_sha256" in values else ()
    return {key: without_places(value) for key, value in values.items() if key not in gone}
