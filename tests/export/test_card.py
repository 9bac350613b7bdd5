"""The card of an adapter: of a base in a folder it has the folder's name alone."""

import pytest

from tinyreason.config.recipe import read_recipe
from tinyreason.export.card import adapter_card


@pytest.mark.parametrize(
    ("tier", "folder", "base", "base_line"),
    [
        ("sandbox", None, "sandbox", None),
        ("t4", None, "Qwen/Qwen2.5-Math-1.5B", "base_model: Qwen/Qwen2.5-Math-1.5B"),
        ("sandbox", "my_model", "my_model", None),
    ],
)
def test_it_says_what_the_adapter_is_without_a_path(tmp_path, tier, folder, base, base_line):
    if folder:
        (tmp_path / folder).mkdir()
    overrides = (f"model.name={tmp_path / folder}",) if folder else ()
    card = adapter_card(read_recipe("rlvr").resolve(tier, overrides, seed=5))
    assert f" on {base}, trained with tinyreason: recipe `rlvr`, tier `{tier}`, seed 5." in card
    assert (base_line or "library_name: peft\n---") in card and str(tmp_path) not in card
