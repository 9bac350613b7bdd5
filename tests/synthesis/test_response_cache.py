import json
import subprocess
import sys

import pytest

from tinyreason.errors import DataError, FolderError
from tinyreason.synthesis.response_cache import ResponseCache, write_rows
from tinyreason.teachers.request import Answer


@pytest.fixture
def path(tmp_path):
    with ResponseCache(tmp_path / "answers.jsonl") as cache:
        for name in "abc":
            cache.append(Answer(name, f"text of {name}\n\u2028é", 3, 4, 0.5, 0.25))
    return tmp_path / "answers.jsonl"


def known(path):
    with ResponseCache(path) as cache:
        return [name for name in "abcd" if name in cache]


def test_what_was_appended_is_there_when_it_is_opened_again(path):
    with ResponseCache(path) as cache:
        assert cache["b"] == Answer("b", "text of b\n\u2028é", 3, 4, 0.5, 0.25)
        assert "d" not in cache


@pytest.mark.parametrize("bytes_lost", [2, 10, 100])
def test_a_torn_last_line_is_taken_off_and_the_next_answer_stands_alone(path, bytes_lost):
    path.write_bytes(path.read_bytes()[:-bytes_lost])
    with ResponseCache(path) as cache:
        assert "b" in cache and "c" not in cache
        cache.append(Answer("d", "after"))
    assert known(path) == ["a", "b", "d"]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 3


def test_a_last_line_that_lacks_only_its_end_is_kept(path):
    path.write_bytes(path.read_bytes()[:-1])
    with ResponseCache(path) as cache:
        cache.append(Answer("d", "after"))
    assert known(path) == ["a", "b", "c", "d"]


def test_a_damaged_line_in_the_middle_costs_only_itself(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\x00\xff" * 30 + b"\n" + lines[2])
    assert known(path) == ["a", "c"]


def test_an_append_is_in_the_file_before_it_returns(tmp_path):
    with ResponseCache(tmp_path / "answers.jsonl") as cache:
        cache.append(Answer("a", "text"))
        assert known_without_lock(tmp_path / "answers.jsonl") == ["a"]


def known_without_lock(path):
    return [json.loads(line)["request_sha256"] for line in path.read_text().splitlines()]


def test_another_file_is_not_taken_for_a_response_cache(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text('{"problem": "1+1?", "answer": "2"}\n')
    with pytest.raises(DataError, match="is not a response cache"), ResponseCache(path):
        pass
    assert path.read_text() == '{"problem": "1+1?", "answer": "2"}\n'


def test_two_processes_do_not_write_one_response_cache(path):
    code = (
        "from pathlib import Path\nfrom tinyreason.synthesis.response_cache import ResponseCache\n"
        f"with ResponseCache(Path({str(path)!r})): pass"
    )
    with ResponseCache(path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another process is writing" in done.stderr
    assert known(path) == ["a", "b", "c"]


def test_rows_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [{"a": "é"}, {"a": 2}])
    with pytest.raises(TypeError):
        write_rows(path, [{"a": object()}])
    assert path.read_text(encoding="utf-8") == '{"a": "é"}\n{"a": 2}\n'
    with pytest.raises(FolderError, match="choose another --out"):
        write_rows(tmp_path / "nowhere" / "rows.jsonl", [])
