"""What the arena's table says, on numbers made by hand."""

import random

import pytest

from tinyreason.config.worlds import PLAIN, read_world
from tinyreason.reporting.arena_table import UNTOLD, ArenaEntry, SeedOfEntry, arena_markdown, arena_rows, write_arena
from tinyreason.reporting.sweep_table import ProblemMeans

PROBLEMS = [f"p{number}" for number in range(120)]


def seed(number, share, tokens=40.0, warnings=()):
    """One seed's figures: about this share of 120 problems is correct, by this seed's own noise."""
    rng = random.Random(number)
    correct = {name: float(rng.random() < share) for name in PROBLEMS}
    start = dict.fromkeys(PROBLEMS, 0.2)
    length = {name: tokens + rng.random() for name in PROBLEMS}
    before, after = (ProblemMeans(accuracy, length, accuracy) for accuracy in (start, correct))
    return SeedOfEntry(number, before, after, 128, 20, 100_000, 9.5, list(warnings))


def entry(name, *shares, tokens=40.0, **more):
    return ArenaEntry(name, "advantages", [seed(number, share, tokens) for number, share in enumerate(shares)], **more)


FOUND = [
    entry(PLAIN, 0.5, 0.5, 0.5),
    entry("same", 0.5, 0.5, 0.5),
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
    assert [row.name for row in rows][:3] == [PLAIN, "once", "good"]
    assert [row.name for row in rows][-2:] == ["harm", "bar|red"]
    assert rows[-1].said == "it needs | groups" and rows[-1].accuracy is None


def test_what_can_be_told_is_told_and_one_seed_tells_nothing(rows):
    said = {row.name: row.said for row in rows}
    assert said["good"] == "better" and said["harm"] == "worse" and said["same"] == UNTOLD
    assert said["short"] == "shorter" and said["once"].startswith("one seed")


def test_differences_are_paired_and_adjusted_for_all_of_them(rows):
    of = {row.name: row for row in rows}
    assert of["same"].to_plain.mean == 0 and of["same"].to_plain.p_value == 1
    assert of["good"].to_plain.adjusted > of["good"].to_plain.p_value > 0
    assert of["short"].tokens_to_plain.mean == pytest.approx(100 * -30 / 128)
    assert of["good"].to_plain.interval[0] < of["good"].to_plain.mean < of["good"].to_plain.interval[1]
    assert of[PLAIN].to_plain is None


def test_the_table_escapes_bars_and_says_how_it_is_corrected(rows):
    text = arena_markdown(rows)
    assert "it needs \\| groups" in text and "false_discovery_control" in text
    assert "Told from plain training, better: good." in text and "worse: harm." in text
    assert "Of 5 methods 1 cannot be told" in text
    assert {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")} == {12}


def test_page_and_picture_are_written_and_the_picture_is_the_same_again(tmp_path):
    found = [*FOUND, ArenaEntry("<script>", "samplers", [], refused="<b>no</b>")]
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        write_arena(read_world("hard"), found, tmp_path / place)
    page = (tmp_path / "a" / "arena.html").read_text("utf-8")
    assert "<b>no</b>" not in page and "&lt;b&gt;no" in page and "data:image/svg+xml;base64," in page
    assert (tmp_path / "a" / "arena.svg").read_bytes() == (tmp_path / "b" / "arena.svg").read_bytes()
