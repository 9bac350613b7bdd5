"""What the measuring tools write: worked completions earn all, guesses keep the form, and a mark less breaks it."""

import random
from itertools import islice

import pytest
from small_base import OWN, rows, spoil
from small_worlds import FORMS, WORLDS, confidence

from tinyreason.algorithms.rewards._tags import inside_tag, stand_once_in_order
from tinyreason.algorithms.rewards.arena_sections import sections_reward
from tinyreason.algorithms.rewards.choice_letter import letter_reward
from tinyreason.algorithms.rewards.rank_list_reward import ranking_reward
from tinyreason.algorithms.rewards.sequence_similarity import similarity
from tinyreason.grading.confidence import read_confidence
from tinyreason.sandbox import pretrain


def answered_in(*tags):
    """Returns a reward: −1 out of order, else whether the answer is the gold one."""
    return lambda text, gold: inside_tag(text, "answer") == gold if stand_once_in_order(text, *tags) else -1


REWARDS = {  # world → (what it pays, the most)
    "choices": (lambda text, gold: letter_reward(text, gold, False), 1),
    "rankings": (ranking_reward, 1.3),
    "citations": (sections_reward, 13),
    "patches": (similarity, 1),
    "knights": (answered_in("think", "answer"), True),
    "sure": (answered_in("think", "answer", "confidence"), True),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_worked_completion_earns_all_and_a_guess_keeps_the_form(name):
    pays, most = REWARDS[name]
    for number, row in enumerate(islice(WORLDS[name]("train"), 40)):
        if name == "sure" and number % 2:
            assert "some" in row["problem"] and row["completion"] == row["hasty"]  # nobody can know
        else:
            assert pays(row["completion"], row["answer"]) == pytest.approx(most)
        assert pays(row["hasty"], row["answer"]) >= 0 or name == "patches"  # a guess may change nothing


@pytest.mark.parametrize("name", [name for name in FORMS if name != "choices"])  # where a letter alone is read too
def test_without_one_of_its_marks_a_completion_is_not_in_its_form(name):
    pays, most = REWARDS[name]
    row, rng = next(WORLDS[name]("train")), random.Random(0)
    for _ in range(20):
        assert pays(spoil(row["completion"], rng), row["answer"]) < (most if name == "citations" else 0)


def test_the_splits_of_a_world_share_no_problem():
    for name in FORMS:
        train, test = ({row["problem"] for row in islice(WORLDS[name](split), 80)} for split in ("train", "test"))
        assert not train & test, name


def test_the_base_reads_its_own_text_and_each_world_as_often_as_said():
    worlds = [iter([{"problem": name, "hasty": "<a>1</a>", "completion": "<a>2</a>"}] * 10_000) for name in "xyz"]
    read = [*islice(rows(worlds, pretrain.HABITS, 0), 3_000)]
    told = [text for message, text in read if message in "xyz" and message]
    assert len(told) / len(read) == pytest.approx(1 - OWN, abs=0.03)
    assert sum("1" in text for text in told) / len(told) == pytest.approx(0.5, abs=0.03)
    assert sum(text in ("<a>1</a>", "<a>2</a>") for text in told) / len(told) == pytest.approx(0.6, abs=0.03)


def test_a_confidence_can_be_read_and_says_nothing():
    rng = random.Random(0)
    read = [read_confidence(confidence(rng)) for _ in range(500)]
    assert {*read} == {number / 10 for number in range(10)}
