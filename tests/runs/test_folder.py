"""The run folder: nothing is written over, nothing is half written, nothing is left of a run that could not start."""

import json
import logging
import os
from pathlib import Path

import pytest
import yaml
from full_disk import room_for

from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import RunConfig
from tinyreason.console import Console
from tinyreason.errors import DataError, FolderError, Stopped
from tinyreason.models.hardware import Card
from tinyreason.models.kernels import choose_compute_settings
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder, default_folder, open_run

TEXTS = [
    "plain",
    "é 日本 🎉 ΔW = α/r",
    'a "quote" \\ a tab\t',
    "two\nlines\r\nand\u2028more",
    "half a pair \ud83d",
    "\udcff",
]


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def config():
    return read_recipe("one_shot_rlvr").resolve("sandbox")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Where a run may be written


def test_a_new_folder_is_made_with_the_folders_above_it(tmp_path):
    assert RunFolder(tmp_path / "runs" / "today" / "first").path.is_dir()


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "mine").mkdir()
    assert RunFolder(tmp_path / "mine").path.is_dir()


def test_the_default_folder_says_which_run_it_is(config):
    assert str(default_folder([config])).startswith(f"runs{os.sep}one_shot_rlvr-sandbox-seed0-")


@pytest.mark.parametrize("place", ["full", "file", "file/below", "a" * 300, "/proc/nope", "/proc"])
def test_a_place_that_cannot_be_written_is_refused_and_left_as_it_is(tmp_path, place):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("1")
    (tmp_path / "file").write_text("2")
    if place.startswith("/") and not Path("/proc").is_dir():
        pytest.skip("no /proc here")
    with pytest.raises(FolderError) as caught:
        RunFolder(tmp_path / place)
    message = str(caught.value)
    assert place in message and "--out" in message and "\n" not in message
    assert names(tmp_path) == {"full", "file"}
    assert ((tmp_path / "full" / "mine").read_text(), (tmp_path / "file").read_text()) == ("1", "2")


# What stands in it from the start


def test_an_open_run_holds_its_config_and_its_environment(tmp_path, config):
    compute = choose_compute_settings(config.model, config.kernels, Card("Tesla T4", 15.0, (7, 5)), {}, "qwen3")
    context = RunContext(Console(quiet=True), compute, "asked for with --on")
    folder = open_run(tmp_path / "run", config, context)
    assert names(folder.path) == {"config.yaml", "environment.json", "constraints.txt"}
    written = yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8"))
    assert RunConfig.model_validate(written) == config
    environment = json.loads((folder.path / "environment.json").read_text(encoding="utf-8"))
    assert environment["tier"] == {"got": "sandbox", "why": "asked for with --on"}
    assert environment["card"]["name"] == "Tesla T4"
    assert environment["means"]["dtype"]["got"] == "float16"
    assert environment["means"]["attention"].keys() == {"asked", "got", "why"}
    assert environment["versions"]["tinyreason"] and environment["versions"]["torch"]


# Writing


def test_a_text_is_written_whole_and_can_be_replaced(folder):
    for text in ("first, é 日本\n", "second"):
        folder.write_text("config.yaml", text)
        assert (folder.path / "config.yaml").read_text(encoding="utf-8") == text
    assert names(folder.path) == {"config.yaml"}


def test_a_write_that_fails_leaves_the_old_text(folder):
    folder.write_json("result.json", {"accuracy": 0.5})
    before = (folder.path / "result.json").read_bytes()
    with room_for(1000), pytest.raises(OSError, match="File too large"):
        folder.write_json("result.json", {"accuracy": ["0.75"] * 1000})
    assert (folder.path / "result.json").read_bytes() == before


def test_a_value_that_is_no_json_leaves_the_old_text(folder):
    folder.write_json("result.json", {"accuracy": 0.5})
    with pytest.raises(TypeError):
        folder.write_json("result.json", {"accuracy": object()})
    assert json.loads((folder.path / "result.json").read_text()) == {"accuracy": 0.5}


def test_any_text_survives_a_json_file(folder):
    folder.write_json("evaluation.json", TEXTS)
    assert json.loads((folder.path / "evaluation.json").read_text(encoding="utf-8")) == TEXTS


def test_lines_are_appended_and_any_text_survives(folder):
    for text in TEXTS:
        folder.append("rollouts.jsonl", [{"completion": text}, {"completion": text * 2}])
    lines = (folder.path / "rollouts.jsonl").read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)["completion"] for line in lines] == [text * n for text in TEXTS for n in (1, 2)]


def test_text_beyond_ascii_stays_readable(folder):
    folder.append("rollouts.jsonl", [{"completion": "日本"}])
    folder.write_json("result.json", {"what": "ΔW"})
    assert "日本" in (folder.path / "rollouts.jsonl").read_text(encoding="utf-8")
    assert "ΔW" in (folder.path / "result.json").read_text(encoding="utf-8")


# How it ends


def test_a_warning_during_the_run_is_in_its_log_and_not_in_the_next_ones(tmp_path):
    with RunFolder(tmp_path / "first") as first:
        logging.getLogger("somelibrary").warning("é: mind the gap")
    with RunFolder(tmp_path / "second") as second:
        pass
    assert "mind the gap" in (first.path / "log.txt").read_text(encoding="utf-8")
    assert (second.path / "log.txt").read_text() == ""


def stop_with(error, folder: RunFolder, *, adapter: bool = False):
    """A run that writes what every run writes, then ends with this error."""
    with pytest.raises(type(error)), folder:
        folder.write_text("config.yaml", "a: 1\n")
        folder.write_json("environment.json", {})
        if adapter:
            folder.adapter.mkdir()
            (folder.adapter / "adapter_model.safetensors").write_bytes(b"0")
        raise error


def test_a_persons_mistake_leaves_no_new_folder(tmp_path):
    stop_with(DataError("no such file"), RunFolder(tmp_path / "run"))
    assert names(tmp_path) == set()


def test_a_persons_mistake_leaves_an_empty_folder_empty_and_the_same(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o750)
    before = mine.stat()
    stop_with(DataError("no such file"), RunFolder(mine))
    assert names(mine) == set()
    assert (mine.stat().st_ino, mine.stat().st_mode) == (before.st_ino, before.st_mode)  # it may be where a shell is


def test_a_persons_mistake_is_told_also_where_the_folder_is_a_link(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    stop_with(DataError("no such file"), RunFolder(tmp_path / "link"))
    assert names(tmp_path) == {"mine", "link"}
    assert names(tmp_path / "mine") == set()


@pytest.mark.parametrize("error", [DataError("no such file"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_what_was_earned_is_kept_whatever_ends_the_run(folder, error):
    stop_with(error, folder, adapter=True)
    assert names(folder.path) == {"config.yaml", "environment.json", "log.txt", "adapter"}


@pytest.mark.parametrize("earned", ["critiques.jsonl.answers.jsonl", "warmup/adapter/adapter_config.json"])
def test_answers_that_were_paid_for_and_a_warm_up_are_kept(folder, earned):
    (folder.path / earned).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / earned).write_text("{}")
    stop_with(Stopped("stopped by Ctrl-C"), folder)
    assert (folder.path / earned).exists() and (folder.path / "config.yaml").exists()


def test_a_response_cache_in_which_no_answer_is_yet_is_not_kept(folder):
    (folder.path / "critiques.jsonl.answers.jsonl").touch()
    stop_with(Stopped("stopped by Ctrl-C"), folder)
    assert not folder.path.exists()


def test_a_fault_of_ours_keeps_the_files(folder):
    stop_with(RuntimeError("a bug"), folder)
    assert names(folder.path) == {"config.yaml", "environment.json", "log.txt"}


def test_a_run_that_ends_well_keeps_the_files(folder):
    with folder:
        folder.write_json("result.json", {})
    assert names(folder.path) == {"result.json", "log.txt"}
