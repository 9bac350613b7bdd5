"""Kills runs at random moments until they are done, and holds them against runs that were left alone.

Of two processes the main one and the other are killed in turn: the run ends with either, and nothing of it stays.

Run: python tests/kills.py [--kills 20] [--seed 0] [--only RUN] [FOLDER]
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SMALL = ("evaluation.problems=4", "evaluation.samples=1")
GRPO = (*SMALL, "train.max_steps=10", "train.rollouts_per_step=16", "train.group_size=8")
SHORT = "train.max_completion_tokens=48"
RUNS = {
    "sft": ("reasoning_sft", *SMALL, "data.size=40", "train.max_steps=20", "train.batch_size=8"),
    "one_shot_rlvr": ("one_shot_rlvr", *GRPO, SHORT, "validation.problems=8", "validation.every_steps=4"),
    "self-training in stages": (
        *("star", *SMALL, "train.max_steps=8", "train.batch_size=8", SHORT, "data.size=40", "data.keep=all"),
        "stages=[{name: seed, data: {kind: solutions, name: sandbox, size: 40}, "
        "until: {kind: reaches, metric: loss, value: 0.052, over: 2}}, {name: round, repeat: 2}]",
    ),
    "asked in other ways": (
        *("star", *SMALL, "train.max_steps=4", "train.batch_size=8", SHORT, "data.size=24", "stages=[{name: round}]"),
        "evaluation.batch_size=4",  # so that the problems are asked in parts
        "data.asks=[{kind: critique_in_the_loop, critic: oracle}, {kind: with_answer}, {kind: dots, samples: 1}]",
    ),
    "distilled from a stage": (
        *("distill", *SMALL, "train.max_steps=8", "train.rollouts_per_step=16", "train.micro_batch_size=8", SHORT),
        *("stages.0.measure=false", "stages.0.train.max_steps=4", "stages.0.train.rollouts_per_step=16"),
    ),
    "two processes": ("rlvr", *GRPO, SHORT, "data.size=4", "validation=null", "processes=2"),
    "grpo with history": ("rlvr", *GRPO, SHORT, "data.size=4", "validation=null", "rewards=[{kind: hapo_length}]"),
}
MOMENTS = ("anywhere", "between checkpoints", "in a checkpoint")
"""In turn: at a random time from the start of the process on; a random time after a few more steps; while one of the
next few checkpoints is being written. The last two let a run get on, however busy the machine is."""
ASKING = "while asking"
"""A random time after a part of the problems has been asked in another way."""
MOST_STEPS = 4
VICTIMS = MAIN, OTHER = "the main process", "the other process"
HELPER = "tinyreason.pipeline.launch"
ENDS_IN_S = 60


@dataclass
class Kill:
    """What was killed, and when."""

    run: str
    after_s: float
    was_writing: bool
    step: int
    victim: str


def other_process(main: subprocess.Popen) -> psutil.Process | None:
    """The other process of a run, once it is there."""
    with suppress(psutil.NoSuchProcess):
        return next((one for one in psutil.Process(main.pid).children() if HELPER in one.cmdline()), None)
    return None


def kill(process: subprocess.Popen, victim: str) -> bool:
    """Kills one of a run's processes and waits for the end of all; False where the other one is not needed (yet)."""
    other = other_process(process)
    if victim == OTHER:
        try:
            other.kill()
        except (AttributeError, psutil.NoSuchProcess):
            return False
        said = process.communicate(timeout=ENDS_IN_S)[1].decode()
        if process.returncode == 0:  # all that it was needed for was done
            return False
        assert process.returncode == 3 and "process 2 of 2 ended by signal 9" in said, (process.returncode, said[-500:])
        return True
    process.send_signal(signal.SIGKILL)
    process.wait()
    if other:
        other.wait(ENDS_IN_S)
    return True


def command(out: Path, run: tuple[str, ...]) -> list[str]:
    where = ("--on", "sandbox", "--seed", "3", "--out", str(out))
    return [sys.executable, "-m", "tinyreason", "recipe", *run, "checkpoints.every_steps=1", *where]


def digest(out: Path) -> dict[str, str]:
    """Of all that must be the same: the adapter, every rollout, every step's metrics but their seconds."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").open()]
    steps = json.dumps([{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows])
    files = {"adapter": out / "adapter" / "adapter_model.safetensors", "rollouts": out / "rollouts.jsonl"}
    found = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items() if file.exists()}
    for file in sorted([*out.rglob("samples.jsonl"), *out.rglob("asked-*.jsonl")]):
        found[str(file.relative_to(out))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found | {"metrics": hashlib.sha256(steps.encode()).hexdigest()}


def writes(out: Path, since: float) -> bool:
    """Whether a checkpoint is half written, by this process and not by one that was killed before."""
    with suppress(FileNotFoundError):
        return any(path.stat().st_ctime > since for path in (out / "checkpoints").glob(".step-*.part"))
    return False


def bytes_asked(out: Path) -> int:
    """How much is written of what was asked in other ways."""
    return sum(file.stat().st_size for file in out.rglob("asked-*.jsonl"))


def moments_of(name: str) -> tuple[str, ...]:
    """When a run is killed, in turn."""
    return (ASKING, *MOMENTS) if any(word.startswith("data.asks=") for word in RUNS[name]) else MOMENTS


def steps_saved(out: Path) -> int:
    """The step of the last checkpoint."""
    return max((int(path.name.removeprefix("step-")) for path in (out / "checkpoints").glob("step-*")), default=0)


def kill_once(out: Path, name: str, moment: str, victim: str, rng: random.Random, takes_s: float) -> Kill | None:
    """Starts the run and kills it; None if it was done before."""
    process = subprocess.Popen(command(out, RUNS[name]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    start, began, first = time.monotonic(), time.time(), steps_saved(out)
    asked, other = bytes_asked(out), rng.uniform(0, 1)
    delay, more = rng.uniform(0, takes_s if moment == "anywhere" else 1.0), rng.randint(1, MOST_STEPS)
    while process.poll() is None:
        if moment == "anywhere":
            is_time = time.monotonic() - start > delay
        elif moment == ASKING:
            is_time = bytes_asked(out) > asked
            time.sleep(other * is_time)
        elif steps_saved(out) < first + more:
            is_time = False
        elif moment == "in a checkpoint":
            is_time = writes(out, began)
        else:
            time.sleep(delay)
            is_time = True
        if is_time and kill(process, victim):
            return Kill(name, time.monotonic() - start, writes(out, began), steps_saved(out), victim)
        time.sleep(0.0005)
    if process.returncode:
        raise AssertionError(f"{name} ended with {process.returncode}: {process.stderr.read().decode()[-500:]}")
    return None


def stress(folder: Path, kills: int, seed: int, say=print, runs: tuple[str, ...] = tuple(RUNS)) -> list[Kill]:
    """The kills that were survived. Errors: `AssertionError` for a run that does not go on or ends differently."""
    rng, done, round_ = random.Random(seed), [], 0
    whole, takes_s = {}, {}
    for name in runs:
        run = RUNS[name]
        start = time.monotonic()
        subprocess.run(command(folder / f"{name} whole", run), check=True, capture_output=True)
        whole[name], takes_s[name] = digest(folder / f"{name} whole"), time.monotonic() - start
        say(f"{name}: left alone, adapter {whole[name]['adapter'][:12]}")
    while len(done) < kills:
        round_ += 1
        for name in runs:
            out = folder / f"{name} cut {round_}"
            while len(done) < kills:
                moments = moments_of(name)
                moment = moments[len(done) % len(moments)]
                victim = VICTIMS[len(done) % 2] if "processes=2" in RUNS[name] else MAIN
                killed = kill_once(out, name, moment, victim, rng, takes_s[name])
                if killed is None:
                    break
                done.append(killed)
                say(f"kill {len(done)}: {killed}")
            subprocess.run(command(out, RUNS[name]), check=True, capture_output=True)
            found = digest(out)
            assert found == whole[name], f"{name} ended differently after kills: {found} and not {whole[name]}"
            say(f"{name}: round {round_} ended the same")
            if len(done) >= kills:
                break
    return done


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=RUNS, help="this run alone")
    given = parser.parse_args()
    started = time.monotonic()
    done = stress(
        given.folder or Path(tempfile.mkdtemp()),
        given.kills,
        given.seed,
        runs=(given.only,) if given.only else tuple(RUNS),
    )
    writing = sum(kill.was_writing for kill in done)
    print(f"{len(done)} kills survived, {writing} in the middle of a checkpoint; {time.monotonic() - started:.0f} s")
