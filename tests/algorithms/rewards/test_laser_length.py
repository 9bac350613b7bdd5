from tinyreason.algorithms.rewards.grpo_lead import GrpoLead
from tinyreason.algorithms.rewards.laser_length import LaserLength
from tinyreason.store import Store


def test_a_correct_answer_under_the_target_earns_half_more(rollouts):
    batch = rollouts([30, 31, 30, 90], correct=[1, 1, 0, 0])
    assert LaserLength(target_tokens=30)(batch, Store()).tolist() == [1.5, 1.0, -0.5, -0.5]


def test_without_a_box_or_an_end_of_thought_it_is_minus_1(rollouts):
    texts = ["<think>2", "2", "<think>1</think></think>\\boxed{2}", "\\boxed{2}", "1</think>\\boxed{2}"]
    batch = rollouts([90] * 5, correct=[0, 0, 0, 0, 0], texts=texts)
    assert LaserLength(target_tokens=30)(batch, Store()).tolist() == [-1.0, -1.0, -1.0, -0.5, -0.5]


def test_channels_are_thoughts_too(rollouts):
    thought, answer = "<|channel|>analysis<|message|>\\boxed{2}", "<|channel|>final<|message|>\\boxed{2}"
    between = "<|end|><|start|>assistant"
    texts = [thought, thought + between + thought + between + answer, thought + between + answer + between + answer]
    batch = rollouts([9] * 3, correct=[0, 1, 1], texts=texts)
    assert LaserLength(target_tokens=30)(batch, Store()).tolist() == [-1.0, 1.5, -1.0]
    assert GrpoLead()(batch, Store()).tolist() == [0.0, 1.0, 1.0]


def test_a_correct_answer_in_a_broken_form_gets_no_bonus(rollouts):
    batch = rollouts([9, 9], correct=[1, 1], texts=["so it is 2", "<think>1</think>\\boxed{2}"])
    assert LaserLength(target_tokens=30)(batch, Store()).tolist() == [-1.0, 1.5]


def test_the_target_is_a_quarter_of_the_limit_unless_given(rollouts):
    assert LaserLength()(rollouts([25, 26], correct=[1, 1]), Store()).tolist() == [1.5, 1.0]
