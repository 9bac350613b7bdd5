"""Finds the answer in a completion and in a published gold answer: a mark decides, and without one the final value.

The marks, from the strongest: `<answer>`, `\\boxed{}`, `####`, and words such as "Answer: 42".
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from tinyreason.grading.notation import ascii_notation, bare, compact
from tinyreason.grading.prose import find_in_prose, strip_sentence
from tinyreason.grading.thought import said
from tinyreason.grading.values import UNEVALUATED, count_elements, read_value

MAX_ANSWER_CHARS = 2_000
SEARCHED_CHARS = 4_000  # at the end of a completion that marks no answer
MOST_BOXES = 10

NO_ANSWER = "no answer found"
TOO_LONG = f"answer longer than {MAX_ANSWER_CHARS:,} characters"
TRUNCATED = "truncated before an answer was marked"
RESTATED = "the answer stands in the problem and is not worked out"
MANY_BOXES = "several boxes that differ, where one answer is wanted"

_NUMBER = re.compile(r"\$?([-+]?\$?\d[\d,]*(?:\.\d+)?%?)(?:\.|\s+[A-Za-z]{2,}[A-Za-z .]*)?")
_BRACE = re.compile(r"\\boxed\s*\{|\\\\(?!boxed)|\\[{}]|[{}]")
_TAG = re.compile(r"<(answer|SOLUTION|final_answer)>((?:(?!<\1>).)*?)</\1>", re.DOTALL | re.IGNORECASE)
_CORRECTED = re.compile(
    r"\b(?:rather|no|not|wait|actually|correct(?:ion|ed)?|instead|mistake|sorry|so|thus|then|hence|therefore|final"
    r"|finally|recheck\w*|check\w*)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"[\s$\\(){},;.]*(?:\b(?:and|\\text\{\s*and\s*\})\b)?[\s$\\(){},;.]*")
_SAID = re.compile(
    r"(?:\b(?:final|correct|right)?\s*(?:answer|option|choice)\b(?:\s+to\s+[^.:\n]{1,80}?)?[*_ ]*"
    r"(?:\s+(?:is|are|must be|should be|would be)\b(?:\s+(?:therefore|thus|then|[a-z]+ly))?[*_ ]*:?|\s*[:=])"
    r"|\bfinal answer[*_ ]*(?=\n)|答案\s*(?:是|为|為|应为|:)|ответ\s*[:—-]|答え\s*(?:は|:)|정답은"
    r"|\b(?:respuesta|réponse|antwort|risposta|resposta)\b[^.:\n]{0,20}?(?:es|est|ist|è|é|:)(?=[\s*:]))[*_ :]*",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice)\s*\(?([A-J])\)?\s+is\s+(?:the\s+)?(?:correct|answer|best)"
    r"|(?<![\w'])\(?([A-J])\)?\s+is\s+(?:the\s+)?(?:correct|best)\b"
    r"|\b(?:choose|pick|select)\s+(?:(?:option|choice)\s*)?\(?([A-J])\)?(?![\w'])"
)


class Pair(NamedTuple):
    """A gold answer and what a completion says, or why that says nothing."""

    gold: str
    answer: str = ""
    why_not: str = ""
    """Why the answer does not count, whatever it is worth."""
    rule: str = ""
    """Which grader compares them, as `Example.rule`."""


def read_pairs(completion: str, gold: str, is_truncated: bool, problem: str, is_thought_open: bool) -> list[Pair]:
    """Returns what is to be compared with a gold text: one pair, or one for each of several boxes.

    The completion is correct if all of them are.
    """
    conclusion = said(completion, is_thought_open)
    if conclusion is None:
        return [Pair(gold, why_not=NO_ANSWER)]
    pairs = _marked_pairs(conclusion, gold, is_truncated)
    if not pairs and is_truncated:
        return [Pair(gold, why_not=TRUNCATED)]
    if not pairs:
        answer = find_in_prose(_before_open_box(conclusion).strip()[-SEARCHED_CHARS:], read_value(gold), problem)
        return [_checked(Pair(gold, answer, "" if answer else NO_ANSWER), problem, is_prose=True)]
    return [_checked(pair, problem) for pair in pairs]


def read_marked_pairs(
    completion: str, wanted: Pair, find: Callable[[str], str], is_truncated: bool, is_thought_open: bool
) -> list[Pair]:
    """Returns the same for another grader than `math`: what is marked, else what `find` makes of the prose."""
    conclusion = said(completion, is_thought_open)
    answers = [] if conclusion is None else _marked_texts(conclusion)
    if conclusion and not answers:
        if is_truncated:
            return [wanted._replace(why_not=TRUNCATED)]
        answers = [find(_before_open_box(conclusion)[-SEARCHED_CHARS:])]
    if len(answers) > MOST_BOXES:
        return [wanted._replace(answer=answers[-1][:MAX_ANSWER_CHARS], why_not=MANY_BOXES)]
    pairs = [wanted._replace(answer=one, why_not="" if one else NO_ANSWER) for one in answers]
    pairs = [one if len(one.answer) <= MAX_ANSWER_CHARS else wanted._replace(why_not=TOO_LONG) for one in pairs]
    return pairs or [wanted._replace(why_not=NO_ANSWER)]


@lru_cache(maxsize=4096)
def gold_text(answer: str) -> str:
    """Returns the part of a published answer that is compared: its boxes, what follows `####`, or all of it."""
    boxes = _boxes(answer)
    if not boxes:
        hashes = _after_hashes(answer)
        return _bare(answer) if hashes is None else hashes
    last = len(boxes) - 1
    while last and _JOINED.fullmatch(answer[boxes[last - 1][1] : boxes[last][0]].replace("\\boxed", "")):
        last -= 1
    return ", ".join(dict.fromkeys(_bare(answer[start:end]) for start, end in boxes[last:]))


def restates(problem: str, answer: str, gold: str, is_prose: bool = False) -> bool:
    """Returns whether an answer is an expression of the problem, written otherwise than the gold answer.

    A number is none, nor is a fraction in its lowest terms, unless it stands in prose and another form is wanted.
    """
    value = read_value(answer)
    if not problem or value.kind not in ("number", "symbolic"):
        return False
    if value.number and value.number.is_lowest:
        wanted = read_value(gold).number
        if not is_prose or value.number.form == "literal" or (wanted and wanted.form == value.number.form):
            return False
    text = compact(answer)
    is_expression = re.search(r"[-+*/^÷!\\]", text.lstrip("+-")) is not None
    return is_expression and text != compact(gold) and text in _compact_problem(problem)


@lru_cache(maxsize=1024)
def _compact_problem(problem: str) -> str:
    return compact(problem)


def _checked(pair: Pair, problem: str, is_prose: bool = False) -> Pair:
    if len(pair.answer) > MAX_ANSWER_CHARS:
        return Pair(pair.gold, why_not=TOO_LONG)
    if not pair.why_not and not pair.answer.isdigit() and restates(problem, pair.answer, pair.gold, is_prose):
        return pair._replace(why_not=RESTATED)
    return pair


def _marked_pairs(said: str, gold: str, is_truncated: bool) -> list[Pair]:
    if "<" in said and (tags := list(_TAG.finditer(said))):
        offered = _offered(said, [tag.span(2) for tag in tags])
        if len(offered) > MOST_BOXES:
            return [Pair(gold, offered[-1], MANY_BOXES)]
        return [pair for inside in offered for pair in _boxed_pairs(inside, gold) or [_said_pair(inside, gold)]]
    if "\\boxed" in said:
        if pairs := _boxed_pairs(said, gold):
            return pairs
        said = _before_open_box(said)
    answer = _after_hashes(said)
    if answer is not None and not (
        is_truncated and said.rpartition("####")[2].strip() == answer == said[-len(answer) :]
    ):
        return [Pair(gold, answer, "" if answer else NO_ANSWER)]
    return _worded_pairs(said, gold, is_truncated)


def _boxed_pairs(said: str, gold: str) -> list[Pair]:
    """Returns the last box; several that differ are one answer if as many are wanted, else each has to be correct."""
    boxes = _boxes(said)
    if not boxes:
        return []
    answers = [_bare(said[start:end]) for start, end in boxes]
    pair = Pair(gold, answers[-1], "" if answers[-1] else NO_ANSWER)
    if len(set(answers)) == 1:
        return [pair]
    wanted = 1 if _is_long(gold) else count_elements(gold)
    if wanted > 1:
        if count_elements(answers[-1]) == wanted:
            return [pair]
        together = [answers[n] for n in range(len(answers)) if answers[n] not in answers[:n]]
        return [Pair(gold, ", ".join(together))]
    offered = _offered(said, boxes)
    if len(offered) > MOST_BOXES:
        return [Pair(gold, answers[-1], MANY_BOXES)]
    return [Pair(gold, answer, "" if answer else NO_ANSWER) for answer in offered]


def _offered(said: str, spans: list[tuple[int, int]]) -> list[str]:
    """Returns the marked texts that differ, without those that a later one corrects."""
    if not spans:
        return []
    first = len(spans) - 1
    while first and not _CORRECTED.search(said[spans[first - 1][1] : spans[first][0]]):
        first -= 1
    return list(dict.fromkeys(_bare(said[start:end]) for start, end in spans[first:]))


def _marked_texts(said: str) -> list[str]:
    """Returns what the strongest mark holds, without what a later one corrects; of words the paragraph behind them."""
    if tags := [tag.span(2) for tag in _TAG.finditer(said)]:
        return [text for inside in _offered(said, tags) for text in _offered(inside, _boxes(inside)) or [inside]]
    if boxes := _boxes(said):
        return _offered(said, boxes)
    said = _before_open_box(said)[-SEARCHED_CHARS:]
    if answer := _after_hashes(said):
        return [answer]
    marks = list(_SAID.finditer(ascii_notation(said)))
    return [_bare(bare(ascii_notation(said)[marks[-1].end() :].strip().partition("\n\n")[0]))] if marks else []


def _worded_pairs(said: str, gold: str, is_truncated: bool) -> list[Pair]:
    said = said[-SEARCHED_CHARS:]
    text = ascii_notation(said)
    marks = list(_SAID.finditer(text))
    if marks:
        rest = text[marks[-1].end() :].lstrip()
        line, more, _ = rest.partition("\n")
        answer = strip_sentence(line)
        is_finished = bool(more) or len(line.strip()) > len(answer.strip()) + 1 or not is_truncated
        if answer.startswith("not ") and read_value(gold).kind != "words":
            return [Pair(gold, answer, NO_ANSWER)]
        return [_unless_left(_said_pair(answer, gold))] if answer and is_finished and _counts(answer, gold) else []
    chosen = [found[1] or found[2] or found[3] for found in _CHOSEN.finditer(text)]
    return [Pair(gold, chosen[-1])] if chosen else []


def _unless_left(pair: Pair) -> Pair:
    """Refuses a fraction that is left to be divided: in words it counts in its lowest terms only."""
    number = read_value(pair.answer).number
    is_left = number is not None and number.form == "fraction" and read_value(pair.gold).kind == "number"
    return pair._replace(why_not=UNEVALUATED) if is_left and not pair.why_not else pair


def _counts(answer: str, gold: str) -> bool:
    """Returns whether words after "the answer is" can be the answer: for a number, only what holds a digit."""
    return read_value(gold).kind != "number" or any(one.isdigit() or one == "\\" for one in answer)


def _said_pair(text: str, gold: str) -> Pair:
    """Returns a marked answer as it stands, or the final value in it where it is a sentence and a number is wanted."""
    answer = _bare(bare(text))
    wanted = read_value(gold)
    if answer and " " in answer and not _is_long(gold) and read_value(answer).kind in ("symbolic", "words"):
        answer = find_in_prose(answer, wanted, "") or answer
    return Pair(gold, answer, "" if answer else NO_ANSWER)


def _is_long(gold: str) -> bool:
    return len(gold) > MAX_ANSWER_CHARS


def _bare(text: str) -> str:
    """Strips the space and full stop around a text: Math-Verify cannot read `104.`; of `12\\ ` the whole `\\ `."""
    return text.strip().rstrip(". \\")


def _boxes(text: str) -> list[tuple[int, int]]:
    """Returns (start, end) of the content of each balanced `\\boxed{...}` that holds no other box."""
    boxes: list[tuple[int, int]] = []
    open_braces: list[int] = []  # where the content of a box starts, -1 for a brace that is not a box's
    if "\\boxed" not in text:
        return boxes
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            open_braces.append(-1)
        elif token[0].startswith("\\boxed"):
            open_braces.append(token.end())
        elif (
            token[0] == "}"
            and open_braces
            and (content := open_braces.pop()) >= 0
            and (not boxes or content > boxes[-1][0])
        ):
            boxes.append((content, token.start()))
    return boxes


def _before_open_box(text: str) -> str:
    """Returns the text before the first box that is never closed; all of it where there is none."""
    open_braces: list[int] = []
    if "\\boxed" not in text:
        return text
    for token in _BRACE.finditer(text):
        if token[0] == "{" or token[0].startswith("\\boxed"):
            open_braces.append(-1 if token[0] == "{" else token.start())
        elif token[0] == "}" and open_braces:
            open_braces.pop()
    return text[: next((start for start in open_braces if start >= 0), len(text))]


def _after_hashes(text: str) -> str | None:
    """Returns what follows the last `####`: a number, or any last line; elsewhere `####` is a Markdown heading."""
    _, found, after = text.rstrip().rpartition("####")
    line, more, _ = after.partition("\n")
    number = _NUMBER.fullmatch(line.strip())
    return None if not found or (more and not number) else number[1] if number else _bare(line)
