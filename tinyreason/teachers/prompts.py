"""Says every word that is said to a teacher."""

import re

from tinyreason.example import Example
from tinyreason.prompts import CRITIQUE_REQUEST
from tinyreason.sandbox.oracle import critique_request
from tinyreason.sandbox.reader import read_attempt, read_problem

Messages = tuple[dict[str, str], ...]

CRITIQUE_TEACHER = """\
You mark solutions to problems that have one correct answer. You are given a problem and one attempt at it.

Work the problem out yourself before you judge. Then go through the attempt in its own order. Name the first step \
that does not hold, say why it does not, and show how it should read; if every step holds, say what makes the attempt \
sound. Do not invent mistakes, and do not mention any other problem. Keep to what a student needs in order \
to see the point.

Your last line decides, and it is one of these two, with nothing after it:
Conclusion: right
Conclusion: wrong"""
TEACHER_REQUEST = "Problem:\n{problem}\n\nAttempt:\n{attempt}\n\nMark this attempt."

SOLUTION_TEACHER = """\
You write model solutions for students. Solve the problem in short, complete steps that follow from each other, check \
the result against what was asked, and put the final answer, and only it, inside \\boxed{} at the end."""
SOLUTION_REQUEST = "{problem}"

VERDICT = re.compile(r"\bconclusion\W{1,6}(right|wrong)\W*(?:\[end\]\W*)?$", re.IGNORECASE)


def critique_messages(example: Example, attempt: str, in_words: bool) -> Messages:
    """Returns what a teacher is asked about an attempt; without `in_words` a sandbox attempt is put as there."""
    if not in_words and read_problem(example.problem):
        return ({"role": "user", "content": training_request(example, attempt)},)
    request = TEACHER_REQUEST.format(problem=example.problem, attempt=attempt)
    return _chat(CRITIQUE_TEACHER, request)


def solution_messages(example: Example, in_words: bool) -> Messages:
    """Returns what a teacher is asked when its own solution is wanted."""
    if not in_words and read_problem(example.problem):
        return ({"role": "user", "content": example.problem},)
    return _chat(SOLUTION_TEACHER, SOLUTION_REQUEST.format(problem=example.problem))


def training_request(example: Example, attempt: str) -> str:
    """Returns the user's message in training, in the sandbox's own words where problem and attempt are its own."""
    problem = read_problem(example.problem)
    known = problem and read_attempt(problem, attempt)
    if known:
        return critique_request(known)
    return CRITIQUE_REQUEST.format(problem=example.problem, attempt=attempt)


def verdict_of(critique: str) -> str | None:
    """Returns `right` or `wrong` if the critique ends in its verdict."""
    found = VERDICT.search(critique.rstrip()[-200:])
    return found[1].lower() if found else None


def end_in_verdict(critique: str) -> str:
    """Returns the critique with its last words as training wants them: no markdown, no [END]."""
    text = critique.strip()
    found = VERDICT.search(text)
    if not found:
        return text
    return f"{re.sub('[*_#]+ ?$', '', text[: found.start()])}Conclusion: {found[1].lower()}"


def printed(kind: str) -> str:
    """Returns the prompts of `critiques` or `solutions`, for --print-prompt."""
    parts = {
        "critiques": (
            ("the teacher, system", CRITIQUE_TEACHER),
            ("the teacher, user", TEACHER_REQUEST),
            ("training, user", CRITIQUE_REQUEST),
        ),
        "solutions": (("the teacher, system", SOLUTION_TEACHER), ("the teacher, user", SOLUTION_REQUEST)),
    }[kind]
    return "\n\n".join(f"--- {who}\n{text}" for who, text in parts)


def _chat(system: str, user: str) -> Messages:
    return ({"role": "system", "content": system}, {"role": "user", "content": user})
