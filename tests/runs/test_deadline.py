"""When a run has to end, and what a person may type for it."""

import os
import signal
import time
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from tinyreason.errors import ConfigError, Stopped
from tinyreason.runs.deadline import SPARE_S, Deadline, read_deadline

NOW = datetime(2026, 11, 21, 18, 0)


@pytest.mark.parametrize(
    ("text", "deadline"),
    [
        ("11h30m", NOW + timedelta(hours=11, minutes=30)),
        ("90m", NOW + timedelta(minutes=90)),
        ("45s", NOW + timedelta(seconds=45)),
        ("1d2h", NOW + timedelta(days=1, hours=2)),
        ("18:30", NOW + timedelta(minutes=30)),
        ("05:15", datetime(2026, 11, 22, 5, 15)),
        ("23:30", NOW + timedelta(hours=5, minutes=30)),
        ("2026-11-22T09:00", datetime(2026, 11, 22, 9)),
    ],
)
def test_a_deadline_is_a_duration_a_clock_time_or_a_date(text, deadline):
    assert read_deadline(text, NOW) == deadline


def test_a_clock_time_that_is_still_to_come_today_is_meant_however_far_it_is():
    assert read_deadline("18:30", datetime(2026, 11, 21, 6, 0)) == datetime(2026, 11, 21, 18, 30)
    assert read_deadline("23:59", datetime(2026, 11, 21, 0, 1)) == datetime(2026, 11, 21, 23, 59)


@pytest.mark.parametrize("text", ["17:59", "08:00", "0s", "2026-11-21T17:00", "2020-01-01"])
def test_a_deadline_that_is_past_is_one_sentence(text):
    with pytest.raises(ConfigError, match="is past") as caught:
        read_deadline(text, NOW)
    assert text in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", "soon", "25:00", "12:60", "11h30", "-1h", "1e9d", "99999999999d", "３h"])
def test_what_is_no_time_is_one_sentence(text):
    with pytest.raises(ConfigError, match="--deadline"):
        read_deadline(text, NOW)


def test_the_run_ends_when_another_step_might_not_fit():
    def asked(left_s: float, step_s: float) -> bool:
        stop = Deadline(datetime.now() + timedelta(seconds=left_s))
        stop._beat -= step_s  # the step that has just ended took so long
        return stop.has_come()

    assert not asked(left_s=60 + SPARE_S, step_s=40)
    assert asked(left_s=60 + SPARE_S, step_s=55)
    assert asked(left_s=SPARE_S - 1, step_s=0)


def test_work_that_does_not_end_is_given_up_before_the_deadline():
    deadline = datetime.now() + timedelta(seconds=SPARE_S + 0.2)
    with Deadline(deadline) as stop, pytest.raises(Stopped, match="the deadline"), stop.finishing_steps():
        time.sleep(SPARE_S)
    assert datetime.now() < deadline


def test_the_alarm_leaves_a_run_alone_that_is_ending_and_one_that_has_ended():
    with Deadline(datetime.now() + timedelta(seconds=SPARE_S + 0.2)) as stop, stop.finishing_steps():
        assert stop.has_come() is False
        stop._beat -= 1
        assert stop.has_come() and stop.why == "the deadline"
        time.sleep(0.4)
    with Deadline(datetime.now() + timedelta(seconds=SPARE_S + 0.2)):
        pass
    time.sleep(0.4)


def test_a_first_signal_waits_for_the_step_and_a_second_does_not():
    said = []
    with Deadline(say=said.append) as stop, pytest.raises(KeyboardInterrupt), stop.finishing_steps():
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.has_come() and stop.why == "Ctrl-C"
        os.kill(os.getpid(), signal.SIGINT)
    assert said == ["Ctrl-C: ending after this step; Ctrl-C again ends at once"]


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
def test_between_steps_a_signal_ends_the_run_at_once(number, name):
    with Deadline(), pytest.raises(Stopped, match=f"stopped by {name}"):
        os.kill(os.getpid(), number)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_library_that_catches_every_error_does_not_catch_a_stop():
    with Deadline(), pytest.raises(Stopped, match="SIGTERM"), suppress(Exception):
        os.kill(os.getpid(), signal.SIGTERM)
