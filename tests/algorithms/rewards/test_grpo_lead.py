import pytest

from tinyreason.algorithms.rewards.grpo_lead import GrpoLead
from tinyreason.store import Store


def test_correct_answers_fall_exponentially_with_z_and_incorrect_ones_are_minus_1(rollouts):
    # correct ones 40, 50, 60: mean 50, std of a sample √(200/2) = 10, z = −1, 0, 1; exp(±0.05) = 1.0513, 0.9512
    batch = rollouts([40, 50, 60, 10], correct=[1, 1, 1, 0])
    earned = GrpoLead(from_tokens=0)(batch, Store()).tolist()
    assert earned == pytest.approx([1.05127, 1.0, 0.95123, -1.0], abs=1e-4)


def test_length_counts_only_where_the_three_shortest_completions_correct_or_incorrect_are_long_on_average(rollouts):
    # the three shortest are 20, 30, 40: 30 on average
    batch = rollouts([20, 30, 40, 90], correct=[0, 1, 1, 1])
    assert GrpoLead(from_tokens=30)(batch, Store()).tolist() == [-1.0, 1.0, 1.0, 1.0]
    assert GrpoLead(from_tokens=29)(batch, Store())[1] > 1


def test_no_answer_is_0_or_minus_2_in_a_loop_and_an_incorrect_one_minus_1_as_released(rollouts):
    # main_ppo.py of the released code: a score of −1 (no answer) → 0, of 0 (incorrect) → −1, of −2 (none, and it
    # repeats itself) as it is
    loop, line = [5, 6, 7] * 20, list(range(60))
    answer = "<think>1+1=2</think>\\boxed{3}"
    texts = [answer, answer, "no box", "no box", "<think>\\boxed{3}", answer]
    ids = [line, loop, line, loop, line, line]
    batch = rollouts([60] * 6, correct=[0] * 6, ids=ids, texts=texts, truncated=(5,))
    assert GrpoLead()(batch, Store()).tolist() == [-1.0, -1.0, 0.0, -2.0, 0.0, 0.0]


@pytest.mark.parametrize("correct", [[1, 1], [1, 0]])
def test_correct_answers_of_one_length_and_a_lone_one_earn_1(rollouts, correct):
    assert GrpoLead(from_tokens=0)(rollouts([50, 50], correct), Store()).tolist() == [1.0, 1.0 if correct[1] else -1.0]
