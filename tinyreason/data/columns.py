"""Finds the problem's and the answer's column: rows of the published sets become Examples without a word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tinyreason.data.dropped import Dropped
from tinyreason.data.files import Row
from tinyreason.data.shapes import ASKING, in_usual_columns, read_tools, read_turns
from tinyreason.errors import DataError, NoAnswers, nearest
from tinyreason.example import Example

PROBLEM_COLUMNS = ("problem", "question", "prompt", "query")
ANSWER_COLUMNS = (
    *("answer", "final_answer", "expected_answer"),
    *("reward_model.ground_truth", "ground_truth", "solution"),
)
GOLD_COLUMNS = tuple(column for column in ANSWER_COLUMNS if column != "solution")
COMPLETION_COLUMNS = (
    *("completion", "solution", "critique", "response"),
    *("generation", "generated_solution", "answer"),
)
MARKED_COLUMNS = ("completion", "response", "generation", "generated_solution")
MARKED = re.compile(r"\\boxed\s*\{|^####", re.MULTILINE)
"""What marks the answer in a completion, so that it can be graded by it; where no column holds an answer."""
CLASS_COLUMNS = ("domain", "family", "subject", "topic", "type", "level", "difficulty", "source")
"""Columns that name the class of a problem."""
SAMPLE_COLUMNS = {
    **dict.fromkeys(("problem_id", "variant"), (str, int)),
    **dict.fromkeys(("correct", "truncated"), (bool,)),
    **dict.fromkeys(("tokens", "sample"), (int,)),
    **dict.fromkeys(("pass_rate", "verbosity", "step_errors"), (int, float)),
    "scores": (list,),
    "hint": (str,),
}
"""Columns that say of a row which sample of a problem it is, and how it did, which transforms go by → their types."""
LONGEST_BARE_ANSWER = 80
LARGEST_WEIGHT, DEEPEST_NAME = 1e30, 5
UNSIGNED = "give a number >= 0, or type data.signed=true to train away from rows of negative weight"
ID_COLUMNS = ("id", "unique_id", "extra_info.index")
PRINTED_LIST = re.compile(r"""\[\s*(['"])((?:(?!\1).)*)\1\s*\]""", re.DOTALL)
"""`['$\\\\frac{1}{2}$']`: a list of one string that a table has turned into text."""


@dataclass(frozen=True)
class Columns:
    """Names the columns of a set; None is found by itself."""

    problem: str | None = None
    answer: str | None = None
    completion: str | None = None
    weight: str | None = None
    spans: str | None = None
    signed: bool = False
    """Whether a weight may be negative."""


def to_examples(
    rows: list[Row], origin: str, problem_column: str | None = None, answer_column: str | None = None
) -> list[Example]:
    """Returns one Example per row, in order, and refuses a row without; `origin` is what errors call the source.

    The id is the row's own if every row has one and no two are the same, else its number from 0.
    An answer that is the empty text stays empty: the set was published without it.
    """
    columns, strict = Columns(problem_column, answer_column), Dropped(origin, is_strict=True)
    return [example for _, example in problems_of(rows, columns, strict)]


def problems_of(rows: list[Row], columns: Columns, dropped: Dropped) -> Iterator[tuple[int, Example]]:
    """Yields (place of the row, its problem and answer); a row without a problem is dropped, an answer may be empty.

    Errors: as `find_columns`.
    """
    ids, rows = _ids(rows), in_usual_columns(rows, (PROBLEM_COLUMNS, COMPLETION_COLUMNS))
    problem, answer = _columns(rows, columns, dropped.origin, dropped.needs_answers)
    is_marked = not columns.answer and answer in MARKED_COLUMNS and answer not in ANSWER_COLUMNS
    for place, (row, id) in enumerate(zip(rows, ids, strict=True)):
        text = _text(value_at(row, answer)) if answer else ""
        if is_marked:
            text = text if MARKED.search(text or "") else ""
        elif text is None and dropped.is_strict and dropped.needs_answers and _messages(value_at(row, problem)):
            dropped.add("answer", id, _lacks(dropped.origin, place, "answer", answer))
        if example := _asked(place, row, id, problem, text or "", dropped):
            yield place, example


def solutions_of(rows: list[Row], columns: Columns, dropped: Dropped) -> Iterator[tuple[int, Example]]:
    """Yields (place of the row, its problem with a completion); a row without either is dropped.

    The answer is that of its column, or what the completion marks; a completion may have none. GSM8K's closing
    `#### 18` becomes a box.
    """
    origin = dropped.origin
    ids, rows = _ids(rows), in_usual_columns(rows, (PROBLEM_COLUMNS, COMPLETION_COLUMNS))
    problem = _column(rows, "problem", columns.problem, PROBLEM_COLUMNS, origin)
    answer = _column(rows, "answer", columns.answer, (), origin) if columns.answer else _found(rows, GOLD_COLUMNS)
    column = _column(rows, "completion", columns.completion, COMPLETION_COLUMNS, origin)
    for place, (row, id) in enumerate(zip(rows, ids, strict=True)):
        text = _completion(value_at(row, column))
        if not text:
            dropped.add("completion", id, _lacks(origin, place, "completion", column))
            continue
        gold = _text(value_at(row, answer)) if answer else ""
        gold = next((t for t in (gold, text) if t and (MARKED.search(t) or (t is gold and is_short(t)))), "")
        if not (example := _asked(place, row, id, problem, gold, dropped)):
            continue
        where, example = f"{origin} row {place + 1}", replace(example, completion=_boxed(text), tools=read_tools(row))
        yield place, whole(_weighed(example, row, text, columns, where), where)


def is_short(text: str) -> bool:
    """Returns whether a text without a mark may be an answer by itself: one line of a few words."""
    return len(text) <= LONGEST_BARE_ANSWER and "\n" not in text.strip()


def are_bare_answers(examples: list[Example]) -> bool:
    """Returns whether completions to learn from are the answers alone, with nothing worked out."""
    pairs = [(example.completion.strip(), example.answer.strip()) for example in examples]
    bare = sum(said == answer and is_short(said) and not MARKED.search(said) for said, answer in pairs)
    return bare > len(examples) / 2


def _asked(place: int, row: Row, id: str, column: str, answer: str, dropped: Dropped) -> Example | None:
    messages = _messages(value_at(row, column))
    if messages is None:
        dropped.add("problem", id, _lacks(dropped.origin, place, "problem", column))
        return None
    where = f"{dropped.origin} row {place + 1}"
    example = Example(id=id, messages=messages, answer=answer, meta=classes_of(row))
    return whole(with_grader(example, row.get("grader"), where), where)


def classes_of(row: Row) -> dict[str, Any]:
    """Returns what a row says of its problem's class and as a sample, by which samplers and transforms go."""
    found = {name: row.get(name) for name in CLASS_COLUMNS}
    told = {name: value for name, value in found.items() if isinstance(value, str | int | float) and value == value}
    known = {name: row[name] for name, types in SAMPLE_COLUMNS.items() if type(row.get(name)) in types}
    return {name: value for name, value in told.items() if is_short(str(value))} | known


def with_grader(example: Example, grader: Any, where: str) -> Example:
    """Returns the example with the grader that its row names as `{"kind": "choice"}`. Errors: `DataError`."""
    if not isinstance(grader, dict) or not isinstance(grader.get("kind"), str):
        return example
    from tinyreason.grading.graders import GRADERS, read_rule

    kind, options = grader["kind"], {key: value for key, value in grader.items() if key != "kind"}
    if kind not in GRADERS:
        raise DataError(f"{where}: there is no grader '{kind}'{nearest(kind, GRADERS)}.")
    graded = replace(example, grader=kind, meta=example.meta | ({"grader": options} if options else {}))
    try:
        read_rule(graded.rule)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: grader '{kind}' cannot have {options!r:.80} ({type(error).__name__}).") from None
    return graded


def _lacks(origin: str, place: int, role: str, column: str) -> str:
    return f"{origin} row {place + 1} has no usable {role} in column '{column}'; give it one."


def find_columns(
    rows: list[Row],
    origin: str,
    problem_column: str | None = None,
    answer_column: str | None = None,
    needs_answers: bool = True,
) -> tuple[str, str | None]:
    """Returns the columns that hold the problem and the answer, None where none does and none is needed.

    Errors: `DataError`, of it `NoAnswers` where no column holds an answer and one is needed.
    """
    rows = in_usual_columns(rows, (PROBLEM_COLUMNS, COMPLETION_COLUMNS))
    return _columns(rows, Columns(problem_column, answer_column), origin, needs_answers)


def _columns(rows: list[Row], named: Columns, origin: str, needs_answers: bool) -> tuple[str, str | None]:
    problem = _column(rows, "problem", named.problem, PROBLEM_COLUMNS, origin)
    answer = named.answer or _found(rows, ANSWER_COLUMNS) or _marked_column(rows)
    return problem, _column(rows, "answer", answer, ANSWER_COLUMNS, origin) if answer or needs_answers else None


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


def _weighed(example: Example, row: Row, text: str, columns: Columns, where: str) -> Example:
    """Returns the example with the row's weight and spans. Errors: `DataError` where they cannot be used."""
    weight = _weight(value_at(row, columns.weight), columns.signed) if columns.weight else 1.0
    spans = _spans(value_at(row, columns.spans), text) if columns.spans else ()
    for found, name, place, wanted in (
        (weight, "weight", columns.weight, "give a number" if columns.signed else UNSIGNED),
        (spans, "spans", columns.spans, "give a list of [start, end, weight] within the completion"),
    ):
        if found is None:
            raise DataError(f"{where} has no usable {name} in column '{place}'; {wanted}.")
    return replace(example, weight=weight, spans=spans)


def _completion(value: Any) -> str:
    """Returns a text, or the last message of a chat; empty if there is none."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    return value if isinstance(value, str) and value.strip() else ""


def _boxed(text: str) -> str:
    return re.sub(r"^####\s*(.+?)\s*\Z", lambda found: f"\\boxed{{{found[1]}}}", text.strip(), flags=re.MULTILINE)


def _weight(value: Any, signed: bool = False) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    least = -LARGEST_WEIGHT if signed else 0
    return float(value) if is_number and least <= value <= LARGEST_WEIGHT else None


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
    column = _found(rows, (chosen,) if chosen else candidates)
    if column:
        return column
    present = list(dict.fromkeys(name for row in rows for name in _names(row)))
    if chosen:
        raise DataError(f"{origin} has no column '{chosen}' (data.{role}_column){nearest(chosen, present)}.")
    raise (NoAnswers if role == "answer" else DataError)(
        f"{origin} has no column known to hold the {role}; it has {', '.join(present) or 'none at all'}: "
        f"rename it {role}, or to a recipe type data.{role}_column=COLUMN, nested ones as a.b or messages.0.content."
    )


def _found(rows: list[Row], candidates: tuple[str, ...]) -> str | None:
    """Returns the first of these columns that any row has something in, as the set spells it; None without one."""
    spelled = {str(name).strip().lower(): name for row in rows for name in row}
    for candidate in candidates:
        for column in (candidate, spelled.get(candidate)):
            if column is not None and any(value_at(row, column) is not None for row in rows):
                return column
    return None


def _marked_column(rows: list[Row]) -> str | None:
    column = _found(rows, MARKED_COLUMNS)
    return column if column and any(MARKED.search(_text(value_at(row, column)) or "") for row in rows) else None


def _names(row: Row, prefix: str = "") -> Iterator[str]:
    for key, value in row.items():
        is_section = isinstance(value, dict) and prefix.count(".") < DEEPEST_NAME
        yield from _names(value, f"{prefix}{key}.") if is_section else [prefix + key]


def value_at(place: Any, column: str) -> Any:
    """Returns `place["a"]["b"]` for `a.b`, of a list `a.0` or `a.-1`, unless a column is called `a.b`; else None."""
    if isinstance(place, dict) and column in place:
        return place[column]
    head, _, rest = column.partition(".")
    inside = None
    if isinstance(place, dict) and rest:
        inside = place.get(head)
    elif isinstance(place, list) and re.fullmatch(r"-?\d{1,6}", head) and -len(place) <= int(head) < len(place):
        inside = place[int(head)]
    return value_at(inside, rest) if rest and inside is not None else inside


def _ids(rows: list[Row]) -> list[str]:
    for column in ID_COLUMNS:
        ids = [value_at(row, column) for row in rows]
        if None not in ids and len({str(id) for id in ids}) == len(rows):
            return [str(id) for id in ids]
    return [str(number) for number in range(len(rows))]


def _messages(value: Any) -> tuple[dict[str, Any], ...] | None:
    """Returns the chat of a text or a list of messages; None unless a user or a tool speaks last, not in blanks."""
    messages = ({"role": "user", "content": value},) if isinstance(value, str) else read_turns(value)
    if messages is None or messages[-1]["role"] not in ASKING:
        return None
    return messages if messages[-1]["content"].strip() else None


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
