import pytest

from tinyreason.algorithms.rewards.otc_relative_cost import OtcRelativeCost
from tinyreason.store import Store

CALL = "<tool_call>{}</tool_call>"


@pytest.mark.parametrize(("cost", "least", "share"), [(0, 0, 1), (2, 0, 0.3090), (2, 1, 0.8660), (1, 1, 1), (3, 3, 1)])
def test_a_cost_beside_the_least_one(cost, least, share):
    assert OtcRelativeCost().share(cost, least) == pytest.approx(share, abs=1e-4)


def test_tool_calls_are_compared_with_the_fewest_of_a_correct_answer_so_far(rollouts):
    reward, store = OtcRelativeCost(), Store()
    first = reward(rollouts([9] * 3, correct=[1, 1, 0], texts=[CALL, CALL * 2, "no"]), store)
    assert first.tolist() == pytest.approx([1, 0.8660, 0], abs=1e-4)
    reward(rollouts([9], correct=[1], texts=["none"], problems=["0"]), store)  # solved without a call
    again = reward(rollouts([9] * 2, correct=[1, float("nan")], texts=[CALL * 2, CALL]), store).tolist()
    assert again[0] == pytest.approx(0.3090, abs=1e-4) and again[1] != again[1]


def test_with_a_unit_tokens_are_the_cost_and_problems_are_apart(rollouts):
    reward, store = OtcRelativeCost(unit=10), Store()
    batch = rollouts([19, 20, 29, 40], correct=[1, 1, 1, 1], group_size=2)
    assert reward(batch, store).tolist() == pytest.approx([1, 0.8660, 1, 0.8660], abs=1e-4)  # costs 1, 2 and 2, 4
