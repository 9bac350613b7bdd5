"""Which lines a run's charts have."""

import json

from synthetic_run import write_run

from tinyreason.reporting.charts import draw
from tinyreason.runs.reader import read_run


def charts(*folders):
    return {chart.title: chart.lines for chart in draw([read_run(folder) for folder in folders])}


def test_every_reward_term_has_a_line_beside_the_total(tmp_path):
    lines = charts(write_run(tmp_path / "run", steps=3))["Reward"]
    assert [line["label"] for line in lines] == ["total", "correctness", "format"]
    assert all(line["x"] == [1, 2, 3] for line in lines)


def test_a_lone_reward_term_is_the_total_and_not_drawn_twice(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [json.loads(line) for line in (folder / "rollouts.jsonl").open()]
    rows = [row | {"rewards": {"correctness": row["rewards"]["correctness"]}} for row in rows]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [line["label"] for line in charts(folder)["Reward"]] == ["total"]


def test_held_out_accuracy_is_drawn_at_its_own_steps_beside_the_training(tmp_path):
    training, held_out = charts(write_run(tmp_path / "run", steps=4))["Right answers"]
    assert (training["label"], training["x"]) == ("training", [1, 2, 3, 4])
    assert (held_out["label"], held_out["x"], held_out["y"]) == ("held out", [2, 4], [0.5, 1.0])


def test_a_metric_that_nobody_knows_is_drawn_last_and_what_is_no_number_never(tmp_path):
    folder = write_run(tmp_path / "run")
    rows = [{"step": 1, "new/metric": 2.0, "loss": float("nan"), "note": "x"}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = charts(folder)
    assert list(found)[-1] == "new/metric"
    assert "Loss" not in found and "note" not in found
