"""Reads an answer as a number, a date, a truth value, an option or words, and compares two without any algebra."""

import re
from functools import lru_cache
from typing import NamedTuple

from tinyreason.grading.arithmetic import Number, read_number, same_number
from tinyreason.grading.notation import plain_notation
from tinyreason.grading.units import read_unit, split_unit

UNEVALUATED = "an expression that is not worked out"
MOST_ELEMENTS = 50

_TRUTH = re.compile(r"(true|false|yes|no)(?:\s*[.,;:!—-]\s.*|[.!]?)", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(
    r"(?:option|choice)?\s*(?:\(([A-Za-z])\)|([A-Z])|([A-Z])\s*[.:)]\s*\S.*|\(([A-Z])\)\s*\S.*)[.:)]?", re.DOTALL
)
_BASE = re.compile(r"([0-9A-Fa-f]+)\s*_\s*\{?\s*(\d+)\s*\}?(?:\s*\(?base\)?)?")
_WORD = re.compile(r"[^\W\d_]+")
_TEXT = re.compile(r"[\w\s'’.,;:!?@&/#%-]+")
_CODE = re.compile(
    r"\d{2,}(?:-\d{2,})+|\d+(?:\.\d+){2,}|\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]\.?m\.?)?"
    r"|(?=.*[A-Z].*\d|.*\d.*[A-Z].*[A-Z])[A-Za-z][A-Za-z0-9]*(?:[-_./#][A-Za-z0-9]+)*"
    r"|[A-Z]{2,}(?:\s*=\s*[A-Z]{2,})+",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"[A-Za-z]\d*")
_MATHS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp sqrt pi alpha beta gamma delta theta phi "
    "lambda mu omega sigma tau epsilon rho infinity infty inf oo mod gcd lcm max min lim frac cup cap np".split()
)
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS) + "|sept"
_DATES = (
    re.compile(r"(?P<y>\d{4})\s*[-/.]\s*(?P<m>\d{1,2})\s*[-/.]\s*(?P<d>\d{1,2})"),
    re.compile(rf"(?P<w>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}})", re.IGNORECASE),
    re.compile(rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<w>{_MONTH})\.?,?\s+(?P<y>\d{{4}})", re.IGNORECASE),
)
_SHORT_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_SIDES = re.compile(r"(?<![<>!:=\\])=(?!=)|\\approx(?![A-Za-z])|\\equiv(?![A-Za-z])")


class Value(NamedTuple):
    """What an answer is: its kind, and what is compared of it."""

    kind: str
    """One of `number`, `truth`, `option`, `date`, `words`, `list` or `symbolic`."""
    number: Number | None = None
    unit: str = ""
    text: str = ""
    parts: tuple["Value", ...] = ()


@lru_cache(maxsize=8192)
def read_value(text: str) -> Value:
    """Returns what an answer is, as it stands in a box."""
    plain = plain_notation(text)
    if len(plain) > 2_000:
        return Value("symbolic", text=plain)
    if (date := read_date(plain)) is not None:
        return Value("date", text=date)
    if _CODE.fullmatch(plain) and not _VARIABLE.fullmatch(plain) and not _BASE.fullmatch(plain):
        return Value("words", text=_folded(plain).replace(" ", ""))
    if (number := _quantity(plain)) is not None:
        return number
    if truth := _TRUTH.fullmatch(plain):
        return Value("truth", text=truth[1].lower())
    if option := _OPTION.fullmatch(plain):
        return Value("option", text=next(filter(None, option.groups())))
    if _is_words(plain):
        return Value("words", text=_folded(plain))
    parts = split_elements(plain)
    if len(parts) > 1:
        return Value("list", text=plain, parts=tuple(read_value(part) for part in parts))
    return Value("symbolic", text=plain)


def compare_values(gold: str, answer: str) -> tuple[bool | None, str]:
    """Returns (whether they are equal, or None where algebra has to tell; why an answer does not count)."""
    wanted = read_value(gold)
    given = read_value(final_side(answer) if wanted.kind == "number" else answer)
    if given.kind == "symbolic" and wanted.unit:
        given = _quantity(given.text, is_unit_wanted=True) or given
    elif wanted.kind == "symbolic" and given.unit:
        wanted = _quantity(wanted.text, is_unit_wanted=True) or wanted
    return _compare(wanted, given)


def is_gradable(gold: str) -> bool:
    """Returns whether a gold answer can be compared without algebra."""
    return _is_plain(read_value(gold))


def final_side(text: str) -> str:
    """Returns what an equation gives as a number: of `x = 3`, `3 + 4 = 7` and `x = 3 + 4 = 7` the last side.

    `5x + 3 = 18` gives 18 to nobody: its left side is more than a name or numbers.
    """
    sides = [side.strip() for side in _SIDES.split(plain_notation(text))]
    if len(sides) == 1 or not all(sides):
        return text
    names = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?\s*'?(?:\([\w, ]+\))?|[A-Za-z][A-Za-z ]+|\|?[A-Z]+\|?")
    if not all(names.fullmatch(side) or read_number(side) for side in sides[:-1]):
        return text
    if "\\approx" in text and (first := next((side for side in sides if not names.fullmatch(side)), None)):
        return first
    last = _quantity(sides[-1])
    if last and last.number.form == "unevaluated" and (first := read_number(sides[0])) and first.is_lowest:
        return sides[0]
    return sides[-1]


def split_elements(text: str) -> list[str]:
    """Returns the elements of a list or a set: split at commas, semicolons and "and" outside all brackets."""
    inside = re.fullmatch(r"\\\{(.*)\\\}", text.strip(), re.DOTALL)
    text = inside[1] if inside else text
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"\\[{}]|[(\[{]|[)\]}]|[,;]|\b(?:and|or)\b", text):
        sign = found[0]
        if sign in ("(", "[", "{", "\\{"):
            depth += 1
        elif sign in (")", "]", "}", "\\}"):
            depth -= 1
        elif depth == 0 and not (sign == "," and _is_grouping(text, found)):
            parts.append(text[start : found.start()])
            start = found.end()
    parts = [part.strip().strip("$").strip() for part in (*parts, text[start:])]
    return [part for part in parts if part][:MOST_ELEMENTS]


def count_elements(text: str) -> int:
    """Returns how many elements a gold answer has; each `±` stands for two."""
    parts = split_elements(plain_notation(text))
    return sum(2 if "\\pm" in part else 1 for part in parts)


@lru_cache(maxsize=4096)
def read_date(text: str) -> str | None:
    """Returns a date as its year, month and day; one such as 5/1/2024, whose order nobody knows, as it stands."""
    for pattern in _DATES:
        if found := pattern.fullmatch(text.strip()):
            parts = found.groupdict()
            word = (parts.get("w") or "")[:3].lower()
            month = next((n for n, name in enumerate(_MONTHS, 1) if name.startswith(word)), 0) if word else parts["m"]
            return f"{parts['y']}-{int(month)}-{int(parts['d'])}"
    if found := _SHORT_DATE.fullmatch(text.strip()):
        first, second, year = map(int, found.groups())
        if first > 12 >= second:
            return f"{year}-{second}-{first}"
        return f"{year}-{first}-{second}" if second > 12 >= first else f"{first}/{second}/{year}"
    return None


def _compare(wanted: Value, given: Value) -> tuple[bool | None, str]:
    if wanted.kind == "number":
        return _compare_numbers(wanted, given)
    if wanted.kind == "list" and given.kind == "list":
        return _compare_lists(wanted, given)
    if wanted.kind in ("list", "symbolic"):
        return None, ""
    if wanted.kind == "option" and given.kind in ("option", "words"):
        return _letter(wanted) == _letter(given), ""
    if wanted.kind == "option" and _VARIABLE.fullmatch(given.text):
        return _letter(wanted) == _letter(given), ""
    return wanted.kind == given.kind and wanted.text == given.text, ""


def _compare_numbers(wanted: Value, given: Value) -> tuple[bool | None, str]:
    if given.kind == "list":
        return False, ""
    if given.kind != "number":
        return (None if given.kind == "symbolic" else False), ""
    if given.number.form == "unevaluated" != wanted.number.form and wanted.number.value is not None:
        return False, UNEVALUATED
    one, other = wanted.number, given.number
    if wanted.unit and given.unit and wanted.unit != given.unit:
        ours, theirs = read_unit(wanted.unit), read_unit(given.unit)
        if ours.measures != theirs.measures:
            return False, ""
        one, other = _scaled(one, ours.factor), _scaled(other, theirs.factor)
    same = same_number(one, other)
    if same is False and {wanted.unit, given.unit} == {"%", ""}:
        percent, share = (one, other) if wanted.unit else (other, one)
        return same_number(_scaled(percent, percent.value.__class__(1, 100)), share), ""
    return same, ""


def _scaled(number: Number, factor) -> Number:
    if number.value is None:
        return number
    place = None if number.place is None else number.place * factor
    return number._replace(value=number.value * factor, place=place)


def _compare_lists(wanted: Value, given: Value) -> tuple[bool | None, str]:
    """Compares element by element in any order; None where an element needs algebra."""
    if any(part.number and part.number.form == "unevaluated" for part in given.parts) and not any(
        part.number and part.number.form == "unevaluated" for part in wanted.parts
    ):
        return (False, UNEVALUATED) if any(part.number for part in wanted.parts) else (None, "")
    if not all(map(_is_plain, (*wanted.parts, *given.parts))):
        return None, ""
    left = list(given.parts)
    for part in wanted.parts:
        same = next((other for other in left if _compare(part, other)[0]), None)
        if same is None:
            return False, ""
        left.remove(same)
    return not left, ""


def _is_plain(value: Value) -> bool:
    if value.kind == "number":
        return value.number.value is not None
    return all(map(_is_plain, value.parts)) if value.kind == "list" else value.kind != "symbolic"


def _quantity(plain: str, is_unit_wanted: bool = False) -> Value | None:
    """Returns a number with its unit, which may be the base it is written in."""
    if number := read_number(plain):
        return Value("number", number)
    if (base := _BASE.fullmatch(plain)) and base[1].isdigit():
        return Value("number", read_number(base[1]), f"base_{int(base[2])}")
    text, unit = split_unit(plain, is_unit_wanted)
    number = read_number(text) if unit else None
    return Value("number", number, unit) if number else None


def _is_words(plain: str) -> bool:
    """Returns whether a text is words and not symbols: letters alone, a word among them, and none of mathematics."""
    if not _TEXT.fullmatch(plain):
        return False
    words = _WORD.findall(plain)
    if not words or any(word.lower() in _MATHS for word in words):
        return False
    if not all(len(word) > 1 or word.lower() in "ai" or ord(word) > 255 for word in words) and len(words) < 3:
        return False
    return any(len(word) > 1 or ord(word[0]) > 255 for word in words) and not re.match(r"-?\d", plain)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,;:!?")


def _letter(value: Value) -> str:
    return value.text.casefold()


def _is_grouping(text: str, comma: re.Match) -> bool:
    """Returns whether a comma stands within a number such as 1,234."""
    before = re.search(r"(?<![\d,])[1-9]\d{0,2}(?:,\d{3})*$", text[: comma.start()])
    return before is not None and re.match(r"\d{3}(?!\d)", text[comma.end() :]) is not None
