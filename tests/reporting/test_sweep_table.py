"""What the table of a sweep says, on numbers made by hand."""

from statistics import mean

import pytest

from tinyreason.reporting.sweep_table import Estimate, ProblemMeans, SeedFigures, sweep_markdown, sweep_rows


def side(seed, accuracy, tokens, problems=("p0", "p1", "p2"), baseline=None, strict=None):
    """One seed's figures, the same for each of three problems but for a tenth."""
    of_grader = [
        {name: share + (n - 1) / 10 for n, name in enumerate(problems)}
        for share in (accuracy, accuracy if strict is None else strict)
    ]
    means = ProblemMeans(
        accuracy=of_grader[0],
        strict=of_grader[1],
        tokens={name: tokens + n - 1 for n, name in enumerate(problems)},
    )
    return SeedFigures(seed, means, baseline and baseline.means)


@pytest.fixture
def rows():
    sides = {
        "start": [side(0, 0.5, 100), side(1, 0.7, 120)],
        "correctness": [side(0, 0.8, 100)],
        "same": [side(0, 0.8, 100)],
        "good": [side(0, 0.8, 50), side(1, 0.8, 70)],
        "short": [side(0, 0.3, 10)],
        "worse": [side(0, 0.7, 90)],
    }
    return {row.name: row for row in sweep_rows(sides)}


def test_seeds_are_averaged_by_problem(rows):
    assert rows["start"].seeds == [0, 1]
    assert rows["start"].accuracy.mean == pytest.approx(0.6)
    assert rows["good"].tokens.mean == 60
    # problems 59, 60, 61: Student's t of 2 degrees of freedom is 4.303, the standard error 1/√3
    # seeds 50 and 70: of 1 degree of freedom 12.706, the standard error 10
    distance = ((4.303 / 3**0.5) ** 2 + 127.06**2) ** 0.5
    assert rows["good"].tokens.interval == pytest.approx([60 - distance, 60 + distance], abs=1e-2)


def test_a_point_is_compared_on_the_seeds_both_have(rows):
    assert rows["good"].to_start.tokens.mean == mean((50 - 100, 70 - 120))
    assert rows["good"].to_plain.tokens == Estimate(-50, [-50, -50])
    assert rows["short"].to_start.accuracy.mean == pytest.approx(-0.2)


def test_the_frontier_is_what_nothing_dominates(rows):
    assert {name for name, row in rows.items() if row.front} == {"good", "short"}
    assert rows["good"].dominates == ["correctness", "same", "worse"]
    assert rows["short"].dominates == []


def test_what_cannot_be_told_from_plain_grpo_is_named(rows):
    moved = {name: row.moved for name, row in rows.items()}
    assert moved == {"start": None, "correctness": None, "same": False, "good": True, "short": True, "worse": True}
    text = sweep_markdown(list(rows.values()))
    assert "Cannot be told from plain GRPO, in accuracy or tokens: same." in text
    assert "On the frontier (no other point is as correct in as few tokens): good, short." in text
    assert "good dominates correctness, same, worse." in text
    assert "| good | 0.800 | " in text
    assert (
        " | +20.0 [-100.0, +100.0] | +20.0 [-100.0, +100.0] | 60 | -67 to 187 | 45% | 0, 1 | on the frontier |" in text
    )


def test_brevity_that_is_paid_for_with_accuracy_is_told_from_brevity_that_is_not(rows):
    assert [name for name, row in rows.items() if row.pays] == ["short"]
    text = sweep_markdown(list(rows.values()))
    assert "| 10 | 8 to 12 | 90% | 0 | on the frontier, pays with accuracy |" in text
    assert "so their brevity is paid for with accuracy: short." in text
    assert (
        "Fewest tokens at the baseline's accuracy (not below it beyond chance): good, 0.800 correct in 60 tokens"
        in text
    )


def test_a_point_on_which_the_graders_disagree_is_shown_by_both_and_is_not_on_the_frontier():
    found = {
        "start": [side(0, 0.2, 100)],
        "correctness": [side(0, 0.5, 90)],
        "hacked": [side(0, 0.8, 20, strict=0.2)],
    }
    rows = {row.name: row for row in sweep_rows(found)}
    assert [name for name, row in rows.items() if row.graders_disagree] == ["hacked"]
    assert [name for name, row in rows.items() if row.front] == ["correctness"]
    assert rows["hacked"].dominates == []
    text = sweep_markdown(list(rows.values()))
    assert "| +60.0 [+60.0, +60.0] | +0.0 [+0.0, +0.0] | 20 |" in text and "| 0 | graders disagree |" in text
    assert "may be reward hacking, and these are not on the frontier: hacked." in text
    assert "not below it beyond chance): correctness, 0.500 correct in 90 tokens" in text
    assert rows["hacked"].as_json()["to_start"]["strict"]["mean"] == 0


def test_where_a_point_began_elsewhere_and_what_is_missing_are_said():
    start, suffix = side(0, 0.5, 100), side(0, 0.2, 100)
    found = {
        "start": [start],
        "correctness": [side(0, 0.8, 90, baseline=start)],
        "l1": [side(0, 0.8, 50, baseline=suffix)],
    }
    text = sweep_markdown(sweep_rows(found), ["hapo, seed 0"])
    assert "Began elsewhere than the baseline above, by another prompt, model or warm-up: l1 (0.200 correct)." in text
    assert "Not run yet, or failed: hapo, seed 0." in text


def test_points_that_were_asked_other_problems_are_compared_on_those_both_have():
    found = {"start": [side(0, 0.5, 100)], "correctness": [side(0, 0.5, 90, problems=("p1", "p2", "p3"))]}
    change = sweep_rows(found)[1].to_start
    assert change.tokens.mean == -11  # p1 and p2 are 100, 101 there and 89, 90 here
    found["correctness"] = [side(0, 0.5, 90, problems=("q1", "q2", "q3"))]
    assert sweep_rows(found)[1].to_start.tokens.mean is None
