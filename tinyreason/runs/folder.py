"""The run folder: what a run leaves behind so that someone else can read it."""

import hashlib
import json
import logging
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import yaml

from tinyreason.atomic import write_text
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import DiskError, FolderError, TinyReasonError
from tinyreason.models.hardware import ComputeSettings
from tinyreason.runs.result import RESULT, RunResult, read_result

LIBRARIES = (
    *("tinyreason", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "math-verify"),
    *("bitsandbytes", "flash-attn", "liger-kernel"),
)


def default_folder(config: RunConfig) -> Path:
    """`runs/RECIPE-TIER-seedN-DATE-TIME` under the current directory."""
    return Path("runs") / f"{config.recipe}-{config.tier}-seed{config.seed}-{datetime.now():%Y%m%d-%H%M%S}"


class RunFolder:
    """An open run folder. As a context it takes back what it made if the run stops before anything was earned."""

    def __init__(self, path: Path, is_continued: bool = False):
        """A continued run's folder may hold something, which is then never taken away; a new one's may not."""
        self.path, self.is_continued = path, is_continued
        self.adapter, self.checkpoints = path / "adapter", path / "checkpoints"
        self._log: logging.FileHandler | None = None
        try:
            self.is_new = not path.exists()
            if not is_continued and path.exists() and (not path.is_dir() or any(path.iterdir())):
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
        _lock(self._log.stream, self.path)
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
        """Whether something is in it that took time or money: a measurement, an adapter, a warm-up, answers."""
        earned = (self.adapter, self.checkpoints, self.path / "warmup" / "adapter")
        paid_for = self.path.glob("*.answers.jsonl")
        return self.is_continued or any(p.exists() for p in earned) or any(p.stat().st_size for p in paid_for)

    @property
    def result(self) -> RunResult | None:
        """What result.json holds, once the run is finished."""
        return read_result(self.path) if (self.path / RESULT).exists() else None

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turns what goes wrong with the disk into one sentence: full, read-only, gone."""
        try:
            yield
        except FolderError:
            raise
        except Exception as error:
            if not isinstance(error, OSError) and not _is_of_the_disk(error):
                raise
            reason = getattr(error, "strerror", None) or "it came out cut short, as on a full disk"
            raise DiskError(
                f"cannot write {what} into {self.path}: {reason}; what was saved before is whole: make the folder "
                f"writable again and go on from there."
            ) from None

    def write_text(self, name: str, text: str) -> None:
        """Whole or not at all."""
        with self.writing(name):
            (self.path / name).parent.mkdir(exist_ok=True)
            write_text(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_adapter(self, write: Callable[[Path], None]) -> None:
        """`write(folder)` fills a folder that then takes the place of `adapter/`."""
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
        """Appends lines to a .jsonl, in one write."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with self.writing(name), open(self.path / name, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(lines)

    def read_rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of a .jsonl so far."""
        file = self.path / name
        return [json.loads(line) for line in file.open(encoding="utf-8")] if file.exists() else []


class _LogFile(logging.FileHandler):
    """A log that cannot be written is no reason to fill the screen."""

    def handleError(self, record) -> None:
        pass


def _lock(file, path: Path) -> None:
    """Held until the file is closed or the process is gone, not by its children; Windows goes without."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise FolderError(f"another process is running in {path}; wait for it, or choose another --out.") from None
        except OSError:  # a file system without locks
            pass


def _is_of_the_disk(error: Exception) -> bool:
    """torch and safetensors have exceptions of their own for it."""
    texts = ("PytorchStreamWriter", "inline_container.cc", "iostream error")
    return type(error).__name__ == "SafetensorError" or any(text in str(error) for text in texts)


def open_run(
    out: Path, config: RunConfig, compute: ComputeSettings, why_tier: str, is_continued: bool = False
) -> RunFolder:
    """The folder of a new run with its resolved config and environment already in it."""
    folder = RunFolder(out, is_continued)
    folder.write_text("config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    folder.write_json("environment.json", environment(config, compute, why_tier))
    return folder


def read_config(path: Path) -> dict[str, Any] | None:
    """What the config.yaml in a folder says, if a run wrote it."""
    try:
        values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return values if isinstance(values, dict) and {"recipe", "tier", "trainer"} <= values.keys() else None


def environment(config: RunConfig, compute: ComputeSettings, why_tier: str) -> dict[str, Any]:
    """Versions, hardware, and what was chosen and why."""
    return {
        "versions": versions(),
        "code_sha256": code_sha256(),
        "platform": platform.platform(),
        "cpu_cores": os.cpu_count(),
        "card": vars(compute.card) if compute.card else None,
        "tier": {"got": config.tier, "why": why_tier},
        "device": compute.device,
        "means": {name: vars(choice) for name, choice in compute.settings().items()},
        "command": command(),
    }


def versions() -> dict[str, str | None]:
    """Of Python and of the libraries that decide what is computed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


def code_sha256() -> str:
    """Of this package's own source."""
    digest, package = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def command() -> str:
    """The command line that started this process."""
    program, *arguments = sys.argv
    return shlex.join(["tinyreason" if "tinyreason" in Path(program).parts[-2:] else program, *arguments])
