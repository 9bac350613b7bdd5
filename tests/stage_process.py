"""A stage of `make gpu`: a process forked from one that has imported all, ended at its limit, that tells as it goes."""

import faulthandler
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest.mock import patch

FACTS, SAID = "facts.jsonl", "said.txt"
LAST_S = 2.0
"""So long before its limit a stage says where it stands."""
STACK_LINES = 12
LOOKS_S = 0.05
THREAD = re.compile(r"(Current thread|Thread) 0x")
MODULES = (
    *("torch", "transformers", "bitsandbytes", "peft", "datasets", "trl.trainer.grpo_trainer"),
    *("trl.trainer.sft_trainer", "math_verify", "rapidfuzz", "scipy.stats", "pebble", "gguf", "pytest"),
    *("transformers.models.llama.modeling_llama", "transformers.models.qwen2.modeling_qwen2"),
    *("tinyreason.trainers.grpo", "tinyreason.trainers.sft", "tinyreason.pipeline.run", "tinyreason.planning.measure"),
)
"""What the stages import, and seconds of which there are most."""


def tell(work: Path, **facts: Any) -> None:
    """Writes facts where the parent finds them, whatever becomes of this process."""
    with open(work / FACTS, "a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def told_in(work: Path) -> dict[str, Any]:
    """Returns all facts: lists told under one name are joined, dictionaries too, of other values the last counts."""
    found: dict[str, Any] = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):  # the last line of a killed process may be half a line
        for line in (work / FACTS).read_text(encoding="utf-8").splitlines():
            for name, value in json.loads(line).items():
                if isinstance(value, list):
                    found[name] = found.get(name, []) + value
                else:
                    found[name] = found.get(name, {}) | value if isinstance(value, dict) else value
    return found


def take(
    work: Path, stage: Callable[[], None], limit: float, until: Callable[[], dict[str, Any] | None] | None = None
) -> dict[str, Any]:
    """Runs a stage in a fork of this process; returns what it told, and where it stood if it failed.

    It is killed, with all that it started in its session, at the limit, or as soon as `until` returns something: then
    that is among what it told, and to end before that is to fail.
    """
    for name in (FACTS, SAID):
        (work / name).unlink(missing_ok=True)
    began, found, code = time.monotonic(), None, None
    child = forked(work, stage, limit)
    while code is None and not found and time.monotonic() - began < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
        else:
            time.sleep(LOOKS_S)
            found = until and until()
    for end in (os.killpg,) if code is not None else (os.killpg, os.kill):  # what it left behind too
        with suppress(ProcessLookupError):
            end(child, signal.SIGKILL)
    if code is None:
        os.waitpid(child, 0)
    told, seconds = told_in(work), {"seconds": round(time.monotonic() - began, 1)}
    if found or (code == 0 and until is None):
        told.pop("at", None)
        return {"result": told | (found or {})} | seconds
    lines = (work / SAID).read_text(errors="replace").strip().splitlines() if (work / SAID).exists() else []
    why = f"took longer than {limit:g} s" if code is None else f"ended with {code}"
    return {"failed": [why, *without_stacks(lines)[-15:]], "stack": stack_in(lines), "partial": told} | seconds


def forked(work: Path, stage: Callable[[], None], limit: float) -> int:
    """Starts a stage in a session of its own, all that it says in a file; returns its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        os.setsid()
        said = os.open(work / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
        say_where_it_stands(limit)
        stage()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def say_where_it_stands(limit: float) -> None:
    """Has this process write its stacks just before its limit."""
    faulthandler.dump_traceback_later(max(limit - LAST_S, limit / 2), file=2)


def stack_in(lines: list[str]) -> list[str]:
    """Returns the deepest lines of the main thread, the last that faulthandler writes; none where it wrote none."""
    threads = [number for number, line in enumerate(lines) if THREAD.match(line)]
    return [line.strip() for line in lines[threads[-1] + 1 :][:STACK_LINES]] if threads else []


def without_stacks(lines: list[str]) -> list[str]:
    """Returns what was said before the stacks."""
    return list(takewhile(lambda line: not line.startswith("Timeout ("), lines))


def import_all(modules: tuple[str, ...] = MODULES) -> dict[str, Any]:
    """Imports what the stages need; returns the seconds of each, what failed, and whether CUDA is untouched.

    CUDA must not be begun before a fork. torch asks the driver's library for cards instead (NVML), where
    PYTORCH_NVML_BASED_CUDA_CHECK says so; bitsandbytes asks torch for their capability, which is answered by it too.
    """
    seconds, failed = {}, {}
    with ExitStack() as stack:
        for name in modules:
            began = time.monotonic()
            try:
                import_module(name)
            except Exception as error:
                failed[name] = repr(error)
            seconds[name] = round(time.monotonic() - began, 2)
            if name == "torch" and name not in failed:
                stack.enter_context(asking_nvml())
    torch = sys.modules.get("torch")
    begun = bool(torch) and torch.cuda.is_initialized()
    return {"result": {"seconds": seconds, "not_imported": failed, "cuda_was_begun": begun}}


@contextmanager
def asking_nvml() -> Iterator[None]:
    """Has torch answer which capability a card has without beginning CUDA, where NVML knows."""
    import torch

    try:
        import pynvml

        pynvml.nvmlInit()
        known = [
            pynvml.nvmlDeviceGetCudaComputeCapability(pynvml.nvmlDeviceGetHandleByIndex(number))
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
    except Exception:  # no library, no driver, no right to ask
        yield
        return
    with patch.object(torch.cuda, "get_device_capability", lambda device=0: tuple(known[index_of(device)])):
        yield


def index_of(device: Any) -> int:
    """Returns the number of what torch takes for a device."""
    number = getattr(device, "idx", getattr(device, "index", device))  # of torch.cuda.device, of torch.device
    return number if isinstance(number, int) else 0


@contextmanager
def timing(work: Path, **places: tuple[Any, str]) -> Iterator[None]:
    """Tells under a name how many seconds each call takes of the function at its place, an owner and an attribute."""
    with ExitStack() as stack:
        for name, (owner, attribute) in places.items():
            stack.enter_context(patch.object(owner, attribute, timed(work, name, getattr(owner, attribute))))
        yield


def timed(work: Path, name: str, function: Callable) -> Callable:
    @wraps(function)
    def call(*words: Any, **options: Any) -> Any:
        began = time.monotonic()
        try:
            return function(*words, **options)
        finally:
            tell(work, **{name: [round(time.monotonic() - began, 3)]})

    return call
