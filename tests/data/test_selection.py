import json
import random
from itertools import pairwise
from statistics import fmean

import pytest

from tinyreason.data.selection import history_of_run, rank, read_history
from tinyreason.errors import ConfigError, DataError, FolderError


@pytest.fixture
def history_file(tmp_path):
    def write(content):
        path = tmp_path / "history.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture
def run_folder(tmp_path):
    def write(*lines):
        names = ("step", "group", "problem_id", "correct")
        rows = (dict(zip(names, line, strict=True)) | {"reward": 1.0} for line in lines)
        (tmp_path / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path

    return write


def order(history, **how):
    return [row["id"] for row in rank(history, **how)]


def test_variance_ranks_what_is_being_learned_above_what_is_known_or_hopeless():
    history = {"known": [1, 1, 1, 1], "learned": [0, 0, 1, 1], "hopeless": [0, 0, 0, 0], "wavering": [0.25, 0.75]}
    assert rank(history) == [
        {"rank": 1, "id": "learned", "score": 0.25, "mean_accuracy": 0.5},
        {"rank": 2, "id": "wavering", "score": 0.0625, "mean_accuracy": 0.5},
        {"rank": 3, "id": "known", "score": 0.0, "mean_accuracy": 1.0},
        {"rank": 4, "id": "hopeless", "score": 0.0, "mean_accuracy": 0.0},
    ]


def test_variance_is_that_of_the_population_not_of_a_sample():
    assert rank({"a": [0, 1]})[0]["score"] == 0.25  # a sample's would be 0.5
    assert rank({"a": [0, 0.5, 1]})[0]["score"] == pytest.approx(1 / 6)


def test_pass_rate_ranks_the_surest_first():
    history = {"low": [0, 0.5], "high": [1, 0.5, 0.9], "middle": [0.5]}
    assert rank(history, by="pass_rate") == [
        {"rank": 1, "id": "high", "score": 0.8, "mean_accuracy": 0.8},
        {"rank": 2, "id": "middle", "score": 0.5, "mean_accuracy": 0.5},
        {"rank": 3, "id": "low", "score": 0.25, "mean_accuracy": 0.25},
    ]


def test_one_epoch_has_no_variance():
    assert rank({"a": [0.5]}) == [{"rank": 1, "id": "a", "score": 0.0, "mean_accuracy": 0.5}]


def test_top_keeps_the_best_and_may_exceed_what_there_is():
    history = {"a": [0, 0], "b": [0, 1], "c": [0, 0.5]}
    assert order(history, top=2) == ["b", "c"]
    assert order(history, top=99) == ["b", "c", "a"]


@pytest.mark.parametrize("by", ["variance", "pass_rate"])
def test_ties_keep_the_order_of_the_file(by):
    assert order({"z": [0, 1], "a": [1, 0], "m": [0, 1, 1, 0]}, by=by) == ["z", "a", "m"]


def test_equal_spreads_at_different_heights_tie():
    assert order({"low": [0.1, 0.3], "middle": [0.2, 0.4], "high": [0.7, 0.9]}) == ["low", "middle", "high"]


@pytest.mark.parametrize("by", ["variance", "pass_rate"])
def test_the_order_of_the_epochs_never_matters(by):
    rng = random.Random(0)
    for _ in range(200):
        accuracies = [rng.choice((rng.random(), rng.randint(0, 10) / 10)) for _ in range(rng.randint(1, 12))]
        shuffled = rng.sample(accuracies, len(accuracies))
        first, second = rank({"first": shuffled, "second": accuracies}, by=by)
        assert (first["id"], second["id"]) == ("first", "second")
        assert first["score"] == second["score"]


def test_a_ranking_is_complete_sorted_and_scored_by_definition():
    rng = random.Random(1)
    for _ in range(100):
        history = {str(id): [rng.random() for _ in range(rng.randint(1, 8))] for id in range(rng.randint(1, 30))}
        rows = rank(history)
        assert {row["id"] for row in rows} == set(history)
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(above["score"] >= below["score"] for above, below in pairwise(rows))
        for row in rows:
            values = history[row["id"]]
            spread = fmean(value * value for value in values) - fmean(values) ** 2
            assert row["score"] == pytest.approx(spread, abs=1e-9)
            assert row["mean_accuracy"] == pytest.approx(fmean(values))


def test_an_unknown_order_gets_the_nearest_one():
    with pytest.raises(ConfigError, match=r"did you mean 'variance'\?"):
        rank({"a": [1]}, by="varience")
    with pytest.raises(ConfigError, match="top 0 asked for"):
        rank({"a": [1]}, top=0)


def test_a_history_may_have_lists_of_different_length(history_file):
    history = {"17": [0, 0.5, 1], "4": [1]}
    assert read_history(history_file(history)) == history
    assert list(read_history(history_file(history))) == ["17", "4"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"1": [0, 1]}\n{"2": [0, 1]}\n', "line 2 is not valid JSON"),
        ("", "is empty"),
        ("{}", "names no problem"),
        ([[0, 1]], "must hold an object"),
        ({"17": 0.5}, "problem '17' needs a list"),
        ({"4": [1], "17": []}, "problem '17' needs a list of at least one accuracy"),
        ({"17": [0.5, 1.5]}, "problem '17' has the accuracy 1.5; allowed are numbers from 0 to 1"),
        ({"17": [-0.1]}, "problem '17' has the accuracy -0.1"),
        ({"17": ["1"]}, "problem '17' has the accuracy '1'"),
        ({"17": [True]}, "problem '17' has the accuracy True"),
        ({"17": [None]}, "problem '17' has the accuracy None"),
        ('{"17": [NaN]}', "problem '17' has the accuracy nan"),
        ('{"17": [0], "17": [1]}', "names problem '17' twice"),
    ],
)
def test_a_history_that_cannot_be_used_is_answered_with_one_sentence(history_file, content, words):
    with pytest.raises(DataError) as caught:
        read_history(history_file(content))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_history_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*none\.json"):
        read_history(tmp_path / "none.json")


def test_a_run_gives_one_accuracy_per_visit_in_order_of_step(run_folder):
    folder = run_folder(
        (2, 0, "a", True), (2, 0, "a", True), (2, 1, "b", False), (2, 1, "b", True),
        (1, 0, "a", False), (1, 0, "a", True), (1, 0, "a", False), (1, 0, "a", False),
    )  # fmt: skip
    assert history_of_run(folder) == {"a": [0.25, 1.0], "b": [0.5]}


def test_two_groups_of_one_problem_in_one_step_are_two_visits(run_folder):
    assert history_of_run(run_folder((1, 0, "a", True), (1, 1, "a", False))) == {"a": [1.0, 0.0]}


def test_what_could_not_be_graded_does_not_count(run_folder):
    folder = run_folder((1, 0, "a", None), (1, 0, "a", True), (2, 0, "a", None), (2, 1, "b", None))
    assert history_of_run(folder) == {"a": [1.0]}


def test_a_run_without_graded_rollouts_cannot_be_ranked(run_folder):
    with pytest.raises(DataError, match="no rollout that could be graded"):
        history_of_run(run_folder((1, 0, "a", None)))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FolderError, match=r"has no rollouts.jsonl; give the folder of a run"):
        history_of_run(tmp_path)


@pytest.mark.parametrize("line", [(1, 0, "a", "yes"), ("1", 0, "a", True), (1, 0, 7, True), (1, None, "a", True)])
def test_a_line_that_is_no_rollout_is_named(run_folder, line):
    with pytest.raises(DataError, match=r"rollouts\.jsonl line 2 is not a rollout"):
        history_of_run(run_folder((1, 0, "a", True), line))
