"""Finds the answer in a completion and in a published gold answer: a box decides, then what follows `####`."""

import re
from typing import NamedTuple

MAX_ANSWER_CHARS = 2_000
SEARCHED_CHARS = 4_000  # at the end of a completion that marks no answer

NO_ANSWER = "no answer found"
TOO_LONG = f"answer longer than {MAX_ANSWER_CHARS:,} characters"

_NUMBER = re.compile(r"\$?([-+]?\$?\d[\d,]*(?:\.\d+)?%?)(?:\.|\s+[A-Za-z]{2,}[A-Za-z .]*)?")
_BRACE = re.compile(r"\\boxed\s*\{|\\\\(?!boxed)|\\[{}]|[{}]")


class Pair(NamedTuple):
    """A gold answer and what a completion says: its `answer`, or `prose` to search for one, or neither."""

    gold: str
    answer: str = ""
    prose: str = ""
    why_not: str = NO_ANSWER


def read_pair(completion: str, gold_answer: str) -> Pair:
    """Returns what is to be compared: the box, else `#### x`, else the end of the text for Math-Verify to search."""
    gold = gold_text(gold_answer)
    _, closed, said = completion.rpartition("</think>")
    if not closed and "<think>" in said:
        return Pair(gold)
    answer, prose = _marked(said)
    if answer is None:
        return Pair(gold, prose=prose.strip()[-SEARCHED_CHARS:])
    return Pair(gold, answer) if len(answer) <= MAX_ANSWER_CHARS else Pair(gold, why_not=TOO_LONG)


def gold_text(answer: str) -> str:
    """Returns the part of a published answer that is compared: its box, what follows `####`, or all of it."""
    marked, _ = _marked(answer)
    return _bare(answer) if marked is None else marked


def _bare(text: str) -> str:
    """Strips the space and full stop around a text: Math-Verify cannot read `104.`."""
    return text.strip().rstrip(". ")


def _marked(text: str) -> tuple[str | None, str]:
    """Returns (the answer in the last balanced `\\boxed{...}` or after `####`, the text before an unclosed box)."""
    start, end = -1, -1
    open_braces: list[int] = []  # where the content of a box starts, -1 for a brace that is not a box's
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            open_braces.append(-1)
        elif token[0].startswith("\\boxed"):
            open_braces.append(token.end())
        elif token[0] == "}" and open_braces and (content := open_braces.pop()) > start:
            start, end = content, token.start()
    never_closed = next((content for content in open_braces if content >= 0), None)
    prose = text if never_closed is None else text[: text.rindex("\\boxed", 0, never_closed)]
    return (_after_hashes(prose) if start < 0 else _bare(text[start:end])), prose


def _after_hashes(text: str) -> str | None:
    """Returns what follows the last `####`: a number, or any last line; elsewhere `####` is a Markdown heading."""
    _, found, after = text.rstrip().rpartition("####")
    line, more, _ = after.partition("\n")
    number = _NUMBER.fullmatch(line.strip())
    return None if not found or (more and not number) else number[1] if number else _bare(line)
