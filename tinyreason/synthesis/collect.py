"""Has requests answered into the response cache: only what it lacks is asked."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from tinyreason.console import Console
from tinyreason.errors import TeacherError
from tinyreason.inference.local_sampling import sample_locally
from tinyreason.synthesis.response_cache import ResponseCache
from tinyreason.teachers.request import Answer, Request, Work
from tinyreason.teachers.teacher import Teacher

PATIENCE = 20
"""So many answers and none of them usable: no more are paid for."""


def collect(
    teacher: Teacher,
    requests: list[Request],
    cache: ResponseCache,
    console: Console,
    what: str,
    usable: Callable[[str], Any] = str.strip,
    needs: str = "says anything",
) -> Counter[str]:
    """Puts each answer into the response cache as it arrives; returns why some did not, reason → how many.

    `needs` is what `usable` asks of an answer, in words. Raises `CostLimit` and `TeacherError`, once what was on its
    way has arrived.
    """
    missing = [request for request in requests if request.id not in cache]
    known = [cache[request.id] for request in requests if request.id in cache]
    paid = sum(map(price, known))
    verdicts = Counter(bool(usable(answer.text)) for answer in known)
    faults: Counter[str] = Counter()

    def check_patience(last: str) -> None:
        if verdicts[False] >= PATIENCE and not verdicts[True]:
            raise TeacherError(
                f"none of {verdicts[False]} {what} of {teacher.title} {needs}; the last ends '{last[-60:]}': "
                "choose another --model, or raise --max-tokens."
            )

    def deliver(answer: Answer) -> None:
        nonlocal paid
        if answer.text is None:
            faults[answer.fault] += 1
            return
        (cache.hold if teacher.is_free else cache.append)(answer)
        paid += price(answer)
        verdicts[bool(usable(answer.text))] += 1
        live.advance(note=f"cost {paid:.4f}" if paid else "")
        check_patience(answer.text)

    if missing:
        if known:
            check_patience(known[-1].text)
        with console.live(what, total=len(missing)) as live:
            teacher.answer(Work(missing, deliver, paid, sample_locally))
    return faults


def price(answer: Answer) -> float:
    """Returns what an answer cost, or may have cost."""
    return (answer.cost or 0.0) + answer.possible_cost
