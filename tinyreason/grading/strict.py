r"""Grades a second time, strictly: the final answer must read like the gold answer or be the same number; no algebra.

Training never sees this grader: a policy that has found a hole in the other one (reward hacking) seldom fits through
both, so where the two disagree on a gain, the gain is not believed.

An example with a grader of its own in `graders/` has one rule: here it is asked about an answer that is found another
way, so the two can disagree about which answer is the final one, not about whether it is correct.

The final answer is what the last mark names: a box, `<answer>`, `####`, "the answer is", "Answer:". Without a mark it
is the last number of a completion that was not truncated, for a gold that is a number. Boxes that differ give none,
unless together they are the gold: `\boxed{1}, \boxed{2}` for `1, 2`.
"""

import re
from fractions import Fraction
from functools import cache

from tinyreason.grading.answers import MAX_ANSWER_CHARS, Pair, gold_text
from tinyreason.grading.grader import Grader
from tinyreason.grading.graders import read_rule
from tinyreason.grading.notation import has_digits_apart
from tinyreason.grading.thought import said

_BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|[{}]")
_TAG = re.compile(r"<(answer|solution)>(.{0,2000}?)</\1>", re.DOTALL | re.IGNORECASE)
_HASHES = re.compile(r"####[ \t]*(\S.*)")
_SAYS = re.compile(
    r"(?:\banswer|答案)[*_ ]*(?:\bis\b|[:：=]|是|为)[*_:： ]*(.{1,200}?)(?=[*_]|\.\s|\.$|[\n。;；]|$)", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?![\w])")
_ONE_NUMBER = re.compile(r"([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)(?:/(\d+))?")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_WORDS = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|[,!;: ])|[\s$~]|\\(?=%)|\\+$")
_IN_BRACKETS = re.compile(r"\((\w+)\)")


def accepts(completion: str, gold_answer: str, truncated: bool, rule: str = "") -> bool:
    """Returns whether the final answer of a completion reads like the gold answer, or is the same number.

    With another grader than `math`, as in `Example.rule`, its rule decides on the answer that is found here.
    """
    if rule:
        return _accepts_by(rule, completion, gold_text(gold_answer), truncated)
    gold, answer = value_of(gold_text(gold_answer)), closing_words(completion)
    boxes = [content for _, content in _boxes(answer)]
    if len({value_of(content) for content in boxes}) > 1:
        return value_of(",".join(boxes)) == gold
    answers = boxes or marked_answers(answer)
    if not answers and not truncated and isinstance(gold, Fraction):
        answers = numbers_in(answer)
    return bool(answers) and gold in (value_of(answers[-1]), _amount(answers[-1]))


def _accepts_by(rule: str, completion: str, gold: str, truncated: bool) -> bool:
    grader, answer = read_rule(rule), closing_words(completion)
    marked = [content for _, content in _boxes(answer)] or marked_answers(answer)
    if not marked and not truncated:
        marked = [grader.find(answer)]
    if not marked or len(marked[-1]) > MAX_ANSWER_CHARS:
        return False
    if grader.runs_foreign_code:
        return _workers().compare(Pair(gold, marked[-1], rule=rule)).correct is True
    return grader.grade(gold, marked[-1])[0]


@cache
def _workers() -> Grader:
    return Grader(workers=1)


def closing_words(completion: str) -> str:
    """Returns what a completion says after its thought; nothing where the thought never ends."""
    return said(completion) or ""


def marked_answers(text: str) -> list[str]:
    """Returns every answer that a text marks, in the order of the text."""
    found = _boxes(text)
    found += [(match.end(), match[2]) for match in _TAG.finditer(text)]
    found += [(match.end(), match[1]) for match in _HASHES.finditer(text)]
    found += [(match.end(), match[1]) for match in _SAYS.finditer(text) if "\\boxed" not in match[1]]
    return [answer.strip() for _, answer in sorted(found) if answer.strip(" .*_:")]


def numbers_in(text: str) -> list[str]:
    """Returns the numbers of a text, in its order: `1,234.5`, `-3`, `3/4`."""
    return _NUMBER.findall(text)


def value_of(answer: str) -> Fraction | str:
    """Returns an answer as an exact number, else its text without layout and case."""
    if has_digits_apart(answer):
        return " ".join(answer.split()).casefold()
    text = _LAYOUT.sub("", _FRACTION.sub(r"\1/\2", _WORDS.sub(r"\1", answer))).strip(".*_").casefold()
    text = _IN_BRACKETS.sub(r"\1", text) if _IN_BRACKETS.fullmatch(text) else text
    match = _ONE_NUMBER.fullmatch(text)
    if match is None or not match[1].strip("+-") or len(text) > 60:
        return text
    return Fraction(match[1].replace(",", "")) / int(match[2] or 1) if int(match[2] or 1) else text


def _amount(answer: str) -> Fraction | str | None:
    """Returns the number of an answer in words: `12 dollars`, `x = 12`; None where there are several, or a formula."""
    numbers = numbers_in(answer)
    plain = len(numbers) == 1 and not set(answer.replace(numbers[0], "", 1)) & set("+-*/^\\{}!")
    return value_of(numbers[0]) if plain else None


def _boxes(text: str) -> list[tuple[int, str]]:
    """Returns (where it ends, its content) of every outermost box that is closed."""
    found: list[tuple[int, str]] = []
    open_braces: list[int] = []  # where the content of a box starts, -1 for a brace that is not a box's
    for token in _BRACE.finditer(text):
        if token[0] != "}":
            open_braces.append(-1 if token[0] == "{" else token.end())
        elif open_braces and (start := open_braces.pop()) >= 0:
            while found and found[-1][0] > start:
                found.pop()  # a box inside this one
            found.append((token.start(), text[start : token.start()]))
    return found
