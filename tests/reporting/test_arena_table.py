"""What the arena's table says, on numbers made by hand."""

import random
from statistics import mean

import numpy
import pytest
from scipy.stats import dunnett

from tinyreason.config.worlds import PLAIN, read_world
from tinyreason.reporting.arena_table import (
    SAME,
    UNTOLD,
    ArenaEntry,
    SeedOfEntry,
    arena_markdown,
    arena_rows,
    write_arena,
)
from tinyreason.reporting.sweep_table import ProblemMeans

PROBLEMS = [f"p{number}" for number in range(120)]


def seed(number, share, tokens=40.0, warnings=()):
    """One seed's figures: about this share of 120 problems is correct, by this seed's own noise."""
    rng = random.Random(number)
    correct = {name: float(rng.random() < share) for name in PROBLEMS}
    start = dict.fromkeys(PROBLEMS, 0.2)
    length = {name: tokens + rng.random() for name in PROBLEMS}
    before, after = (ProblemMeans(accuracy, length, accuracy) for accuracy in (start, correct))
    return SeedOfEntry(number, before, after, 20, 100_000, 9.5, list(warnings))


def entry(name, *shares, tokens=40.0, **more):
    return ArenaEntry(name, "advantages", [seed(number, share, tokens) for number, share in enumerate(shares)], **more)


FOUND = [
    entry(PLAIN, 0.5, 0.5, 0.5),
    entry("same", 0.5, 0.5, 0.5),
    entry("near", 0.5, 0.51, 0.5),
    entry("harm", 0.1, 0.11, 0.1),
    entry("good", 0.9, 0.91, 0.9),
    entry("short", 0.5, 0.5, 0.5, tokens=10.0),
    entry("once", 0.9),
    ArenaEntry("bar|red", "samplers", [], refused="it needs | groups"),
]


@pytest.fixture(scope="module")
def rows():
    return arena_rows(FOUND)


def test_rows_are_sorted_and_those_without_a_run_stay(rows):
    assert rows[0].name == PLAIN and {rows[1].name, rows[2].name} == {"once", "good"}
    assert [row.name for row in rows][-2:] == ["harm", "bar|red"]
    assert rows[-1].said == "it needs | groups" and rows[-1].accuracy is None


def test_what_can_be_told_is_told_and_one_seed_tells_nothing(rows):
    said = {row.name: row.said for row in rows}
    assert said["good"] == "better" and said["harm"] == "worse" and said["near"] == UNTOLD
    assert said["same"] == SAME
    assert said["short"] == "shorter" and said["once"].startswith("one seed")


def test_differences_are_those_of_dunnetts_test_over_seeds(rows):
    of = {row.name: row for row in rows}
    values = {
        one.name: [100 * mean(of_seed.after.accuracy.values()) for of_seed in one.seeds]
        for one in FOUND
        if len(one.seeds) > 1
    }
    control = values.pop(PLAIN)
    result = dunnett(*values.values(), control=control, rng=numpy.random.default_rng(0))
    lows = dict(zip(values, result.confidence_interval(0.95).low, strict=True))
    assert of["good"].to_plain.mean == pytest.approx(mean(values["good"]) - mean(control))
    assert of["good"].to_plain.interval[0] == pytest.approx(lows["good"])
    assert of["same"].to_plain.mean == 0 and of["same"].to_plain.p_value > 0.99
    assert of["short"].tokens_to_plain.mean == pytest.approx(-30)
    assert of["once"].to_plain.interval is None and of[PLAIN].to_plain is None


def test_the_table_escapes_bars_and_says_how_it_is_corrected(rows):
    text = arena_markdown(rows)
    assert "it needs \\| groups" in text and "scipy.stats.dunnett" in text
    assert "Told from plain training, better: good." in text and "worse: harm." in text
    assert "Of 5 methods 2 cannot be told" in text  # of one seed nothing is told
    assert {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")} == {12}


def test_page_and_picture_are_written_and_the_picture_is_the_same_again(tmp_path):
    found = [*FOUND, ArenaEntry("<script>", "samplers", [], refused="<b>no</b>")]
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        write_arena(read_world("hard"), found, tmp_path / place)
    page = (tmp_path / "a" / "arena.html").read_text("utf-8")
    assert "<b>no</b>" not in page and "&lt;b&gt;no" in page and "data:image/svg+xml;base64," in page
    assert (tmp_path / "a" / "arena.svg").read_bytes() == (tmp_path / "b" / "arena.svg").read_bytes()
