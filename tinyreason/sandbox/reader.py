"""Reads the sandbox backwards: a problem from its text, an attempt from a model's completion."""

import re

from tinyreason.sandbox.oracle import SandboxAttempt
from tinyreason.sandbox.tasks import GAINS, LOSSES, Problem, Step

CHAIN = re.compile(r"(\w+) has (\d+) (\w+)\. \1 (.+)\. How many \3 does \1 have now\?")
COMPARE = re.compile(
    r"(\w+) has (\d+) (\w+)\. (\w+) has (\d+) (more|fewer) than \1\. How many \3 do \1 and \4 have together\?"
)
EVENT = re.compile(rf"(?:(?P<gain>{'|'.join(GAINS)}) (\d+) more|(?:{'|'.join(LOSSES)}) (\d+))")
STEP = re.compile(r"(\d+)([+-])(\d+)=(\d+)")
BOX = re.compile(r"\\boxed\{(\d+)\}")


def read_problem(text: str) -> Problem | None:
    """Returns the sandbox problem that reads so; None for any other text."""
    if told := COMPARE.fullmatch(text):
        has, difference = int(told[2]), int(told[5])
        other = Step(has, "+" if told[6] == "more" else "-", difference)
        return Problem("compare", text, (other, Step(has, "+", other.result)))
    told = CHAIN.fullmatch(text)
    events = [EVENT.fullmatch(event) for event in told[4].split(", then ")] if told else [None]
    if None in events:
        return None
    total, steps = int(told[2]), []
    for event in events:
        steps.append(Step(total, "+" if event["gain"] else "-", int(event[2] or event[3])))
        total = steps[-1].result
    return Problem("chain" if len(steps) <= 3 else "long_chain", text, tuple(steps))


def read_attempt(problem: Problem, completion: str) -> SandboxAttempt | None:
    """Returns the steps that stand on lines of their own, and the boxed answer; None without one."""
    boxes = BOX.findall(completion)
    if not boxes:
        return None
    steps = [STEP.fullmatch(line.strip()) for line in completion.splitlines()]
    written = tuple((Step(int(step[1]), step[2], int(step[3])), int(step[4])) for step in steps if step)
    return SandboxAttempt(problem, written, int(boxes[-1]))
