import pytest

from tinyreason.algorithms.rewards.arena_sections import ArenaSections
from tinyreason.store import Store

GOLD = "<relevance>[1, 3]</relevance> <answer>The Eiffel Tower</answer>"


def said(ids, answer, analysis="<analysis>so</analysis>"):
    return f"<relevance>{ids}</relevance>{analysis}<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("text", "earned"),
    [
        (said("[3], [1]", "eiffel tower."), 13),
        (said("[1, 2]", "Eiffel Tower"), 2.5),
        (said("[1, 3]", "Louvre"), 2),
        (said("[2]", "Louvre"), 1),
        (said("[1, 3]", "Eiffel Tower", analysis=""), 2),  # a section is missing
        ("Eiffel Tower", 0),
    ],
)
def test_sections_answer_and_citations_count_and_all_three_far_more(rollouts, text, earned):
    assert ArenaSections()(rollouts([9], correct=[0], texts=[text], gold=GOLD), Store()).tolist() == [earned]


@pytest.mark.parametrize("gold", ["2", "<answer>2</answer>", "<relevance>[1]</relevance>"])
def test_a_gold_answer_without_both_cannot_be_graded(rollouts, gold):
    assert ArenaSections()(rollouts([9], correct=[1], gold=gold), Store()).isnan().all()
