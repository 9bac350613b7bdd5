"""What Windows and macOS do otherwise, played on this machine: a run gets through its checkpoints and its end."""

import builtins
import errno
import os
import shutil
import sys
import types

import pytest
from sessions import context_of

from tinyreason import atomic
from tinyreason.config.recipe import read_recipe
from tinyreason.models.load import peak_memory_gb
from tinyreason.pipeline.run import run

QUICK = (
    *("train.max_steps=2", "train.rollouts_per_step=8", "train.max_completion_tokens=16"),
    *("evaluation.problems=4", "evaluation.samples=1", "validation.problems=4", "validation.every_steps=1"),
)


@pytest.fixture
def windows(monkeypatch):
    """Without `resource` and `fcntl`; no folder can be opened, and only what is open for writing can be synced."""
    fcntl = pytest.importorskip("fcntl")
    real_open, real_fsync, real_import = os.open, os.fsync, builtins.__import__

    def open_file(path, *arguments, **more):
        if not isinstance(path, int) and os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, *arguments, **more)

    def fsync(handle):
        number = handle if isinstance(handle, int) else handle.fileno()
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real_fsync(number)

    def import_module(name, scope=None, *rest, **more):
        if name in ("resource", "fcntl") and (scope or {}).get("__name__", "").startswith("tinyreason"):
            raise ImportError(f"No module named {name}")  # libraries have found out at their own import
        return real_import(name, scope, *rest, **more)

    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    monkeypatch.setattr(builtins, "__import__", import_module)


def test_a_run_gets_through_on_windows(windows, tmp_path):
    config = read_recipe("one_shot_rlvr").resolve("sandbox", QUICK)
    result = run(config, tmp_path / "run", context_of(config))
    assert (tmp_path / "run" / "checkpoints" / "step-000002" / "state.json").is_file()
    assert (tmp_path / "run" / "result.json").is_file() and result.peak_memory_gb > 0.05


def test_what_cannot_be_synced_is_still_an_error(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("x")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.sync(file)
    atomic.sync(tmp_path)  # of a folder it is not to be had everywhere
    with pytest.raises(FileNotFoundError):
        atomic.sync(tmp_path / "none")


@pytest.mark.parametrize(("platform", "unit"), [("linux", 2**10), ("darwin", 1)])
def test_the_peak_of_memory_is_in_the_unit_of_the_system(monkeypatch, platform, unit):
    usage = types.SimpleNamespace(ru_maxrss=3 * 2**30 // unit)
    fake = types.SimpleNamespace(getrusage=lambda _: usage, RUSAGE_SELF=0)
    monkeypatch.setitem(sys.modules, "resource", fake)
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_memory_gb() == 3
