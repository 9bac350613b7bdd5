"""Finds the final value in prose that marks no answer: a value stated last, never an expression left to work out."""

import re

from tinyreason.grading.arithmetic import read_number
from tinyreason.grading.notation import bare, plain_notation
from tinyreason.grading.units import read_unit
from tinyreason.grading.values import Value, read_date, read_value

SHORT_CHARS = 80

_SENTENCE_END = re.compile(r"[.!?](?=\s|\*|$)(?<!\b[A-Z]\.)|\n")
_REASON = re.compile(r",?\s+(?:because|since|as|which|so|and therefore|and thus|I hope)\s+[A-Za-z].*", re.DOTALL)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_STATED = re.compile(r"^.*(?:\b(?:is|are|was|were|be|being|equals|gives|makes)\b|:(?=\s)|=)\s*(.*)$", re.DOTALL)
_DIGIT_RUN = re.compile(
    r"(?:\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\\sqrt\s*(?:\[\d+\])?\s*\{[^{}]*\}|\\(?:times|cdot|div)\s*"
    r"|\\[dt]?binom\s*\{[^{}]*\}\s*\{[^{}]*\}|\^\{[^{}]*\}"
    r"|(?<=\d)(?:[eE][-+]?\d+)|\d(?:[\d,]*\d)?(?:\.\d+)?|\.\d+|[-+*/×÷^()!]|(?<=[\d)])\s*[x×]\s*(?=[\d(])|[ \t])+"
)
_UNIT = re.compile(r"\s*(%|\\%|°\s*[CF]?|\^\s*\{?\\circ\}?|[A-Za-zµ]+(?:[/^][A-Za-z0-9]+)*)")
_MONEY = re.compile(r"[$€£¥]\s*$")
_DATE = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}/\d{1,2}/\d{4}|[A-Za-z]+\.? \d{1,2},? \d{4}|\d{1,2} [A-Za-z]+ \d{4}"
)
_LETTER = re.compile(r"\(?([A-J])\)?(?:[.:)]\s.*)?", re.DOTALL)
_ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)


def find_in_prose(text: str, wanted: Value, problem: str) -> str:
    """Returns the final value of the kind that is wanted, or nothing."""
    text = text.strip()
    if not text:
        return ""
    if wanted.kind == "number":
        return _final_number(text, bool(wanted.unit))
    if wanted.kind == "date":
        found = [date[0] for date in _DATE.finditer(text) if read_date(date[0])]
        return found[-1] if found else ""
    if wanted.kind in ("truth", "option", "words"):
        return _final_words(text, wanted)
    return _final_expression(text, wanted, problem)


def strip_sentence(line: str) -> str:
    """Returns the beginning of a line up to the end of its first sentence, without a reason that follows."""
    ends = [found.start() for found in _SENTENCE_END.finditer(line) if found.start() > 0]
    sentence = line[: ends[0]] if ends else line
    return bare(_REASON.sub("", sentence).strip(" *_")).rstrip(" ,;")


def _final_number(text: str, with_unit: bool) -> str:
    """Returns the last number of the text, or a bold one in its last line; nothing where it is part of a sum."""
    bold = [bare(found[1]) for found in _BOLD.finditer(text[text.rstrip().rfind("\n") + 1 :])]
    if bold and read_value(bold[-1]).kind == "number":
        return bold[-1] if read_value(bold[-1]).number.form != "unevaluated" else ""
    runs = [found for found in _DIGIT_RUN.finditer(text) if any(one.isdigit() for one in found[0])]
    if not runs:
        return ""
    run = runs[-1]
    answer = _value_in(run[0], text[: run.start()])
    if not answer:
        return ""
    if money := _MONEY.search(text[: run.start()]):
        answer = money[0].strip() + answer if money[0].strip() != "$" or with_unit else answer
    unit = _UNIT.match(text, run.end())
    if with_unit and unit and "^" in read_unit(plain_notation(unit[1])).measures:
        answer += f" {unit[1]}"
    return answer


def _value_in(run: str, before: str) -> str:
    """Returns the value that a run of digits and signs ends in; nothing where it is an expression."""
    starts_line = not before.strip() or before.rstrip(" \t").endswith("\n")
    run = re.sub(r"^\s*[-*+]\s+", "", run) if starts_line else run
    run = re.sub(r"\s*[x×]\s*", "*", run).rstrip(" -+*/(^!\t")
    run = run.strip()
    for candidate in (run, run.strip("()"), run.lstrip(")-+*/ ").strip("() ")):
        number = read_number(plain_notation(candidate))
        if number:
            return candidate if number.is_lowest or number.form == "value" else ""
    last = re.search(r"(?<![\d.)])[-+]?\d(?:[\d,]*\d)?(?:\.\d+)?\)*$", run)
    if not last or re.search(r"(?:[*/+^÷-]|\\times|\\cdot|\\div)\s*$", run[: last.start()].rstrip()):
        return ""
    is_difference = last[0][0] in "+-" and re.search(r"[\d)}]\s*$", run[: last.start()])
    return "" if is_difference and not run[: last.start()].endswith("  ") else last[0].strip("()")


def _final_words(text: str, wanted: Value) -> str:
    """Returns all of a short text, else what is bold in the last line, else what the last sentence states."""
    whole = strip_sentence(text) if len(text) <= SHORT_CHARS and "\n" not in text else ""
    line = text[text.rstrip().rfind("\n") + 1 :]
    bold = [bare(found[1]) for found in _BOLD.finditer(line)]
    sentences = [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip(" *_")]
    stated = _STATED.match(sentences[-1]) if sentences else None
    candidates = [whole, bold[-1] if bold else "", _REASON.sub("", stated[1]) if stated else ""]
    for candidate in map(bare, candidates):
        if value := _of_kind(candidate, wanted):
            return value
    return ""


def _of_kind(candidate: str, wanted: Value) -> str:
    if not candidate:
        return ""
    if wanted.kind == "option":
        found = _LETTER.fullmatch(candidate.removeprefix("option ").removeprefix("choice "))
        return found[1] if found else ""
    value = read_value(candidate)
    if wanted.kind == "truth":
        return value.text if value.kind == "truth" else ""
    is_sentence = bool(_STATED.match(candidate)) and len(candidate.split()) > len(wanted.text.split())
    if value.kind != "words" or is_sentence:
        return ""
    same_article = _ARTICLE.match(wanted.text)
    return candidate if same_article else _ARTICLE.sub("", candidate)


def _final_expression(text: str, wanted: Value, problem: str) -> str:
    """Returns the last formula, or what the last sentence states, for Math-Verify or a list."""
    sentences = [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip(" *_$")]
    stated = _STATED.match(sentences[-1].replace("\\(", "$").replace("\\)", "$")) if sentences else None
    formulas = [next(filter(None, found.groups())) for found in _MATH.finditer(text)]
    if wanted.kind == "list" and stated and read_value(stated[1].replace("$", "")).kind == "list":
        return stated[1].replace("$", "")
    ending = [next(filter(None, found.groups())) for found in _MATH.finditer(sentences[-1])] if sentences else []
    if wanted.kind == "list" and len(ending) > 1:
        return ", ".join(ending)
    if formulas:
        answer = formulas[-1].strip()
    else:
        answer = bare((stated[1] if stated else text if len(text) <= SHORT_CHARS else "").replace("$", ""))
    is_stated = "=" in answer or answer != text
    plain = re.sub(r"[\s{}]", "", plain_notation(answer))
    if problem and plain in re.sub(r"[\s{}$]", "", plain_notation(problem)):
        return ""
    return answer if answer and is_stated | (len(answer) <= SHORT_CHARS) else ""
