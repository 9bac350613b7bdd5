"""The page of a run: what it says, what it holds, that it is small, and that nothing in a run can break it."""

import base64
import gzip
import json
import os
import random
import re
import time
from html.parser import HTMLParser

import pytest
from commands import complaint, tinyreason
from synthetic_run import controls, outcome, write_run, write_stage

from tinyreason.errors import FolderError
from tinyreason.reporting.report import write_report

SCRIPT = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
HOSTILE = SCRIPT + "{{ 7*7 }}\x00\ud800"


def page_of(*folders, out=None):
    return write_report(list(folders), out).read_text(encoding="utf-8")


def data_of(page):
    packed = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', page)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


class Reader(HTMLParser):
    """The visible words, and every tag with its attributes."""

    def __init__(self, page):
        super().__init__()
        self.words, self.tags, self.inside = [], [], []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        self.inside.append(f"/{tag}")

    def handle_data(self, data):
        if not self.inside or self.inside[-1] not in ("script", "style"):
            self.words.append(data)


def test_the_verdict_comes_first_and_in_plain_words(tmp_path):
    text = Reader(page_of(write_run(tmp_path / "run"))).text
    assert "It got better by 40.0 points." in text
    assert "65.0 % correct on 256 problems it was not trained on, 25.0 % before." in text
    assert text.index("It got better") < text.index("Warnings") < text.index("Training curves")
    assert (
        text.index("Training curves")
        < text.index("Rollouts of the training")
        < text.index("Command, config and environment")
    )


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((-12.0, (-15.0, -9.0), "worse"), "It got worse by 12.0 points."),
        ((0.8, (-1.0, 2.6), "cannot tell"), "No gain can be told: +0.8 points."),
        ((0.8, (-1.0, 2.6), "cannot tell"), "is -1.0 to +2.6 points: it includes 0, no change at all."),
        ((0.5, (0.1, 1.0), "cannot tell"), "is +0.1 to +1.0 points, but by the exact test it may be chance"),
    ],
)
def test_no_gain_is_called_no_gain(tmp_path, gain, words):
    text = Reader(page_of(write_run(tmp_path / "run", **outcome(*gain)))).text
    assert words in text
    assert "got better" not in text


def test_the_controls_stand_beside_the_result_with_what_the_run_gains_beyond_them(tmp_path):
    folder = write_run(tmp_path / "run")
    assert "reward" not in Reader(page_of(folder)).text[: Reader(page_of(folder)).text.index("Warnings")]
    (folder / "controls.json").write_text(json.dumps(controls(3.0)))
    text = Reader(page_of(folder)).text
    first = text[: text.index("Warnings")]
    assert "format reward 28.0 % 20.0 – 70.0" in first and "random reward 25.4 % 20.0 – 70.0" in first
    assert "Beyond the same budget with a format reward: +37.0 points, 95 % interval +34.0 to +40.0" in first
    assert "step 3 was selected on the validation set: 90.0 % correct there, 88.0 % at its last step" in first


def test_every_rollout_of_a_small_run_can_be_browsed_with_its_rewards_and_advantage(tmp_path):
    data = data_of(page_of(write_run(tmp_path / "run", steps=3, groups=2, group_size=4)))
    (run,) = data["runs"]
    assert [(group["step"], group["group"]) for group in run["groups"]] == [(s, g) for s in (1, 2, 3) for g in (0, 1)]
    lines = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open()]
    shown = [row for group in run["groups"] for row in group["rollouts"]]
    assert [row["text"] for row in shown] == [line["completion"] for line in lines]
    assert [row["advantage"] for row in shown] == [line["advantage"] for line in lines]
    names = run["reward_names"]
    assert [dict(zip(names, row["rewards"], strict=True)) for row in shown] == [line["rewards"] for line in lines]


def test_the_page_loads_nothing_from_anywhere(tmp_path):
    page = page_of(write_run(tmp_path / "run"))
    reader = Reader(page)
    addresses = [attrs[name] for _, attrs in reader.tags for name in ("src", "href") if name in attrs]
    assert all(address.startswith("data:") for address in addresses)
    policy = next(attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "@import" not in page


def test_what_a_model_wrote_cannot_leave_its_place(tmp_path):
    folder = write_run(tmp_path / "run", completion=lambda step: HOSTILE, command=HOSTILE)
    page = page_of(folder)
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags].count("script") == 3
    assert not [attrs for _, attrs in reader.tags if "onerror" in attrs]
    assert "49" not in reader.text
    text = data_of(page)["runs"][0]["groups"][0]["rollouts"][0]["text"]
    assert text.startswith("</script><script>document.title='owned'</script>")


def test_a_hostile_name_of_the_run_is_text_too(tmp_path):
    reader = Reader(page_of(write_run(tmp_path / "<b onclick=x>run")))
    assert "b" not in [tag for tag, attrs in reader.tags if "onclick" in attrs]
    assert "<b onclick=x>run" in reader.text


def test_stages_are_told_in_a_table_and_their_curves_follow_one_another(tmp_path):
    folder = write_run(tmp_path / "run", steps=4)
    assert "Stages" not in Reader(page_of(folder)).text
    write_stage(folder / "stages" / "10-last", steps=2, ended="reward/mean reached 0.75", at_most=9)
    write_stage(folder / "stages" / "2-round", steps=3)
    (folder / "stages" / "11-going").mkdir()
    page = page_of(folder)
    text = Reader(page).text
    told = text[text.index("Stages") : text.index("Training curves")]
    assert "2-round sft 80 solutions fair: 200 rows → 80: 120 more than n 80 3 1.5 37.5 % 30.0 – 45.0" in told
    assert "ended early: reward/mean reached 0.75 80 2 of 9 1.5" in told and "11-going not done 0 so far" in told
    own = told.index("the run's own problem")
    assert told.index("2-round") < told.index("10-last") < told.index("11-going") < own
    assert "the run's own problem 3 of the sandbox 4 3.3 65.0 % 60.0 – 70.0" in told
    chart = next(chart for chart in data_of(page)["charts"] if chart["title"] == "Reward, stage by stage")
    lines = [(line["label"], line["x"]) for line in chart["lines"]]
    assert [line["shade"] for line in chart["lines"]] == [0, 1, 3]  # 11-going has no step yet
    assert lines == [("2-round", [1, 2, 3]), ("10-last", [4, 5]), ("the run's own", [6, 7, 8, 9])]
    numbers = [int(attrs["data-chart"]) for tag, attrs in Reader(page).tags if "data-chart" in attrs]
    assert sorted(numbers) == list(range(len(data_of(page)["charts"])))


@pytest.mark.parametrize("content", ["", "[]", '{"steps": "x"}', "\x00\xff"])
def test_a_damaged_stage_leaves_a_page_that_opens(tmp_path, content):
    folder = write_run(tmp_path / "run")
    write_stage(folder / "stages" / "1-round")
    for name in ("stage.json", "evaluation.json", "metrics.jsonl"):
        (folder / "stages" / "1-round" / name).write_text(content, encoding="latin-1")
    assert "1-round not done" in Reader(page_of(folder)).text


# Sizes


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """200 steps, 12,800 rollouts, about a thousand characters each, hardly compressible."""
    return write_run(
        tmp_path_factory.mktemp("runs") / "large", steps=200, groups=8, group_size=8, completion=random_text
    )


def random_text(step):
    return random.randbytes(500).hex()


def test_the_page_of_12_800_rollouts_is_small_and_quickly_written(large):
    start = time.process_time()  # other work on the machine is not counted
    file = write_report([large])
    seconds = time.process_time() - start
    assert file.stat().st_size < 3_000_000
    assert seconds < 5


def test_thinning_keeps_every_step_and_says_what_is_left_out(large):
    page = page_of(large)
    data = data_of(page)
    (run,) = data["runs"]
    assert run["groups_of_run"] == 1600
    assert 200 <= len(run["groups"]) < 1600
    assert {group["step"] for group in run["groups"]} == set(range(1, 201))
    assert f"Shown are {len(run['groups']):,} of 1,600 groups" in Reader(page).text
    reward = next(chart for chart in data["charts"] if chart["title"] == "Reward")
    assert [line["x"] for line in reward["lines"]] == [list(range(1, 201))] * 3  # total, correctness, format


# Several runs


def test_several_runs_share_the_charts(tmp_path):
    folders = [write_run(tmp_path / name, steps=steps) for name, steps in (("one", 4), ("two", 6))]
    page = page_of(*folders)
    assert (tmp_path / "report.html").read_text() == page
    data = data_of(page)
    tokens = next(chart for chart in data["charts"] if chart["title"] == "Tokens per completion")
    assert [(line["run"], len(line["x"])) for line in tokens["lines"]] == [(0, 4), (1, 6)]
    text = Reader(page).text
    assert "2 runs side by side" in text
    table = text[: text.index("It got better")]
    assert "one improved 25.0 % 65.0 % +40.0 [+35.0, +45.0] two improved 25.0 % 65.0 % +40.0 [+35.0, +45.0]" in table


# Runs that are not whole


def test_a_run_that_is_still_going_shows_what_there_is_and_can_be_refreshed(tmp_path):
    folder = write_run(tmp_path / "run", steps=4, result=False)
    (folder / "config.yaml").write_text("train: {max_steps: 90}\n")
    assert "Still going: step 4 of 90." in Reader(page_of(folder)).text
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 5, "reward/mean": 1.0}\n{"step": 6, "rewa')
    page = page_of(folder)
    assert "Still going: step 5 of 90." in Reader(page).text
    assert "cannot be read" not in Reader(page).text  # the torn last line is just being written
    assert data_of(page)["runs"][0]["groups"]


def test_a_run_that_stopped_long_ago_is_not_called_going(tmp_path):
    folder = write_run(tmp_path / "run", result=False)
    for file in folder.iterdir():
        os.utime(file, (1e9, 1e9))
    text = Reader(page_of(folder)).text
    assert "Not finished: it stopped after step 4 of 4." in text
    assert "2001-09-09" in text


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("recipe: rlvr\n")
    assert "Still going: no step done yet." in Reader(page_of(tmp_path)).text


@pytest.mark.parametrize("file", ["result.json", "evaluation.json", "environment.json", "config.yaml", "controls.json"])
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "when: [2026-01-01, {1: 2}]",
        '{"before": 3}',
        '{"before": [{}], "after": []}',
        "\x00\xff",
        "[" * 300,
    ],
)
def test_a_damaged_file_leaves_a_page_that_opens(tmp_path, file, content):
    folder = write_run(tmp_path / "run")
    (folder / file).write_text(content, encoding="latin-1")
    page = page_of(folder)
    assert data_of(page)["runs"][0]["groups"]
    if file in ("result.json", "evaluation.json", "controls.json"):
        assert f"{file} cannot be read" in page or f"{file} is not whole" in page


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 2}',
        "nonsense",
        "[1]",
        '{"step": "x", "group": []}',
        '{"step": 1, "group": 0, "reward": {}, "rewards": 7}',
        '{"step": 1, "group": 0, "completion": {"a": 1}, "advantage": [0.1, null], "correct": "?"}',
    ],
)
def test_odd_lines_leave_a_page_that_opens(tmp_path, line):
    folder = write_run(tmp_path / "run")
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        text = (folder / name).read_text()
        (folder / name).write_text(f"{line}\n{text}{line}\n")
    assert len(data_of(page_of(folder))["runs"][0]["groups"]) >= 8


def test_values_that_are_not_numbers_leave_a_page_that_opens(tmp_path):
    folder = write_run(tmp_path / "run")
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 5, "loss": NaN, "gradient/norm": Infinity, "reward/mean": null}\n')
    page = page_of(folder)
    assert "loss is not a number from step 5 on" in Reader(page).text
    assert data_of(page)["charts"]


# The command


def test_a_mistake_is_one_sentence(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    run = write_run(tmp_path / "run")
    assert "does not exist; give the folder of a run" in complaint("report", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "is not the folder of a run: it has no config.yaml" in complaint("report", tmp_path / "empty")
    assert "is a file" in complaint("report", tmp_path / "mine.txt")
    assert "cannot write" in complaint("report", run, "--out", tmp_path / "none" / "x.html")
    with pytest.raises(FolderError):
        write_report([run, tmp_path / "none"])


def test_the_command_prints_where_the_page_is(tmp_path):
    run = write_run(tmp_path / "run")
    done = tinyreason("report", run)
    assert done.output.split() == [str(run / "report.html")]
    assert {path.name for path in run.iterdir()} >= {"report.html"}
    assert not list(run.glob(".*.part"))
