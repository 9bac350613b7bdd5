from itertools import combinations

import pytest
import torch

from tinyreason.algorithms.advantages.pass_at_k import PassAtK, advantages_of
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store


def test_the_closed_form_for_groups_of_four(batch_of):
    # k = 2. One correct: R = 1 − 3/6, s = 1/2: 1 and (1/2 − 2/3)/s. Two: R = 5/6, s = 0.3727: 0.1667/s, −0.1667/s
    correct = [1.0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    found = PassAtK(k=2)(batch_of(["x"] * 16, correct, group_size=4), torch.zeros(16), Store()).tolist()
    assert found[:8] == pytest.approx([1] + [-1 / 3] * 3 + [0.4472] * 2 + [-0.4472] * 2, abs=1e-4)
    assert found[8:] == [0] * 8  # any two have a correct one among them, or none has


@pytest.mark.parametrize(("graded", "incorrect", "k"), [(4, 3, 2), (6, 4, 3), (8, 5, 4), (5, 2, 2)])
def test_it_is_the_mean_over_all_groups_of_k_of_how_far_their_best_is_above_the_mean_of_all_groups(
    graded, incorrect, k
):
    outcomes = [0] * incorrect + [1] * (graded - incorrect)
    best = {chosen: max(outcomes[n] for n in chosen) for chosen in combinations(range(graded), k)}
    mean = sum(best.values()) / len(best)
    std = (mean * (1 - mean)) ** 0.5
    of = [[value for chosen, value in best.items() if n in chosen] for n in (graded - 1, 0)]
    found = [(sum(values) / len(values) - mean) / std for values in of]
    assert advantages_of(graded, incorrect, k) == pytest.approx(found)


def test_k_1_is_correctness_in_standard_deviations(batch_of):
    # p = 1/4: population std sqrt(3)/4: 0.75/0.4330 = 1.7321, −0.25/0.4330 = −0.5774
    found = PassAtK(k=1)(batch_of(["x"] * 4, [1.0, 0, 0, 0]), torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([1.7321] + [-0.5774] * 3, abs=1e-4)


def test_a_k_that_leaves_nothing_to_compare_is_refused():
    options = ("advantage={kind: pass_at_k, k: 16}", "train.group_size=16")
    with pytest.raises(ConfigError, match=r"advantage\.k=16 leaves nothing to compare in a group of 16"):
        read_recipe("rlvr").resolve("sandbox", options)
