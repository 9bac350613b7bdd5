"""A folder of runs as one page: what it tells, that 500 runs are few, and that nothing in a run can break it."""

import base64
import gzip
import json
import os
import re
import time

import pytest
from commands import printed
from synthetic_run import outcome, write_run

from tinyreason.reporting.runs_table import RunsTable, find_runs, is_folder_of_runs, thinned, write_runs_table
from tinyreason.runs.reader import read_run

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def data_of(page):
    packed = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', page.read_text(encoding="utf-8"))[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def rows_of(folder):
    table = RunsTable(folder, lambda name, _: name).payload()
    return {row["name"]: row | {"config": table["common"] | row["config"]} for row in table["rows"]}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """500 runs of 60 steps with configs of 120 options, no two of which are equal; each has a page already."""
    folder = tmp_path_factory.mktemp("many")
    template = write_run(folder / "run0", steps=60, groups=1, group_size=1)
    texts = {file.name: file.read_text() for file in template.iterdir()}
    for number in range(500):
        run = folder / f"run{number}"
        run.mkdir(exist_ok=True)
        for name, text in texts.items():
            (run / name).write_text(text)
        options = "".join(f"option{n}: {n if n else number}\n" for n in range(120))
        (run / "config.yaml").write_text(f"recipe: rlvr\ntier: sandbox\nseed: {number}\n{options}")
        (run / "report.html").write_text("a page")
    return folder


def test_500_runs_are_one_small_page_soon(many):
    begin = time.process_time()
    page = write_runs_table(many, None, print)
    assert time.process_time() - begin < 10
    assert page == many / "report.html" and page.stat().st_size < 300_000
    table = data_of(page)
    assert len(table["rows"]) == 500
    assert {row["page"] for row in table["rows"]} == {f"run{number}/report.html" for number in range(500)}
    assert len(table["common"]) == 121 and all(row["config"].keys() == {"seed", "option0"} for row in table["rows"])


def test_a_table_that_is_watched_reads_again_only_what_was_written(many):
    table = RunsTable(many, lambda name, _: name)
    table.rows()
    (many / "run7" / "result.json").write_text(json.dumps(outcome(-20.0, (-25.0, -15.0), "worse")))
    begin = time.process_time()
    rows = {row["name"]: row for row in table.rows()}
    assert time.process_time() - begin < 0.5
    assert [name for name, row in rows.items() if row["verdict"] == "worse"] == ["run7"]


def test_the_runs_of_seeds_and_sweeps_are_found_and_controls_are_of_their_run(tmp_path):
    for name in ("one", "seeds/seed0", "seeds/seed1", "sweep/runs/plain-seed0", "one/controls/random", "a/b/c/deep"):
        write_run(tmp_path / name)
    (tmp_path / ".hidden").mkdir()
    assert list(find_runs(tmp_path)) == ["one", "seeds/seed0", "seeds/seed1", "sweep/runs/plain-seed0"]
    assert not find_runs(tmp_path / "one") and not find_runs(tmp_path / "none")
    assert is_folder_of_runs(tmp_path) and not is_folder_of_runs(tmp_path / "one")
    (tmp_path / "seeds" / "seeds.json").write_text("{}")
    assert not is_folder_of_runs(tmp_path / "seeds")  # its page is the story over the seeds


def test_a_row_tells_verdict_gain_and_curve(tmp_path):
    write_run(tmp_path / "done", steps=100)
    write_run(tmp_path / "going", steps=3, result=False)
    rows = rows_of(tmp_path)
    done, going = rows["done"], rows["going"]
    assert (done["verdict"], done["gain"], done["interval"], done["minutes"]) == ("improved", 40.0, [35.0, 45.0], 4.0)
    assert (done["before"], done["after"], done["recipe"], done["of"]) == (0.25, 0.65, "one_shot_rlvr", 100)
    assert (
        done["curve_of"] == "validation"
        and len(done["curve"]) == 40
        and done["curve"][-1] == pytest.approx(0.99, abs=0.02)
    )
    assert (going["verdict"], going["steps"], going["curve_of"]) == ("going", 3, "reward")
    assert "gain" not in going and going["config"]["train.max_steps"] == "3"


def test_a_curve_is_thinned_by_means():
    assert thinned([1.0, 2.0], 40) == [1.0, 2.0]
    assert thinned([float(n) for n in range(8)], 4) == [0.5, 2.5, 4.5, 6.5]
    assert sum(thinned([1.0] * 97, 40)) == 40


def test_runs_without_a_page_or_with_an_old_one_get_it(tmp_path):
    for name in ("new", "old", "kept"):
        write_run(tmp_path / "runs" / name)
    pages = {name: tmp_path / "runs" / name / "report.html" for name in ("new", "old", "kept")}
    for name in ("old", "kept"):
        pages[name].write_text(name)
    os.utime(pages["old"], (1e9, 1e9))
    assert printed("report", tmp_path / "runs").split() == [str(tmp_path / "runs" / "report.html")]
    assert "It got better" in pages["new"].read_text() and "It got better" in pages["old"].read_text()
    assert pages["kept"].read_text() == "kept"
    other = tmp_path / "other.html"
    printed("report", tmp_path / "runs", "--out", other)
    assert {row["page"] for row in data_of(other)["rows"]} == {f"runs/{name}/report.html" for name in pages}


@pytest.mark.parametrize("file", ["result.json", "config.yaml", "metrics.jsonl", "heartbeat.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "when: [2026-01-01, {1: 2}]", '{"step": "x"}', "\x00\xff", HOSTILE])
def test_a_damaged_run_leaves_a_table_of_all(tmp_path, file, content):
    write_run(tmp_path / "whole")
    folder = write_run(tmp_path / HOSTILE.replace("/", "|"))
    (folder / file).write_text(content, encoding="latin-1")
    page = write_runs_table(tmp_path, None, print)
    assert len(data_of(page)["rows"]) == 2
    assert HOSTILE not in page.read_text()


def test_what_is_long_is_not_read_for_the_table(tmp_path):
    run = read_run(write_run(tmp_path / "run"), has_text=False)
    assert run.groups == [] and run.evaluation is None and run.result is not None and len(run.metrics) == 4
