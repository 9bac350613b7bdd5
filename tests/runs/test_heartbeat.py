"""The heartbeat: a run says that it lives, what it does and how it ended, and hears that it is to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from synthetic_run import write_run

from tinyreason.console import Console
from tinyreason.errors import DataError, Stopped
from tinyreason.reporting.progress import duration, progress_tiles, resume_line, tell_progress, time_left
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.heartbeat import BASELINE, STEPS, Heart, Heartbeat, ask_to_stop, read_heartbeat
from tinyreason.runs.reader import read_run
from tinyreason.runs.usage import is_running, started_at

HOST = "elsewhere"


def heart(folder, **more):
    return Heart(folder, Console(quiet=True), Deadline(**more), every_s=0.02)


def until(test, limit_s=10.0):
    end = time.monotonic() + limit_s
    while not test():
        assert time.monotonic() < end
        time.sleep(0.01)


def beat_of(folder, **changes):
    """A run folder whose last beat is this; it is of this process unless that is changed."""
    beat = {"pid": os.getpid(), "host": socket.gethostname(), "started": started_at(os.getpid())}
    write_run(folder, result=False)
    beat["time"] = time.time() - changes.pop("ago", 0)
    (folder / "heartbeat.json").write_text(json.dumps(beat | changes))
    return read_run(folder)


def test_it_beats_while_the_run_lives_and_says_what_is_done(tmp_path):
    with heart(tmp_path) as one:
        with one.console.live(BASELINE, total=4) as live:
            live.advance(3)
            until(lambda: read_heartbeat(tmp_path).done == 3)
            beat = read_heartbeat(tmp_path)
            assert (beat.pid, beat.doing, beat.total, beat.ended) == (os.getpid(), BASELINE, 4, None)
            assert beat.is_alive and beat.left_s is not None and 0 < beat.usage.memory_gb < 64
            before = beat.time
            until(lambda: read_heartbeat(tmp_path).time > before)
        until(lambda: BASELINE in read_heartbeat(tmp_path).spent_s)
    assert read_heartbeat(tmp_path).ended == "done" and not read_heartbeat(tmp_path).is_alive
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Stopped("stopped by the deadline after step 3 of 9, all of it saved"), "stopped by the deadline after step 3"),
        (KeyboardInterrupt(), "stopped by Ctrl-C, at once"),
        (DataError("x.jsonl has no column."), "x.jsonl has no column."),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_the_last_beat_says_why_it_ended(tmp_path, error, said):
    with pytest.raises(type(error)), heart(tmp_path):
        raise error
    assert read_heartbeat(tmp_path).ended.startswith(said)


def test_a_request_to_stop_is_heard_and_one_of_an_earlier_session_is_not(tmp_path):
    ask_to_stop(tmp_path)
    said = []
    with heart(tmp_path, say=said.append) as one, one.deadline.finishing_steps():
        time.sleep(0.1)
        assert not one.deadline.has_come()
        ask_to_stop(tmp_path)
        until(lambda: one.deadline.why)
        assert one.deadline.has_come() and one.deadline.why == "the page"
        until(lambda: read_heartbeat(tmp_path).stopping == "the page")
    assert said == ["the page asks to stop: ending after this step"]
    assert not (tmp_path / "stop.request").exists()


def test_a_resumed_run_remembers_how_long_the_baseline_took(tmp_path):
    (tmp_path / "heartbeat.json").write_text(
        Heartbeat(pid=1, host=HOST, started=1.0, time=2.0, spent_s={BASELINE: 30.0}).model_dump_json()
    )
    with heart(tmp_path):
        assert read_heartbeat(tmp_path).spent_s == {BASELINE: 30.0}


def test_of_another_run_of_the_same_console_nothing_is_counted(tmp_path):
    one = heart(tmp_path)
    with one.console.live(BASELINE, total=1) as live:
        live.advance()
    with one:
        assert read_heartbeat(tmp_path).spent_s == {}


def test_a_folder_that_cannot_be_written_stops_no_run(tmp_path):
    with heart(tmp_path / "gone") as one:
        time.sleep(0.1)
        assert one.deadline.why is None


def test_a_killed_process_is_told_from_one_that_lives():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = started_at(child.pid)
    assert is_running(child.pid, started) and not is_running(child.pid, started - 100)
    child.send_signal(signal.SIGKILL)
    until(lambda: not is_running(child.pid, started))  # a zombie by now
    child.wait()
    assert not is_running(child.pid, started)


OLD = {"ago": 1000}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "going"),
        (OLD, "going"),  # suspended: the process is there
        (OLD | {"started": 5.0}, "killed"),  # its number is another process's by now
        (OLD | {"pid": 2**22 + 7}, "killed"),
        ({"pid": 2**22 + 7}, "going"),  # a fresh beat counts more: a process of a container has another number outside
        (OLD | {"host": HOST}, "killed"),
        ({"host": HOST, "ago": 30}, "going"),
        ({"ended": "stopped by Ctrl-C"}, "stopped"),
        ({"ended": "done"}, "stopped"),  # its result was taken away
    ],
)
def test_the_state_of_a_run_without_a_result(tmp_path, changes, state):
    assert beat_of(tmp_path / "run", **changes).state == state


def test_a_damaged_heartbeat_is_as_good_as_none(tmp_path):
    for text in ("", "{", "[]", '{"pid": "x"}', "\x00"):
        (tmp_path / "heartbeat.json").write_text(text)
        assert read_heartbeat(tmp_path) is None


# In words


def test_a_killed_run_says_so_and_how_to_resume(tmp_path):
    run = beat_of(tmp_path / "run", **OLD, pid=2**22 + 7)
    state, headline, sentence = tell_progress(run)
    assert (state, headline) == ("killed", "Killed after step 4 of 4.")
    assert "is gone without a word" in sentence
    assert sentence.endswith(f"To resume it type: tinyreason recipe one_shot_rlvr --out {tmp_path / 'run'}")


def test_a_stopped_run_says_by_whom(tmp_path):
    _, _, sentence = tell_progress(beat_of(tmp_path / "run", ended="stopped by the page after step 4 of 9"))
    assert "stopped by the page after step 4 of 9, on 2" in sentence


def test_a_run_from_python_is_resumed_from_python(tmp_path):
    run = beat_of(tmp_path / "run")
    run.environment["command"] = "mine.py"
    assert resume_line(run) == f"the command that began it, into {tmp_path / 'run'}"


def test_the_time_left_counts_the_evaluation_at_the_end():
    beat = Heartbeat(pid=1, host=HOST, started=1.0, time=2.0, doing=STEPS, left_s=60.0, spent_s={BASELINE: 30.0})
    assert time_left(beat) == (90.0, "30 s of it the evaluation at the end")
    assert time_left(beat.model_copy(update={"spent_s": {}})) == (60.0, "of the training")
    assert time_left(beat.model_copy(update={"doing": BASELINE})) == (60.0, f"of {BASELINE}")
    assert time_left(beat.model_copy(update={"left_s": None}))[0] is None
    assert [duration(seconds) for seconds in (45.2, 720, 12000)] == ["45 s", "12 min", "3 h 20 min"]


def test_memory_and_use_of_process_and_card_are_told(tmp_path):
    usage = {"memory_gb": 1.5, "cores": 0.98, "card_memory_gb": 5.1, "card_total_gb": 14.6, "card_busy": 0.87}
    run = beat_of(tmp_path / "run", usage=usage)
    tiles = {what: (figure, note) for what, figure, note in progress_tiles(run)}
    assert tiles["memory"] == ("1.50 GB", "of the process")
    assert tiles["processor"] == ("0.98 cores", "busy with the process")
    assert tiles["card's memory"] == ("5.1 GB", "of 14.6 GB, all processes")
    assert tiles["card"] == ("87%", "of the time busy")
    assert tiles["steps"] == ("4 of 4", "1.5 s each, over the last 4")
