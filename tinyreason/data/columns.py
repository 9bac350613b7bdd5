"""Finds the problem's and the answer's column: rows of the published sets become Examples without a word."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tinyreason.data.files import Row
from tinyreason.errors import DataError, nearest
from tinyreason.example import Example

PROBLEM_COLUMNS = ("problem", "question", "prompt")
ANSWER_COLUMNS = ("answer", "final_answer", "reward_model.ground_truth", "ground_truth", "solution")
COMPLETION_COLUMNS = ("completion", "solution", "critique", "response", "generation", "answer")
LARGEST_WEIGHT, DEEPEST_NAME = 1e30, 5
ID_COLUMNS = ("id", "unique_id", "extra_info.index")
PRINTED_LIST = re.compile(r"""\[\s*(['"])((?:(?!\1).)*)\1\s*\]""", re.DOTALL)
"""`['$\\\\frac{1}{2}$']`: a list of one string that a table has turned into text."""


def to_examples(
    rows: list[Row], origin: str, problem_column: str | None = None, answer_column: str | None = None
) -> list[Example]:
    """Returns one Example per row, in order; `origin` is what errors call the source.

    The id is the row's own if every row has one and no two are the same, else its number from 0.
    An answer that is the empty text stays empty: the set was published without it.
    """
    problem_column, answer_column = find_columns(rows, origin, problem_column, answer_column)
    examples = []
    for number, (row, id) in enumerate(zip(rows, _ids(rows), strict=True), 1):
        messages = _messages(_value(row, problem_column))
        answer = _text(_value(row, answer_column))
        for role, column, value in (("problem", problem_column, messages), ("answer", answer_column, answer)):
            if value is None:
                raise DataError(f"{origin} row {number} has no usable {role} in column '{column}'; give it one.")
        examples.append(whole(Example(id=id, messages=messages, answer=answer), f"{origin} row {number}"))
    return examples


def find_columns(
    rows: list[Row], origin: str, problem_column: str | None = None, answer_column: str | None = None
) -> tuple[str, str]:
    """Returns the columns that hold the problem and the answer. Errors: `DataError`."""
    return (
        _column(rows, "problem", problem_column, PROBLEM_COLUMNS, origin),
        _column(rows, "answer", answer_column, ANSWER_COLUMNS, origin),
    )


def whole(example: Example, where: str) -> Example:
    """Returns the example, if each of its texts can be written; half of a surrogate pair cannot."""
    texts = [
        example.id,
        example.answer,
        example.completion or "",
        *(m["role"] + m["content"] for m in example.messages),
    ]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise DataError(f"{where} holds half a character (of a surrogate pair, as in \\ud83d); mend it.") from None
    return example


def first_text(row: Row, columns: tuple[str, ...]) -> str | None:
    """Returns the first of these columns' values that is a text and not blank."""
    return next((row[name] for name in columns if isinstance(row.get(name), str) and row[name].strip()), None)


def add_completions(
    examples: list[Example],
    rows: list[Row],
    origin: str,
    column: str | None,
    weight_column: str | None,
    spans_column: str | None,
) -> list[Example]:
    """Returns the examples with each row's completion, weight and spans. GSM8K's closing `#### 18` becomes a box."""
    column = _column(rows, "completion", column, COMPLETION_COLUMNS, origin)
    done = []
    for number, (example, row) in enumerate(zip(examples, rows, strict=True), 1):
        text = _completion(_value(row, column))
        weight = _weight(_value(row, weight_column)) if weight_column else 1.0
        spans = _spans(_value(row, spans_column), text) if spans_column else ()
        for found, name, place, wanted in (
            (text, "completion", column, "give it one"),
            (weight, "weight", weight_column, "give a number >= 0"),
            (spans, "spans", spans_column, "give a list of [start, end, weight] within the completion"),
        ):
            if found is None or found == "":
                raise DataError(f"{origin} row {number} has no usable {name} in column '{place}'; {wanted}.")
        done.append(
            whole(replace(example, completion=_boxed(text), weight=weight, spans=spans), f"{origin} row {number}")
        )
    return done


def _completion(value: Any) -> str:
    """Returns a text, or the last message of a chat; empty if there is none."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return value if isinstance(value, str) and value.strip() else ""


def _boxed(text: str) -> str:
    return re.sub(r"^####\s*(.+?)\s*\Z", lambda found: f"\\boxed{{{found[1]}}}", text.strip(), flags=re.MULTILINE)


def _weight(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= LARGEST_WEIGHT else None


def _spans(value: Any, text: str) -> tuple[tuple[int, int, float], ...] | None:
    """Returns (start, end, weight) each, counted from the text's first character that is not a space."""
    lead = len(text) - len(text.lstrip())
    spans = []
    for span in value if isinstance(value, list) else [None]:
        start, end, weight = span if isinstance(span, list) and len(span) == 3 else (None, None, None)
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
            return None
        if _weight(weight) is None:
            return None
        spans.append((max(0, start - lead), max(0, end - lead), float(weight)))
    return tuple(spans)


def _column(rows: list[Row], role: str, chosen: str | None, candidates: tuple[str, ...], origin: str) -> str:
    for column in (chosen,) if chosen else candidates:
        if any(_value(row, column) is not None for row in rows):
            return column
    present = list(dict.fromkeys(name for row in rows for name in _names(row)))
    if chosen:
        raise DataError(f"{origin} has no column '{chosen}' (data.{role}_column){nearest(chosen, present)}.")
    raise DataError(
        f"{origin} has no column known to hold the {role}; it has {', '.join(present) or 'none at all'}: "
        "rename them problem and answer, or to a recipe type data.problem_column=COLUMN data.answer_column=COLUMN."
    )


def _names(row: Row, prefix: str = "") -> Iterator[str]:
    for key, value in row.items():
        is_section = isinstance(value, dict) and prefix.count(".") < DEEPEST_NAME
        yield from _names(value, f"{prefix}{key}.") if is_section else [prefix + key]


def _value(row: Row, column: str) -> Any:
    """Returns `row["a"]["b"]` for `a.b`, unless a column is really called `a.b`; None if absent."""
    if column in row:
        return row[column]
    head, _, rest = column.partition(".")
    return _value(row[head], rest) if rest and isinstance(row.get(head), dict) else None


def _ids(rows: list[Row]) -> list[str]:
    for column in ID_COLUMNS:
        ids = [_value(row, column) for row in rows]
        if None not in ids and len({str(id) for id in ids}) == len(rows):
            return [str(id) for id in ids]
    return [str(number) for number in range(len(rows))]


def _messages(value: Any) -> tuple[dict[str, str], ...] | None:
    """Returns the chat of a text or of a list of messages; None unless a user speaks last and says something."""
    turns = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        return None
    messages = tuple({"role": turn.get("role"), "content": turn.get("content")} for turn in turns)
    if not all(isinstance(text, str) for message in messages for text in message.values()):
        return None
    return messages if messages[-1]["role"] == "user" and messages[-1]["content"].strip() else None


def _text(value: Any) -> str | None:
    """Returns an answer as text: numbers as they print, a list of one as its element; None for anything else."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        printed = PRINTED_LIST.fullmatch(value.strip())
        if printed:
            return printed[2].replace("\\\\", "\\")
        return value if value.strip() else ""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return str(value) if number else None
