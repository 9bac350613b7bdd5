import pytest

from tinyreason.algorithms.rewards import ask_for_tokens
from tinyreason.algorithms.rewards.l1_exact import L1Exact
from tinyreason.store import Store


def test_each_token_away_from_the_target_costs_alpha(rollouts):
    batch = rollouts([60, 100, 80, 90], correct=[1, 1, 1, 0])
    reward = L1Exact(target_tokens=80, alpha=0.01)
    assert reward(batch, Store()).tolist() == pytest.approx([0.8, 0.8, 1.0, -0.1])


def test_the_published_alpha(rollouts):
    assert L1Exact(target_tokens=1000)(rollouts([2000], correct=[1], limit=4000), Store()).tolist() == pytest.approx(
        [0.7]
    )


def test_a_range_samples_one_target_a_problem_and_the_prompt_names_it(rollouts):
    reward = L1Exact(target_tokens=(20, 90), alpha=0.01)
    batch = rollouts([50] * 40, correct=[1] * 40, problems=[str(n) for n in range(40)])
    targets = [reward.target(str(n)) for n in range(40)]
    assert len(set(targets)) > 10 and all(20 <= target <= 90 for target in targets)
    assert reward(batch, Store()).tolist() == pytest.approx([1 - 0.01 * abs(n - 50) for n in targets])
    asked = ask_for_tokens([reward], batch.examples[:1])
    assert asked[0].problem == f"1+1? Think for {targets[0]} tokens."
    assert asked[0].id == batch.examples[0].id


def test_without_a_suffix_the_prompt_is_left_alone(rollouts):
    examples = rollouts([5], correct=[1]).examples
    assert ask_for_tokens([L1Exact(target_tokens=50, suffix="")], examples) == examples
