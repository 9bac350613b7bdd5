"""The stage lists of docs/stages.md are recipes that resolve on every tier that theirs has."""

import re
from pathlib import Path

import pytest

from tinyreason.config.recipe import read_recipe
from tinyreason.config.tiers import TIERS

PAGE = Path(__file__).parents[2] / "docs" / "stages.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
LISTS = [
    block if block.startswith("extends:") else f"extends: rlvr\nvalidation: {{problems: 64}}\n{block}"
    for block in BLOCKS
]


@pytest.mark.parametrize("text", LISTS)
def test_a_stage_list_resolves_on_every_tier(text, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    recipe = read_recipe(str(tmp_path / "mine.yaml"))
    for tier in recipe.tiers:
        if "name: openai/" in text and TIERS[tier].is_offline:
            continue
        assert len(recipe.resolve(tier).stage_configs) >= 1


def test_the_page_has_them():
    assert len(LISTS) >= 7 and sum(block.startswith("extends:") for block in BLOCKS) >= 5
