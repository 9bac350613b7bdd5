import pytest

from tinyreason.algorithms.rewards.correctness import Correctness
from tinyreason.algorithms.rewards.rpr_phrases import PHRASES, RprPhrases
from tinyreason.store import Store

BOX = " \\boxed{2}"
FIVE = "First, I need to add. Wait, alternatively multiply. However, finally "


def test_there_are_forty_phrases_and_each_is_found_in_lower_case():
    assert len({*PHRASES}) == 40 and all(phrase == phrase.lower() for phrase in PHRASES)


def test_five_phrases_less_what_is_repeated(rollouts):
    # 119 words are 100 sequences of 20; the words 0 to 20 stand there again at the end: 2 sequences twice
    words = [*FIVE.split(), *[f"w{n}" for n in range(87)], "\\boxed{2}"]
    words += words[:21]
    assert len(words) == 119
    batch = rollouts([9], correct=[0], texts=[" ".join(words)])
    assert RprPhrases()(batch, Store()).tolist() == pytest.approx([0.23])


def test_no_box_earns_nothing_and_playing_the_user_costs_all(rollouts):
    batch = rollouts([9] * 3, correct=[1, 1, 1], texts=[FIVE, FIVE + BOX, FIVE + "user: " + BOX])
    assert RprPhrases()(batch, Store()).tolist() == pytest.approx([0, 0.25, 0])


def test_beside_correctness_it_pays_what_was_graded_incorrect(rollouts):
    batch = rollouts([9] * 3, correct=[1, 0, float("nan")], texts=[FIVE + BOX] * 3)
    first, second, third = RprPhrases(incorrect_only=True)(batch, Store()).tolist()
    assert (first, second) == (0, 0.25) and third != third


def test_a_flip_is_of_the_question_and_the_visit_and_turns_its_whole_group(rollouts):
    reward, flips = Correctness(flip=0.4), []
    for step in range(1, 201):
        batch = rollouts([9] * 4, correct=[1, 0, 1, float("nan")], group_size=2, step=step)
        first, second = reward(batch, Store())[:2].tolist(), reward(batch, Store())[2:].tolist()
        assert first in ([1, 0], [0, 1]) and second[0] in (0, 1) and second[1] != second[1]
        flips += [first == [0, 1], second[0] == 0]
        assert batch.correct[:2].tolist() == [1, 0]  # metrics see the truth
    assert 0.33 < sum(flips) / len(flips) < 0.47
    assert flips[::2] != flips[1::2]  # not the same for all questions of a step
