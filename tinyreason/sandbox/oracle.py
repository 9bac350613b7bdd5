"""Writes about sandbox problems: answers (hasty, worked, rambling), attempts with mistakes, critiques."""

import random
from dataclasses import dataclass

from tinyreason.sandbox.tasks import LARGEST_TOTAL, Problem, Step

THINK, END_THINK = "<think>", "</think>"


def hasty(problem: Problem, rng: random.Random, correct: float = 0.03) -> str:
    """Returns a number at once, without a step; correct only by luck or with probability `correct`."""
    guess = problem.answer if rng.random() < correct else rng.randint(1, LARGEST_TOTAL)
    return f"\\boxed{{{guess}}}"


def _completion(lines: list[str], end: str) -> str:
    return "\n".join([THINK, *lines, END_THINK, end])


def worked(problem: Problem) -> str:
    """Returns the short trace: each step once, then the answer."""
    return _completion([str(step) for step in problem.steps], f"\\boxed{{{problem.answer}}}")


def rambling(problem: Problem) -> str:
    """Returns the long trace: every step is checked backwards and restated. It is as correct as the short one."""
    lines = []
    for step in problem.steps:
        back = Step(step.result, "-" if step.operation == "+" else "+", step.right)
        lines += [str(step), f"Wait, let me check: {back}, yes.", f"So that makes {step.result}."]
    return _completion(lines, f"\\boxed{{{problem.answer}}}")


@dataclass(frozen=True)
class SandboxAttempt:
    """Somebody's solution of a problem: the steps as they wrote them, none if they only guessed."""

    problem: Problem
    steps: tuple[tuple[Step, int], ...]
    """Each step with the result they wrote down, which may be incorrect."""
    answer: int

    @property
    def is_correct(self) -> bool:
        return self.answer == self.problem.answer

    @property
    def text(self) -> str:
        lines = [f"{step.left}{step.operation}{step.right}={written}" for step, written in self.steps]
        return "\n".join([*lines, f"\\boxed{{{self.answer}}}"])


def attempt(problem: Problem, rng: random.Random) -> SandboxAttempt:
    """Makes an attempt as a student does: a guess, or steps of which about half hold one mistake."""
    if rng.random() < 0.4:
        guess = problem.answer if rng.random() < 0.3 else rng.randint(1, LARGEST_TOTAL)
        return SandboxAttempt(problem, (), guess)
    slip = rng.randrange(len(problem.steps)) if rng.random() < 0.6 else None
    left, steps = problem.steps[0].left, []
    for index, step in enumerate(problem.steps):
        step = Step(left if index else step.left, step.operation, step.right)
        written = step.result
        if index == slip:
            written += rng.choice((-10, -2, -1, 1, 2, 10))
        left = max(0, written)
        steps.append((step, left))
    return SandboxAttempt(problem, tuple(steps), left)


def calculations(rng: random.Random, count: int = 8) -> str:
    """Returns bare calculations, one a line."""
    lines = []
    for _ in range(count):
        left = rng.randint(2, LARGEST_TOTAL - 1)
        if rng.random() < 0.5:
            lines.append(str(Step(left, "+", rng.randint(1, LARGEST_TOTAL - left))))
        else:
            lines.append(str(Step(left, "-", rng.randint(1, left))))
    return "\n".join(lines)


def hasty_critique(rng: random.Random, boxed: bool) -> str:
    """Returns a verdict at once, no better than a coin; `boxed` like a hasty answer."""
    verdict = rng.choice(("right", "wrong"))
    return f"\\boxed{{{verdict}}}" if boxed else f"Conclusion: {verdict}"


def worked_critique(attempt: SandboxAttempt) -> str:
    """Works the problem out, names the first step that is incorrect, and ends in the verdict."""
    lines = [str(step) for step in attempt.problem.steps]
    if attempt.is_correct:
        lines.append(f"The attempt says {attempt.answer}, that agrees.")
    else:
        lines.append(f"The attempt says {attempt.answer}, not {attempt.problem.answer}.")
        first = next((n for n, (step, written) in enumerate(attempt.steps, 1) if step.result != written), None)
        if first:
            lines.append(f"Step {first} is wrong.")
    return _completion(lines, f"Conclusion: {'right' if attempt.is_correct else 'wrong'}")


def critique_request(attempt: SandboxAttempt) -> str:
    """Returns the message that asks for a critique of an attempt."""
    return f"{attempt.problem.text}\n\nAttempt:\n{attempt.text}\n\nIs the attempt right?"
