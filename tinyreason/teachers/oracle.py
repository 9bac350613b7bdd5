"""Asks the critic of generated problems."""

from typing import ClassVar, Literal

from tinyreason.data import word_problems
from tinyreason.errors import TeacherError
from tinyreason.sandbox import oracle
from tinyreason.sandbox.reader import read_attempt, read_problem
from tinyreason.teachers.request import Answer, Request, Work
from tinyreason.teachers.teacher import Teacher


class Oracle(Teacher):
    """Works a generated problem out, points at the first incorrect step of an attempt, and is never mistaken.

    Why: a teacher that costs nothing and needs no network, so that the whole way can be tried and tested.

    Reward hacking: its critiques are all of one mould; what a model learns from them it learns for that mould.

    Example: `teacher: {kind: oracle}`.
    """

    kind: Literal["oracle"] = "oracle"
    is_free: ClassVar[bool] = True

    def answer(self, work: Work) -> None:
        for request in work.requests:
            work.deliver(Answer(request.id, _say(request), cost=0.0))


def _say(request: Request) -> str:
    if words := word_problems.problem_of(request.example.meta):
        attempt = request.attempt
        return word_problems.critique_of(words, attempt.text) if attempt else word_problems.short_solution(words)
    problem = read_problem(request.example.problem)
    if problem is None:
        raise TeacherError(
            f"the oracle knows the sandbox's and word problems only, and problem '{request.example.id}' is not one of "
            "them; choose another --teacher: openai, local or file."
        )
    if request.attempt is None:
        return oracle.worked(problem)
    attempt = read_attempt(problem, request.attempt.text)
    if attempt is None:
        raise TeacherError(f"the oracle finds no \\boxed{{}} answer in an attempt at problem '{request.example.id}'.")
    return oracle.worked_critique(attempt)
