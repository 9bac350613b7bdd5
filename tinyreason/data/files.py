"""Reads rows out of files and hub data sets: dicts in the order of the source, or one sentence on why not."""

import codecs
import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinyreason.data.hub import asked_once
from tinyreason.errors import DataError, nearest

Row = dict[str, Any]
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks → the encoding that they prove, the longer before those that they begin with."""
SEPARATORS = ",;\t|"
LARGEST_CELL = 2**31 - 1


def read_rows(path: Path, encoding: str | None = None) -> list[Row]:
    """Returns the rows of a .jsonl, .json, .parquet, .csv or .tsv file; None as encoding is UTF-8, or as it is marked.

    Nothing is guessed: without a mark, the bytes of one encoding are often valid in another, as other characters.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(f"{path} ends in '{suffix}', which cannot be read{nearest(suffix, READERS)}.")
    with _sentences(path, encoding):
        rows = READERS[suffix](path, encoding or marked_encoding(path))
    if not rows:
        raise DataError(f"{path} holds no rows.")
    return rows


def marked_encoding(path: Path) -> str:
    """Returns the encoding that the file's byte order mark tells; UTF-8 where it has none."""
    with path.open("rb") as file:
        first = file.read(4)
    if b"\0" in first and not first.startswith(tuple(MARKS)):
        raise DataError(
            f"{path} is not UTF-8 text (it has zero bytes, as UTF-16 without a mark has); save it as UTF-8, or to a "
            f"recipe type its encoding, data.encoding=utf-16-le or utf-16-be."
        )
    return next((name for mark, name in MARKS.items() if first.startswith(mark)), "utf-8-sig")


def read_lines(path: Path, encoding: str = "utf-8-sig") -> Iterator[Row]:
    """Yields the objects of a JSONL file, one at a time; blank lines are passed over."""
    path = existing(path)
    with _sentences(path, encoding), path.open(encoding=encoding) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path} line {number} is not valid JSON: {error.msg}.") from error
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path} line {number} {_beyond(error)}.") from error
            yield _object(row, f"{path} line {number}")


def read_json(path: Path, encoding: str = "utf-8-sig", **how: Any) -> Any:
    """Returns the one JSON value of a file; `how` goes to `json.loads`."""
    path = existing(path)
    with _sentences(path, encoding):
        text = path.read_text(encoding=encoding)
    try:
        return json.loads(text, **how)
    except json.JSONDecodeError as error:
        hint = "; a file with one object per line is named .jsonl" if error.msg == "Extra data" else ""
        raise DataError(f"{path} line {error.lineno} is not valid JSON: {error.msg}{hint}.") from error
    except DataError:
        raise  # what the caller's own reading refuses
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} {_beyond(error)}.") from error


def read_hub(name: str, subset: str | None, split: str, file: str | None = None) -> list[Row]:
    """Returns the rows of a data set on the Hugging Face hub, from its cache if it was fetched before."""
    import datasets

    datasets.disable_progress_bars()
    with asked_once() as answers:
        try:
            return datasets.load_dataset(name, subset, split=split, data_files=file).to_list()
        except Exception as error:  # the hub fails in a dozen types, none of them a fault of ours
            is_unreachable = not answers and isinstance(error, ConnectionError)
            unreachable = "the hub cannot be reached, and its cache does not hold the set"
            fault, reason = error, unreachable if is_unreachable else _first_line(error)
    raise DataError(
        f"the hub data set data.name={name} data.subset={subset or 'null'} data.split={split} cannot be loaded: "
        f"{reason}; check the three, or download it and type data.file=PATH (to eval, --data PATH)."
    ) from fault


def existing(path: Path) -> Path:
    """Returns the path, if there is a file with something in it."""
    path = Path(os.path.expanduser(path))
    if not os.path.exists(path):  # unlike path.exists() it says no to a name that cannot be
        raise DataError(f"there is no file {path}; check the path (a relative one starts at the current folder).")
    if path.is_dir():
        raise DataError(f"{path} is a folder; give a file in it.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return path


def _json(path: Path, encoding: str) -> list[Row]:
    whole = read_json(path, encoding)
    rows = whole.get("data") if isinstance(whole, dict) else whole
    if not isinstance(rows, list):
        raise DataError(f'{path} must hold a list of objects, or {{"data": [...]}}.')
    return [_object(row, f"{path} row {number}") for number, row in enumerate(rows, 1)]


def _csv(path: Path, encoding: str) -> list[Row]:
    """Returns the rows of a table whose cells are apart by commas, semicolons, tabs or bars, as its header has most."""
    csv.field_size_limit(LARGEST_CELL)
    with path.open(encoding=encoding, newline="") as file:
        header = file.readline()
        separator = max(SEPARATORS, key=header.count)
        file.seek(0)
        is_padded = f"{separator} " in header  # then a quote may stand behind a space too
        reader = csv.DictReader(file, strict=True, delimiter=separator, skipinitialspace=is_padded)
        rows = []
        try:
            names = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            if len({*names}) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"{path} has two columns named '{twice}'; rename one.")
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        f"{path} line {reader.line_num} does not have the {len(names)} cells of the header."
                    )
                rows.append(row)
        except csv.Error as error:
            raise DataError(f"{path} line {reader.line_num} is not valid CSV: {error}.") from error
    return rows


def _parquet(path: Path, _: str) -> list[Row]:
    import pyarrow.parquet

    with path.open("rb") as file:
        try:
            return pyarrow.parquet.read_table(file).to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} is not a readable Parquet file: {_first_line(error)}.") from error


READERS: dict[str, Callable[[Path, str], list[Row]]] = {
    ".jsonl": lambda path, encoding: list(read_lines(path, encoding)),
    ".json": _json,
    ".parquet": _parquet,
    ".csv": _csv,
    ".tsv": _csv,
}


@contextmanager
def _sentences(path: Path, encoding: str | None) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        name = "UTF-8" if encoding in (None, "utf-8-sig") else encoding
        raise DataError(
            f"{path} is not {name} text ({getattr(error, 'reason', error)}); save it as UTF-8, or to a recipe type its "
            f"encoding, data.encoding=cp1252 (Windows, western Europe) or utf-16-le."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _object(row: Any, where: str) -> Row:
    if not isinstance(row, dict):
        raise DataError(f'{where} is not an object such as {{"problem": "...", "answer": "..."}}.')
    return row


def _beyond(error: Exception) -> str:
    """Says of JSON that is valid how it is still more than Python reads."""
    deep = isinstance(error, RecursionError)
    return "has too many brackets inside each other" if deep else "has a number of more than 4,300 digits"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
