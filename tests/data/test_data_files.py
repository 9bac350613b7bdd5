import json
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from tinyreason.data.files import read_json, read_rows
from tinyreason.data.problems import Problems
from tinyreason.errors import DataError

ROWS = [{"problem": "1+1?", "answer": "2"}, {"problem": "2+2?", "answer": "4"}]


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_jsonl_gives_its_objects_in_order(jsonl):
    assert read_rows(jsonl(*ROWS)) == ROWS


def test_json_may_be_a_list_or_an_object_with_data(tmp_path):
    for name, whole in (("list.json", ROWS), ("object.json", {"data": ROWS, "version": 1})):
        (tmp_path / name).write_text(json.dumps(whole))
        assert read_rows(tmp_path / name) == ROWS


def test_csv_keeps_every_cell_as_it_is_written(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('problem,answer\n"How much, in all?",012.50\nIs NA a number?,NA\n')
    assert read_rows(path) == [
        {"problem": "How much, in all?", "answer": "012.50"},
        {"problem": "Is NA a number?", "answer": "NA"},
    ]


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_whatever_stands_between_its_cells_with_or_without_a_mark(tmp_path, separator, encoding):
    path = tmp_path / "rows.csv"
    path.write_text(
        separator.join(("problem", "answer")) + "\n" + separator.join(('"1+1, or; two?"', "2ü")) + "\n", encoding
    )
    assert read_rows(path) == [{"problem": "1+1, or; two?", "answer": "2ü"}]


def test_padded_names_and_a_tab_separated_file_and_a_cell_of_any_size(tmp_path):
    (tmp_path / "rows.csv").write_text('Problem ; Answer \n"a; b"; "4"\n')
    assert read_rows(tmp_path / "rows.csv") == [{"Problem": "a; b", "Answer": "4"}]
    (tmp_path / "rows.tsv").write_text(f"problem\tanswer\n{'a' * 200_000}\t4\n")
    assert len(read_rows(tmp_path / "rows.tsv")[0]["problem"]) == 200_000
    (tmp_path / "twice.csv").write_text("a, a\n1,2\n")
    assert "two columns named 'a'" in refusal(tmp_path / "twice.csv")


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json"])
def test_another_encoding_is_told_with_the_option_that_reads_it(tmp_path, name):
    text = {"rows.csv": "problem,answer\n1€?,2\n", "rows.json": '[{"problem": "1€?", "answer": "2"}]'}
    path = tmp_path / name
    path.write_text(text.get(name, '{"problem": "1€?", "answer": "2"}\n'), encoding="cp1252")
    assert "is not UTF-8 text" in (message := refusal(path)) and "type its encoding, data.encoding=cp1252" in message
    assert read_rows(path, "cp1252") == [{"problem": "1€?", "answer": "2"}]
    assert Problems(file=path, encoding="cp1252").load()[0].problem == "1€?"
    path.write_text("problem,answer\n1?,2\n", encoding="utf-16-le")
    assert "type its encoding, data.encoding=utf-16-le" in refusal(path)
    with pytest.raises(DataError, match="is not utf-16 text"):
        read_rows(path, "utf-16")
    with pytest.raises(ValidationError, match="Python knows no text encoding 'cp9999'"):
        Problems(file=path, encoding="cp9999")


def test_parquet_gives_plain_lists_and_dicts(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"prompt": [{"role": "user", "content": "1+1?"}], "reward_model": {"ground_truth": "2"}, "level": 3}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    read = read_rows(tmp_path / "rows.parquet")
    assert read == rows
    assert type(read[0]["prompt"]) is list and type(read[0]["reward_model"]) is dict
    json.dumps(read)  # nothing of numpy is left


def test_a_unicode_line_separator_inside_a_string_does_not_end_the_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "one\u2028two\x85three", "answer": "2"}\n', encoding="utf-8")
    assert read_rows(path) == [{"problem": "one\u2028two\x85three", "answer": "2"}]


def test_a_windows_file_with_byte_order_mark_and_blank_lines_reads_like_any_other(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"problem": "1+1?", "answer": "2"}\r\n\r\n{"problem": "2+2?", "answer": "4"}\r\n\r\n'
    )
    assert read_rows(path) == ROWS


def test_the_suffix_may_be_in_capitals_and_the_path_start_at_home(jsonl, tmp_path, monkeypatch):
    jsonl(*ROWS, name="ROWS.JSONL")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_rows("~/ROWS.JSONL") == ROWS


def test_broken_json_is_named_by_its_line(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"problem": "1+1?", "answer": "2"}\n\n{"problem": \n')
    assert "broken.jsonl line 3 is not valid JSON: Expecting value" in refusal(path)


def test_json_that_is_really_jsonl_says_how_to_name_it(jsonl):
    assert "line 2" in (message := refusal(jsonl(*ROWS, name="rows.json"))) and ".jsonl" in message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.jsonl", b"", "is empty"),
        ("rows.parquet", b"", "is empty"),
        ("rows.jsonl", b"\n \n", "holds no rows"),
        ("rows.json", b"[]", "holds no rows"),
        ("rows.csv", b"problem,answer\n", "holds no rows"),
        ("rows.jsonl", b'{"answer": "2"}\n[1, 2]\n', "line 2 is not an object"),
        ("rows.json", b'[{"answer": "2"}, "two"]', "row 2 is not an object"),
        ("rows.json", b'{"rows": []}', 'must hold a list of objects, or {"data": [...]}'),
        ("rows.jsonl", b'{"answer": "\xe9"}\n', "is not UTF-8"),
        ("rows.json", b'[{"answer": "\xe9"}]', "is not UTF-8"),
        ("rows.csv", b"problem,answer\n1+1?,\xe9\n", "is not UTF-8"),
        ("rows.csv", b"problem,answer\n1+1?,2\n2+2?\n", "line 3 does not have the 2 cells"),
        ("rows.csv", b"problem,answer\n1+1?,2,3\n", "line 2 does not have the 2 cells"),
        ("rows.csv", b'problem,answer\n"1+1?,2\n', "is not valid CSV"),
        ("rows.parquet", b"PAR1 but no more", "is not a readable Parquet file"),
        ("rows.jsnl", b"{}", "did you mean '.jsonl'?"),
        ("rows", b"{}", "allowed: .csv, .json, .jsonl, .parquet, .tsv"),
    ],
)
def test_a_file_that_cannot_be_read_is_answered_with_one_sentence(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name)
    assert name in refusal(tmp_path / name)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    assert "there is no file" in refusal(tmp_path / "none.jsonl")
    assert "is a folder" in refusal(tmp_path)


def test_a_whole_json_file_names_the_line_that_is_broken(tmp_path):
    path = tmp_path / "history.json"
    path.write_text('{"1": [0, 1],\n "2": [0, }\n')
    with pytest.raises(DataError, match=r"history\.json line 2 is not valid JSON"):
        read_json(path)


@pytest.fixture
def offline_hub(tmp_path):
    """Prints what `read_hub` answers in a fresh process that must not use the network."""

    def ask(*arguments):
        pytest.importorskip("datasets")
        code = (
            "from tinyreason.data.files import read_hub\n"
            "from tinyreason.errors import DataError\n"
            f"try: print(read_hub(*{arguments!r}))\n"
            "except DataError as error: print(error)\n"
        )
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done

    return ask


def test_a_hub_set_gives_its_rows_without_a_progress_bar(offline_hub, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    done = offline_hub(str(tmp_path / "set"), None, "train")
    assert done.stdout == f"{ROWS}\n"
    assert done.stderr == ""


def test_a_hub_set_that_cannot_be_reached_says_what_was_asked_and_what_to_do(offline_hub):
    done = offline_hub("openai/gsm8k", "main", "train")
    assert len(done.stdout.splitlines()) == 1
    assert "data.name=openai/gsm8k data.subset=main data.split=train cannot be loaded" in done.stdout
    assert "data.file=PATH" in done.stdout


def test_a_split_that_the_hub_set_lacks_is_named_with_those_it_has(offline_hub, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    answer = offline_hub(str(tmp_path / "set"), None, "dev").stdout
    assert len(answer.splitlines()) == 1
    assert "'dev'" in answer or '"dev"' in answer
    assert "train" in answer


def test_importing_the_data_kinds_loads_no_heavy_library():
    code = "import sys, tinyreason.data; print({'torch', 'pandas', 'pyarrow', 'datasets', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
