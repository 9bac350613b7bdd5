"""What is shown of a result, whatever an older file lacks."""

import pytest
from synthetic_run import outcome

from tinyreason.cli.train_output import conclude
from tinyreason.console import Console
from tinyreason.runs.result import RunResult

NEEDED = ("before", "after", "gain", "verdict")
WHOLE = outcome() | {"tokens": {"change": -0.4, "interval": [-0.5, -0.3]}}
LACKING = [(), *[(name,) for name in WHOLE if name not in NEEDED], tuple(name for name in WHOLE if name not in NEEDED)]


def shown(values, tmp_path, capsys):
    conclude(Console(), RunResult.model_validate(values), tmp_path)
    return capsys.readouterr().out


@pytest.mark.parametrize("gone", LACKING, ids=" ".join)
def test_a_result_that_lacks_what_is_not_needed_is_shown_without_it(gone, tmp_path, capsys):
    said = shown({name: value for name, value in WHOLE.items() if name not in gone}, tmp_path, capsys)
    assert "gain  " in said and "What next" in said and "None" not in said
    assert ("tokens      " in said) == ("tokens" not in gone)


@pytest.mark.parametrize("section", ["training", "adapter", "seconds"])
def test_a_section_that_holds_nothing_is_shown_as_nothing(section, tmp_path, capsys):
    assert "None" not in shown(WHOLE | {section: {}}, tmp_path, capsys)


def test_stated_confidences_are_in_the_table_where_a_side_has_them(tmp_path, capsys):
    fit = {"share": 0.5, "mean": 0.7, "brier": 0.25, "ece": 0.1, "auroc": None}
    assert "Brier" not in shown(WHOLE, tmp_path, capsys)
    said = shown(WHOLE | {"after": WHOLE["after"] | {"confidence": fit}}, tmp_path, capsys)
    rows = {line[:17].strip(): line[17:].split() for line in said.splitlines()}
    assert rows["confidence stated"] == ["0.0%", "50.0%"] and rows["Brier score"] == ["0.250"]
    assert rows["calibration error"] == ["0.100"] and "None" not in said
