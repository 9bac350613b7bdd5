import pytest

from tinyreason.algorithms.rewards.rank_list_reward import RankListReward, ndcg, rank_overlap, ranking_reward
from tinyreason.store import Store

GOLD = "[2] | [1] > [3]"


def said(ranking):
    return f"<think>a</think><answer>{ranking}</answer>"


def test_the_only_relevant_one_in_place_two():
    assert ndcg([1, 2, 3], {2}) == pytest.approx(0.6309, abs=1e-4)
    # depths 1 to 3 share 0, 2 and 3 ids: (0·0.9 + 1·0.81 + 1·0.729) / (0.9 + 0.81 + 0.729)
    assert rank_overlap([1, 2, 3], [2, 1, 3]) == pytest.approx(1.539 / 2.439)
    assert rank_overlap([2, 1, 3], [2, 1, 3]) == 1


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (said("[2] > [1] > [3]"), 1.3),
        (said("[1] > [2] > [3]"), 0.6309 + 0.2 + 0.1 * 1.539 / 2.439),
        (said("[2] > [1]"), 0),
        (said("[2] > [2] > [1]"), 0),
        (said(""), 0),
        ("[2] > [1] > [3]", -1),
    ],
)
def test_several_measures_of_a_whole_list_and_none_of_another(rollouts, text, earned):
    found = RankListReward()(rollouts([9], correct=[0], texts=[text], gold=GOLD), Store())
    assert found.tolist() == pytest.approx([earned], abs=1e-4)


def test_recall_is_of_the_first_ten():
    many = " > ".join(f"[{n}]" for n in range(3, 13))
    gold = f"[1] > [2] | {many}"
    last = ranking_reward(said(f"[1] > {many} > [2]"), gold)  # one of the two is in place 12
    first = ranking_reward(said(f"[1] > [2] > {many}"), gold)
    assert first == pytest.approx(1.3) and 0.6 < last < 1


@pytest.mark.parametrize("gold", ["2", "[1] > [2]", "| [1]"])
def test_a_gold_answer_that_does_not_say_what_is_relevant_cannot_be_graded(rollouts, gold):
    assert RankListReward()(rollouts([9], correct=[1], gold=gold), Store()).isnan().all()
