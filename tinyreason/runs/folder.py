"""The run folder: what a run leaves behind so that someone else can read it."""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import yaml

from tinyreason import atomic
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import DiskError, FolderBusy, FolderError, TinyReasonError
from tinyreason.runs.context import RunContext
from tinyreason.runs.environment import constraints, environment
from tinyreason.runs.result import RESULT, RunResult, read_result


def default_folder(configs: Sequence[RunConfig]) -> Path:
    """Returns `runs/RECIPE-TIER-seedN-DATE-TIME`, of several seeds `…-seeds0,1,2-…`, in the current directory."""
    first, seeds = configs[0], ",".join(str(config.seed) for config in configs)
    which = f"seed{seeds}" if len(configs) == 1 else f"seeds{seeds}"
    return Path("runs") / f"{first.recipe}-{first.tier}-{which}-{datetime.now():%Y%m%d-%H%M%S}"


class RunFolder:
    """An open run folder, locked while it is a context; one that ends before anything was earned is removed again."""

    def __init__(self, path: Path, is_resumed: bool = False):
        """Opens `path`: a continued run's folder may hold something, which is never removed; a new one's may not."""
        self.path, self.is_resumed = path, is_resumed
        self.adapter, self.checkpoints = path / "adapter", path / "checkpoints"
        self._log: logging.FileHandler | None = None
        try:
            self.is_new = not path.exists()
            if not is_resumed and path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise FolderError(f"{path} is not empty; choose another folder with --out, or remove it.")
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except FolderError:
            raise
        except OSError as error:
            raise FolderError(
                f"cannot write into {path}: {error.strerror or error}; choose another folder with --out."
            ) from None

    def __enter__(self) -> Self:
        with self.writing("log.txt"):
            self._log = _LogFile(self.path / "log.txt")
        try:
            atomic.lock(self._log.stream)
        except BlockingIOError:
            self._log.close()
            raise FolderBusy(
                f"another process is running in {self.path}; wait for it, or choose another --out."
            ) from None
        self._log.addFilter(Once())
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self._log)
        return self

    def __exit__(self, kind, error, trace) -> None:
        logging.getLogger().removeHandler(self._log)
        with suppress(OSError):
            self._log.close()
        if isinstance(error, TinyReasonError | KeyboardInterrupt) and not self.has_earned():
            with suppress(FileNotFoundError):
                for child in self.path.iterdir():
                    shutil.rmtree(child) if child.is_dir() else child.unlink()
                if self.is_new:
                    self.path.rmdir()

    def has_earned(self) -> bool:
        """Returns whether it holds what took time or money: a baseline, an adapter, a warm-up, answers."""
        earned = (self.adapter, self.checkpoints, *(self.path / name for name in ("warmup", "stages", "samples.jsonl")))
        paid_for = self.path.glob("*.answers.jsonl")
        return self.is_resumed or any(p.exists() for p in earned) or any(p.stat().st_size for p in paid_for)

    @property
    def result(self) -> RunResult | None:
        """Returns what result.json holds, once the run is finished. Errors: `FolderError` where it is damaged."""
        return read_result(self.path) if (self.path / RESULT).exists() else None

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turns what goes wrong with the disk (full, read-only, gone) into one sentence, a `DiskError`."""
        try:
            yield
        except FolderError:
            raise
        except Exception as error:
            if not isinstance(error, OSError) and not _is_of_the_disk(error):
                raise
            reason = getattr(error, "strerror", None) or "it came out truncated, as on a full disk"
            raise DiskError(
                f"cannot write {what} into {self.path}: {reason}; what was saved before is whole: make the folder "
                f"writable again and resume from there."
            ) from None

    def write_text(self, name: str, text: str) -> None:
        """Writes a file of the folder, whole or not at all. Errors: `DiskError`."""
        with self.writing(name):
            (self.path / name).parent.mkdir(exist_ok=True)
            atomic.write_text(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        """Writes a value as JSON, whole or not at all. Errors: `DiskError`."""
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_adapter(self, write: Callable[[Path], None]) -> None:
        """Has `write(folder)` fill a folder, which then takes the place of `adapter/`. Errors: `DiskError`."""
        beside, old = self.path / ".adapter.part", self.path / ".adapter.old"
        with self.writing("the adapter"):
            for left_over in (beside, old):
                shutil.rmtree(left_over, ignore_errors=True)
            write(beside)
            if self.adapter.exists():
                self.adapter.rename(old)
            beside.rename(self.adapter)
            shutil.rmtree(old, ignore_errors=True)

    def append(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Appends rows to a .jsonl, in one write. Errors: `DiskError`."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with self.writing(name), open(self.path / name, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(lines)

    def read_rows(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of a .jsonl so far."""
        file = self.path / name
        return [json.loads(line) for line in file.open(encoding="utf-8")] if file.exists() else []


class _LogFile(logging.FileHandler):
    """A log file that stays silent on the screen when it cannot be written."""

    def handleError(self, record) -> None:
        pass


class Once(logging.Filter):
    """Lets each distinct warning through once: libraries repeat theirs at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        warning = record.name, record.getMessage()
        is_new = warning not in self.seen
        self.seen.add(warning)
        return is_new


def _is_of_the_disk(error: Exception) -> bool:
    """Returns whether an exception of torch or safetensors is about the disk."""
    texts = ("PytorchStreamWriter", "inline_container.cc", "iostream error")
    return type(error).__name__ == "SafetensorError" or any(text in str(error) for text in texts)


def open_run(out: Path, config: RunConfig, context: RunContext, is_resumed: bool = False) -> RunFolder:
    """Opens the folder of a new run and writes its resolved config and its environment into it."""
    folder = RunFolder(out, is_resumed)
    folder.write_text("config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    folder.write_json("environment.json", environment(config, context))
    folder.write_text("constraints.txt", constraints())
    return folder


def read_config(path: Path) -> dict[str, Any] | None:
    """Returns what the config.yaml in a folder says; None unless a run wrote it."""
    try:
        values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return values if isinstance(values, dict) and {"recipe", "tier", "trainer"} <= values.keys() else None
