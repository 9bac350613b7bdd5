import pytest

from tinyreason.algorithms.rewards.sequence_similarity import SequenceSimilarity
from tinyreason.store import Store


def block(path, old, new):
    return f"### {path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


GOLD = block("a.py", "a = 0\n", "a = 2\n")
NEAR = block("a.py", "a = 0\n", "a = 1\n")


@pytest.mark.parametrize(
    ("text", "gold", "earned"),
    [
        (f"<think>see</think>So:\n```\n{NEAR}```", GOLD, 0.8333),  # 5 of 6 characters of each
        (NEAR, GOLD + block("b.py", "", "b\n"), 0.4167),
        (NEAR + block("c.py", "", "c\n"), GOLD, 0.4167),
        (GOLD, GOLD, 1),
        (block("a.py", "a = 0\n", ""), block("a.py", "a = 0\n", ""), 1),  # both delete it
        (block("a.py", "a = 0\n", "a = 0\n"), GOLD, -1),
        ("I would change a.py.", GOLD, -1),
        (f"<think>{GOLD}", GOLD, -1),
    ],
)
def test_it_is_how_much_the_new_lines_resemble_the_gold_ones(rollouts, text, gold, earned):
    found = SequenceSimilarity()(rollouts([9], correct=[0], texts=[text], gold=gold), Store())
    assert found.tolist() == pytest.approx([earned], abs=1e-4)


def test_a_gold_answer_without_a_block_cannot_be_graded(rollouts):
    assert SequenceSimilarity()(rollouts([9], correct=[1], texts=[NEAR], gold="2"), Store()).isnan().all()
