"""However a data file is broken, there come examples that can be used or one sentence, and soon."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import examples, is_one_sentence, junk, mutated, scalars

from tinyreason.data import DATA
from tinyreason.errors import TinyReasonError

ROWS = [
    {
        "id": f"p{n}",
        "problem": f"What is {n} + {n}? Ünïcode 🧮",
        "answer": str(2 * n),
        "solution": f"It is \\boxed{{{2 * n}}}.",
    }
    for n in range(6)
]
NESTED = [
    {
        "prompt": [{"role": "user", "content": f"{n} times 2?"}],
        "reward_model": {"ground_truth": f"['{2 * n}']"},
        "w": n / 2,
    }
    for n in range(6)
]
CRITIQUES = [{"query": f"{n}+1?", "response": f"{n}", "critique": "No: wrong."} for n in range(6)]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "shift_jis", "utf-7"]
JSON_PIECES = tuple(
    piece.encode("utf-8", "surrogatepass")
    for piece in (
        *(
            '"',
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\n",
            "\r\n",
            "\\",
            "\\ud83d",
            "\x00",
            "\u2028",
            "NaN",
            "-Infinity",
            "null",
            "[" * 3000,
        ),
        *(
            "9" * 5000,
            '{"problem": ""}\n',
            '{"answer": {}}\n',
            "[]\n",
            '"x"\n',
            "1e999",
            '"id": [1], ',
            '"weight": -1, ',
            "\ud800",
        ),
    )
)
CSV_PIECES = (b'"', b",", b"\n", b"\r", b"\x00", b";", b"\t", b"a" * 140_000, b"\xff", b'""', b"problem", b"answer")


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_parquet(rows):
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def settles(tmp_path_factory):
    """Loads bytes as a file of this ending, as every kind of data: examples, or one sentence."""
    folder = tmp_path_factory.mktemp("mutated")

    def load(ending, content):
        file = folder / f"data.{ending}"
        file.write_bytes(content)
        for kind in (kind for kind in DATA if kind != "generated"):  # it reads no file
            options = {"index": 0} if kind == "one_shot" else {"weight_column": "w"} if kind == "solutions" else {}
            try:
                data = DATA[kind](kind=kind, file=file, **options)
                loaded = data.load()
                held_out = data.held_out(3, "test", without={loaded[0].id}) if kind == "problems" else []
            except TinyReasonError as error:
                assert is_one_sentence(error), error
                continue
            assert loaded
            for example in (*loaded, *held_out):
                for text in (example.id, example.problem, example.answer, example.completion or "", *roles(example)):
                    text.encode()
                assert example.problem.strip()

    return load


def roles(example):
    return [message["role"] for message in example.messages]


def texts():
    return st.sampled_from([as_jsonl(rows) for rows in (ROWS, NESTED, CRITIQUES)])


@examples(60, 300)
@given(text=texts(), encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_a_broken_jsonl_file(settles, text, encoding, data):
    content = text.encode(encoding, "replace")
    settles("jsonl", data.draw(mutated(content, JSON_PIECES)) if encoding == "utf-8" else content)


@examples(40, 200)
@given(
    rows=st.sampled_from([ROWS, NESTED, CRITIQUES]),
    changes=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["problem", "answer", "id", "prompt", "w", "x"]), junk)
    ),
    wrapped=st.booleans(),
    pretty=st.booleans(),
    data=st.data(),
)
def test_a_broken_json_file(settles, rows, changes, wrapped, pretty, data):
    rows = [dict(row) for row in rows]
    for number, column, value in changes:
        rows[number][column] = value
    try:
        text = json.dumps({"data": rows} if wrapped else rows, indent=1 if pretty else None, default=str, skipkeys=True)
    except ValueError:  # a number longer than Python writes
        return
    content = text.encode()
    settles("json", data.draw(mutated(content, JSON_PIECES)) if data.draw(st.booleans()) else content)


@examples(40, 200)
@given(rows=st.sampled_from([ROWS, CRITIQUES]), encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_a_broken_csv_file(settles, rows, encoding, data):
    content = as_csv(rows).encode(encoding, "replace")
    settles("csv", data.draw(mutated(content, CSV_PIECES)) if encoding == "utf-8" else content)


@examples(40, 300)
@given(rows=st.sampled_from([ROWS, NESTED, CRITIQUES]), data=st.data())
def test_a_broken_parquet_file(settles, rows, data):
    settles("parquet", data.draw(mutated(as_parquet(rows))))


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("problems", {"problem": "1+1? \ud83d", "answer": "2"}),
        ("problems", {"problem": "1+1?", "answer": "\udc00"}),
        ("problems", {"id": "\ud83d", "problem": "1+1?", "answer": "2"}),
        ("solutions", {"problem": "1+1?", "answer": "2", "solution": "2 \ud83d"}),
        ("critiques", {"prompt": "Judge this.", "completion": "\ud83d"}),
    ],
)
def test_half_a_character_is_answered_with_its_row(tmp_path, kind, row):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(TinyReasonError, match=r"rows.jsonl row 1 holds half a character"):
        DATA[kind](file=file).load()


@pytest.mark.parametrize("ending", ["jsonl", "json"])
@pytest.mark.parametrize(
    "row",
    [
        '{"problem": "1+1?", "answer": ' + "[" * 900 + "2" + "]" * 900 + "}",
        '{"a": ' * 900 + "1" + "}" * 900,
        '{"problem": "1+1?", "answer": "2", "solution": "2", "w": 1' + "0" * 400 + "}",
        '{"problem": "1+1?", "answer": 1' + "0" * 4000 + "}",
        '{"problem": ' + '[{"role": "user", "content": ' * 300 + '"x"' + "}]" * 300 + ', "answer": "2"}',
    ],
    ids=[
        "an answer in 900 lists",
        "900 sections",
        "a weight of 400 digits",
        "an answer of 4,000 digits",
        "chats in chats",
    ],
)
def test_a_row_that_goes_too_far(settles, ending, row):
    settles(ending, row.encode() if ending == "jsonl" else f"[{row}]".encode())


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"\n\n",
        b"\x00" * 5000,
        b"\xef\xbb\xbf",
        b"PAR1",
        b"PAR1" * 3,
        b"[" * 200_000,
        b"1" * 10_000_000,
        b'{"a": ' * 50_000,
    ],
    ids=[
        "nothing",
        "a space",
        "newlines",
        "zeros",
        "a mark",
        "PAR1",
        "PAR1 thrice",
        "brackets",
        "ten million digits",
        "braces",
    ],
)
def test_a_file_that_is_no_data_at_all(settles, ending, content):
    settles(ending, content)


@pytest.mark.parametrize(
    "name",
    ["a" * 300 + ".jsonl", "x/" * 3000 + "a.csv", "\x00.json", "~nobody/a.jsonl", ".", "a.jsonl/b.json", "\ud800.csv"],
)
def test_a_file_name_that_cannot_be(name):
    with pytest.raises(TinyReasonError) as caught:
        DATA["problems"](file=name).load()
    assert is_one_sentence(caught.value)


@examples(40, 200)
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["problem", "answer", "id", "solution", "w"]), scalars), min_size=1, max_size=4
    )
)
def test_rows_of_other_types(settles, rows):
    try:
        text = as_jsonl(rows)
    except ValueError:
        return
    settles("jsonl", text.encode("utf-8", "surrogatepass"))
