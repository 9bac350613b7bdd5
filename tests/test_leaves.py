"""A family's leaves are found by their files and imported when they are asked for, and only then."""

import json
import subprocess
import sys

import pytest

from tinyreason.algorithms.rewards import REWARDS
from tinyreason.data.transforms import TRANSFORMS
from tinyreason.leaves import Leaves


def test_a_kind_is_the_file_of_its_name_or_of_a_longer_one():
    assert REWARDS["hapo_length"].__name__ == "HapoLength" and REWARDS["random"].__name__ == "RandomReward"
    assert "random_reward" not in REWARDS and list(REWARDS) == sorted(REWARDS)
    assert "_reward" not in REWARDS and [] not in REWARDS and TRANSFORMS["select"].__name__ == "SelectRows"


def test_a_kind_that_is_none_is_missing():
    with pytest.raises(KeyError, match="hapo"):
        REWARDS["hapo"]


def test_a_leaf_may_be_put_in_and_taken_out():
    leaves = Leaves("tinyreason.algorithms.rewards", ["format"])
    leaves["novel"] = REWARDS["correctness"]
    assert dict(leaves) == {"format": REWARDS["format"], "novel": REWARDS["correctness"]} and len(leaves) == 2
    del leaves["novel"]
    assert list(leaves) == ["format"]


def test_what_a_recipe_does_not_use_is_not_imported():
    script = (
        "import json, sys; from tinyreason.config.recipe import read_recipe; read_recipe('one_shot_rlvr')"
        ".resolve('sandbox'); "
        "print(json.dumps([name for name in sys.modules if name.startswith('tinyreason.algorithms.rewards.')]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = {name.rpartition(".")[2] for name in json.loads(done.stdout)}
    assert "correctness" in imported and not {name for name in imported if not name.startswith("_")} - {"correctness"}
