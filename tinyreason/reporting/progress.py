"""What can be said of a run without a result: how far it is, how long it still takes, or why it is not going."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from tinyreason.runs.heartbeat import BASELINE, STEPS, Heartbeat
from tinyreason.runs.reader import StoredRun

Tile = tuple[str, str, str]
"""(what, figure, small print)."""


def tell_progress(run: StoredRun) -> tuple[str, str, str]:
    """Returns (state, headline, sentence) in plain words of a run that has no result."""
    where, beat = f"step {run.steps} of {total_steps(run)}", run.heartbeat
    if run.state == "going":
        doing = beat.doing if beat and beat.doing and beat.doing != STEPS else ""
        headline = f"Still going: {where if run.steps else doing or 'no step done yet'}."
        sentence = (
            f"Nothing is concluded yet; this is what there was when the page was written. To watch it live type: "
            f"tinyreason report --watch {shlex.quote(str(run.path))}"
        )
        return "going", headline, sentence
    after = f"after {where}" if run.steps else "before step 1"
    when = f"{datetime.fromtimestamp(beat.time if beat else run.last_written):%Y-%m-%d %H:%M}"
    resume = f"To resume it type: {resume_line(run)}"
    if run.state == "killed":
        sentence = (
            f"Process {beat.pid} on {beat.host} is gone without a word; its last heartbeat is of {when}. Its last "
            f"checkpoint is whole. {resume}"
        )
        return "killed", f"Killed {after}.", sentence
    why = f"{beat.ended.rstrip('.')}, on {when}" if beat else f"the run last wrote something on {when}"
    return "stopped", f"Not finished: it stopped {after}.", f"There is no result to conclude from; {why}. {resume}"


def total_steps(run: StoredRun) -> int | str:
    """Returns how many steps the training is to have; `?` where a damaged config does not say."""
    train = run.config.get("train")
    return train.get("max_steps", "?") if isinstance(train, dict) else "?"


def resume_line(run: StoredRun) -> str:
    """Returns what to type to resume a run: its command, with its folder where that was chosen for it."""
    command = str(run.environment.get("command") or "")
    if not command.startswith("tinyreason "):
        return f"the command that began it, into {run.path}"
    return command if "--out" in command else f"{command} --out {shlex.quote(str(run.path))}"


def progress_tiles(run: StoredRun) -> Iterator[Tile]:
    """Yields how far a run is, how long it takes, and what it uses; of one that is not going only how far it came."""
    beat = run.heartbeat
    pace = [row["time/step_s"] for row in run.metrics[-10:] if "time/step_s" in row]
    each = f"{sum(pace) / len(pace):.1f} s each, over the last {len(pace)}" if pace else "of the training"
    yield "steps", f"{run.steps} of {total_steps(run)}", each
    if run.state != "going" or beat is None:
        return
    if beat.is_late:
        yield "heartbeat", f"{duration(beat.age_s)} ago", "the process is there but does not answer"
    if beat.doing and beat.doing != STEPS:
        yield "at the moment", f"{beat.done:,} of {beat.total:,}", beat.doing
    left_s, note = time_left(beat)
    yield "time left", "–" if left_s is None else duration(left_s), note
    usage = beat.usage
    if usage.memory_gb is not None:
        yield "memory", f"{usage.memory_gb:.2f} GB", "of the process"
    if usage.cores is not None:
        yield "processor", f"{usage.cores:.2f} cores", "busy with the process"
    if usage.card_memory_gb is not None:
        yield "card's memory", f"{usage.card_memory_gb:.1f} GB", f"of {usage.card_total_gb:.1f} GB, all processes"
    if usage.card_busy is not None:
        yield "card", f"{usage.card_busy:.0%}", "of the time busy"


def time_left(beat: Heartbeat) -> tuple[float | None, str]:
    """Returns the seconds left, None where no pace is known yet, and of what that is."""
    if beat.left_s is None:
        return None, "known after the first step or batch"
    if beat.doing != STEPS:
        return beat.left_s, f"of {beat.doing}"
    evaluation_s = beat.spent_s.get(BASELINE)
    if evaluation_s is None:
        return beat.left_s, "of the training"
    return beat.left_s + evaluation_s, f"{duration(evaluation_s)} of it the evaluation at the end"


def duration(seconds: float) -> str:
    """Returns `45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
