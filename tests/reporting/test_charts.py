"""Which lines a run's charts have."""

import json

from synthetic_run import write_run

from tinyreason.reporting.charts import charts_of
from tinyreason.runs.reader import read_run


def lines_by_chart(*folders):
    return {chart.title: chart.lines for chart in charts_of([read_run(folder) for folder in folders])}


def test_every_reward_term_has_a_line_beside_the_total(tmp_path):
    lines = lines_by_chart(write_run(tmp_path / "run", steps=3))["Reward"]
    assert [line["label"] for line in lines] == ["total", "correctness", "format"]
    assert all(line["x"] == [1, 2, 3] for line in lines)


def test_a_lone_reward_term_is_the_total_and_has_no_second_line(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [json.loads(line) for line in (folder / "rollouts.jsonl").open()]
    rows = [row | {"rewards": {"correctness": row["rewards"]["correctness"]}} for row in rows]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [line["label"] for line in lines_by_chart(folder)["Reward"]] == ["total"]


def test_rollouts_of_several_sources_have_a_line_each_and_no_charts_of_their_own(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [{"step": 1, "rollouts/policy": 0.75, "rollouts/solution": 0.25}, {"step": 2, "rollouts/policy": 1.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = lines_by_chart(folder)
    assert [(line["label"], line["x"], line["y"]) for line in found["Where rollouts come from"]] == [
        ("policy", [1, 2], [0.75, 1.0]),
        ("solution", [1, 2], [0.25, 0.0]),
    ]
    assert not [title for title in found if title.startswith("rollouts/")]


def test_validation_accuracy_stands_at_its_own_steps_beside_the_training(tmp_path):
    training, validation = lines_by_chart(write_run(tmp_path / "run", steps=4))["Correct completions"]
    assert (training["label"], training["x"]) == ("training", [1, 2, 3, 4])
    assert (validation["label"], validation["x"], validation["y"]) == ("validation", [2, 4], [0.5, 1.0])


def test_a_metric_that_nobody_knows_comes_last_and_what_is_not_a_number_never(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [{"step": 1, "new/metric": 2.0, "loss": float("nan"), "note": "x"}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = lines_by_chart(folder)
    assert list(found)[-1] == "new/metric"
    assert "Loss" not in found and "note" not in found
