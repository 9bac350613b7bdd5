"""`tinyreason new`: a recipe of one's own, valid as it is written, whose comments are the values of the other."""

import re
from pathlib import Path

import pytest
from commands import complaint, printed

from tinyreason.config.recipe import read_recipe, recipe_names


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configs(name, tiers):
    """What a recipe is on some tiers, but for its name and its promises."""
    update = {"recipe": "", "expected": None, "measured": ""}
    return [read_recipe(name).resolve(tier).model_copy(update=update) for tier in tiers]


def test_it_writes_a_file_that_is_valid_and_ends_with_the_lines_to_type():
    wrote, *lines = printed("new", "mine", "--from", "one_shot_rlvr", "--on", "sandbox").splitlines()
    assert wrote.startswith("wrote mine.yaml: one_shot_rlvr")
    assert lines == ["tinyreason check mine.yaml", "tinyreason recipe mine.yaml"]
    assert printed("check", "mine.yaml").startswith("mine: valid on sandbox, cpu, 8gb, t4, 24gb, 80gb")
    assert re.search(r"\n  # max_steps: 90 +# Number of optimizer steps\.\n", Path("mine.yaml").read_text())


@pytest.mark.parametrize(
    ("base", "tier"), [(name, tier) for name in recipe_names() for tier in (next(iter(read_recipe(name).tiers)), "t4")]
)
def test_it_changes_nothing_as_written_nor_with_every_comment_taken_away(base, tier):
    printed("new", "mine", "--from", base, "--on", tier)
    tiers = read_recipe(base).tiers
    assert configs("mine.yaml", tiers) == configs(base, tiers)
    text = Path("mine.yaml").read_text()
    options = re.sub(r"^( *)# (\w+: )", r"\1\2", text.partition("extends:")[2], flags=re.MULTILINE)
    Path("all.yaml").write_text(f"extends:{options}")
    assert "\n  max_steps: " in options and "# name" not in options
    assert configs("all.yaml", [tier]) == configs(base, [tier])


def test_a_file_may_be_extended_and_the_new_one_go_elsewhere(folder):
    (folder / "own").mkdir()
    printed("new", "first", "--from", "rlvr")
    printed("new", "second.yaml", "--from", "first.yaml", "--out", "own")
    assert read_recipe("own/second.yaml").resolve("sandbox").recipe == "second"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("there --from rlvr", "there.yaml is there already, and is not overwritten"),
        ("mine --from rlrv", "did you mean 'rlvr'?"),
        ("mine --from rlvr --on t5", "has no tier 't5'"),
        ("mine --from rlvr --out none/mine.yaml", "cannot write none/mine.yaml: No such file"),
        ("mine --from rlvr --out other.yaml", "--out other.yaml must end in mine.yaml"),
        ("a/b --from rlvr", "'a/b' cannot be a recipe's name"),
        ("rlvr --from rlvr", "'rlvr' is the name of a shipped recipe"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(folder, words, answer):
    (folder / "there.yaml").write_text("mine")
    assert answer in complaint("new", *words.split())
    assert [path.name for path in folder.iterdir()] == ["there.yaml"] and (folder / "there.yaml").read_text() == "mine"
