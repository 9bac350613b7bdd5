import pytest

from tinyreason.algorithms.rewards.empo_cluster import EmpoCluster
from tinyreason.store import Store


def earned(rollouts, answers, **options):
    return EmpoCluster(**options)(rollouts([9] * len(answers), correct=[0] * len(answers), answers=answers), Store())


@pytest.mark.parametrize(
    ("answers", "shares"),
    [
        (["a", "a", "b", "d"], [0.5, 0.5, 0.25, 0.25]),
        (["a", "b", "c", "d"], [0, 0, 0, 0]),
        (["3", "3.0", "5", None], [0.5, 0.5, 0.25, 0]),
        (["3", None, None, None], [0, 0, 0, 0]),
        ([None] * 4, [0, 0, 0, 0]),
        (["7"] * 4, [1, 1, 1, 1]),
        (["x+1", "x+1", "1+x", "4"], [0.5, 0.5, 0.25, 0.25]),  # nothing here does algebra
    ],
)
def test_an_answer_earns_the_share_of_the_group_that_agrees(rollouts, answers, shares):
    assert earned(rollouts, answers).tolist() == shares


@pytest.mark.parametrize(
    ("answers", "wins"),
    [
        (["a", "a", "b", "d"], [1, 1, 0, 0]),
        (["b", "a", "a", "b"], [1, 0, 0, 1]),
        ([None, None, "b", "b"], [0, 0, 1, 1]),
        (["a", "b", "c", "d"], [0, 0, 0, 0]),
    ],
)
def test_with_majority_the_largest_cluster_is_taken_for_correct(rollouts, answers, wins):
    assert earned(rollouts, answers, majority=True).tolist() == wins


def test_it_reads_no_gold_answer(rollouts):
    answers, values = ["1", "1", "2", "3"], []
    for gold, correct in (("1", 1), ("2", 0), ("", float("nan"))):
        values.append(EmpoCluster()(rollouts([9] * 4, correct=[correct] * 4, answers=answers, gold=gold), Store()))
    assert not EmpoCluster.reads_gold
    assert values[0].tolist() == values[1].tolist() == values[2].tolist() == [0.5, 0.5, 0.25, 0.25]


def test_groups_are_apart(rollouts):
    batch = rollouts([9] * 4, correct=[0] * 4, group_size=2, answers=["1", "1", "1", "2"])
    assert EmpoCluster()(batch, Store()).tolist() == [1, 1, 0, 0]
