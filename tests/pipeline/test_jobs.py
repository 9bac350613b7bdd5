"""Several runs at once: what the one who started them shows, and what happens when something ends."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from job_parts import context, die, introduce, refuse, wait_for_the_end
from rich.console import Console as RichConsole

from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console, Work
from tinyreason.errors import ConfigError, Stopped, TinyReasonError
from tinyreason.models import hardware
from tinyreason.models.hardware import VISIBLE, Card, physical_cores
from tinyreason.pipeline import seeds
from tinyreason.pipeline.jobs import THREADS, inherited, places_for, share_out
from tinyreason.pipeline.sweep import run_sweep, run_sweep_by, sweep_points, sweep_runs
from tinyreason.runs.context import RunContext

TWO = pytest.mark.skipif(physical_cores() < 2, reason="two jobs want two cores")
TINY = (
    *("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "data.size=2"),
    *("evaluation.problems=6", "evaluation.samples=1"),
)
T4 = Card("T4", 15, (7, 5), "GPU-a")


def told(inside: RunContext) -> str:
    return inside.console.rich.file.getvalue()


@TWO
def test_each_part_has_a_process_and_its_share_of_the_cores_and_all_are_read_in_one_place(tmp_path, monkeypatch):
    monkeypatch.delenv(THREADS, raising=False)
    inside = context()
    share_out([partial(introduce, tmp_path, name) for name in "ab"], inside)
    (a, a_threads), (b, b_threads) = ((tmp_path / name).read_text().split() for name in "ab")
    assert len({a, b, str(os.getpid())}) == 3
    assert a_threads == b_threads == str(physical_cores() // 2) and THREADS not in os.environ
    lines = told(inside).splitlines()
    assert sorted(lines) == ["a reads asked for", "all say this", "b reads asked for"]


@TWO
@pytest.mark.skipif(os.name != "posix", reason="a signal's number is its exit code there")
def test_a_process_that_dies_is_named_and_the_other_works_on(tmp_path):
    inside = context()
    share_out([die, partial(introduce, tmp_path, "b")], inside)
    assert "process 1 of 2 ended by signal 9; what it saved is kept" in told(inside)
    assert (tmp_path / "b").exists()


@TWO
def test_what_is_refused_in_one_process_is_one_sentence_once_the_others_are_through(tmp_path):
    with pytest.raises(TinyReasonError, match=r"^the file is empty$"):
        share_out([refuse, partial(introduce, tmp_path, "b")], context())
    assert (tmp_path / "b").exists()


@TWO
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_by_all_who_save_and_end(number, tmp_path):
    before = signal.getsignal(number)

    def send() -> None:
        while len([*tmp_path.iterdir()]) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(Stopped, match="Ctrl-C" if number == signal.SIGINT else "SIGTERM"):
        share_out([partial(wait_for_the_end, tmp_path, name) for name in "ab"], context())
    sender.join()
    assert signal.getsignal(number) is before
    assert not any(psutil.pid_exists(int((tmp_path / name).read_text())) for name in "ab")


@TWO
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_where_the_one_who_shows_is_killed_the_others_end_by_themselves(tmp_path):
    lines = (
        "import pathlib, job_parts",
        "if __name__ == '__main__':",
        f"    job_parts.wait_as_two(pathlib.Path('{tmp_path}'))",
    )
    (tmp_path / "script.py").write_text("\n".join(lines))
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], env=os.environ | {"PYTHONPATH": paths})
    names = [tmp_path / name for name in "ab"]
    until = time.monotonic() + 60
    while not all(name.exists() and name.read_text() for name in names) and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    others = [psutil.Process(int(name.read_text())) for name in names]
    _, alive = psutil.wait_procs(others, timeout=20)
    assert not alive


def test_a_terminal_has_a_line_for_each_process():
    file = io.StringIO()
    work = Work("seed 0: step", 6, 1)
    work.done = 2
    with Console(RichConsole(file=file, width=100, force_terminal=True)).board(2) as board:
        board.show(1, work, "reward 0.5")
        board.progress.refresh()
        frame = file.getvalue().splitlines()[-2:]
        board.show(1, None)
        board.progress.refresh()
        last = file.getvalue().splitlines()[-1]
    assert "begins" in frame[0] and "seed 0: step" in frame[1] and "2/6 reward 0.5 0:00:00 left" in frame[1]
    assert "2/6" not in last


def test_more_jobs_than_cores_or_cards_are_refused_in_a_sentence(monkeypatch):
    many = physical_cores() + 1
    with pytest.raises(ConfigError, match=f"--jobs {many} wants a core for each run, and .* type --jobs {many - 1}"):
        places_for(many, None)
    monkeypatch.setattr(hardware, "HIDDEN", [Card("T4", 15, (7, 5), "GPU-b"), Card("P100", 16, (6, 0), "GPU-c")])
    assert places_for(2, T4) == [{VISIBLE: "GPU-a"}, {VISIBLE: "GPU-b"}]
    with pytest.raises(ConfigError, match=r"--jobs 3 need 3 cards of one kind, and 2 T4 can be used.* type --jobs 2"):
        places_for(3, T4)


def test_the_environment_of_a_process_is_not_that_of_the_next(monkeypatch):
    monkeypatch.setenv("A", "1")
    monkeypatch.delenv("B", raising=False)
    with inherited({"A": "2", "B": "3"}):
        assert (os.environ["A"], os.environ["B"]) == ("2", "3")
    assert os.environ["A"] == "1" and "B" not in os.environ


@TWO
def test_a_sweep_by_two_processes_has_the_table_of_one(tmp_path):
    plan = read_recipe("rlvr")
    points = sweep_points(plan, "sandbox", "correctness,format", ())
    for folder, how in (("turn", run_sweep), ("once", partial(run_sweep_by, 2))):
        how(sweep_runs(plan, "sandbox", points, TINY, [0], tmp_path / folder), tmp_path / folder, context())
    turn, once = (json.loads((tmp_path / name / "frontier.json").read_text()) for name in ("turn", "once"))
    assert turn == once and len(turn) == 3


def test_seeds_that_are_done_at_once_are_told_together_and_those_that_are_not_are_counted(tmp_path, monkeypatch):
    configs, inside = [read_recipe("rlvr").resolve("sandbox", TINY, seed) for seed in (0, 1)], context()
    monkeypatch.setattr(seeds, "share_out", lambda parts, _: parts[0](inside))  # the other's process dies
    with pytest.raises(Stopped, match="1 of 2 seeds are not done; the same line resumes them"):
        seeds.run_seeds_by(2, configs, tmp_path, inside)
    monkeypatch.setattr(seeds, "share_out", lambda parts, _: [part(inside) for part in parts])
    result = seeds.run_seeds_by(5, configs, tmp_path, inside)
    assert [row.seed for row in result.runs] == [0, 1] and (tmp_path / "report.html").is_file()
    assert re.search(r"^seed 1: accuracy .* → ", told(inside), re.MULTILINE)
    assert "accuracy" in (tmp_path / "seed0.log").read_text()
