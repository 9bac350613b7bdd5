"""What holds for every reward."""

import json
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyreason.algorithms.rewards import REWARDS
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.store import Store

KINDS = (
    {kind: kind for kind in REWARDS}
    | {"cosine_as_released": "cosine_length"}
    | {"autothink_short": "autothink_modes", "empo_majority": "empo_cluster"}
)
"""What is tested → its kind."""
OPTIONS = {
    "autothink_short": {"stage": 3},
    "cosine_as_released": {"preset": "as_released"},
    "l1_exact": {"target_tokens": 40},
    "l1_max": {"target_tokens": 40, "alpha": 0.01},
    "grpo_lead": {"from_tokens": 0},
    "laser_d": {"refresh_steps": 2},
    "laser_de": {"refresh_steps": 2},
    "empo_majority": {"majority": True},
    "otc_relative_cost": {"unit": 10},
}
"""What a reward must be told, or what makes it speak on few and short rollouts."""
ALL = list(KINDS)
REMEMBERING = ["hapo_length", "laser_d", "laser_de", "otc_relative_cost"]
"""Those that keep something from batch to batch."""
TEXTS = ["", "é日本🎉\x00", "\\boxed{2}", "<think>" * 50, "[Easy]<think>1+1=2</think>\\boxed{2}", "x" * 10_000]
TEXTS += [
    "<think>1</think><answer>2</answer><confidence>0.7</confidence>",
    "<think>1</think><answer>[2] > [1]</answer>",
]
TEXTS += [
    "### a\n<<<<<<< SEARCH\n1\n=======\n2\n>>>>>>> REPLACE",
    "<relevance>[1]</relevance><answer>2024-11 B</answer>",
]
GOLD = "[2] | [1] 2024-12 B\n### a\n<<<<<<< SEARCH\n1\n=======\n3\n>>>>>>> REPLACE"
GOLD += "<relevance>[1]</relevance><answer>2</answer>"
"""One that every reward can read."""
ANSWERS = ["2", "2.0", "\\frac{1}{2}", "1/2", "x", None, "9^{9^{9^9}}", "é日本🎉\x00", "", "[1, 2)", "yes"]
ROWS = st.lists(
    st.tuples(
        st.integers(1, 100), st.sampled_from([0.0, 1.0, torch.nan]), st.sampled_from(TEXTS), st.sampled_from(ANSWERS)
    ),
    min_size=8,
    max_size=8,
)
FEW = settings(max_examples=25, deadline=None)


def make(name):
    return REWARDS[KINDS[name]](**OPTIONS.get(name, {}))


LENGTH = [name for name in ALL if make(name).reads_length]


def batch(rows, gold=GOLD):
    """Two groups of four."""
    lengths, correct, texts, answers = zip(*[(*row, "2")[:4] for row in rows], strict=True)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    seen = torch.arange(max(lengths)) % 7 / 7 + torch.tensor(lengths)[:, None] / 100
    return Batch(
        examples=[Example(str(n // 4), ({"role": "user", "content": "1+1?"},), gold) for n in range(len(rows))],
        texts=list(texts),
        ids=[[n % 7 for n in range(length)] for length in lengths],
        group=torch.arange(len(rows)) // 4,
        length=torch.tensor(lengths),
        truncated=torch.tensor(lengths) == 100,
        correct=torch.tensor(correct),
        group_size=4,
        max_completion_tokens=100,
        step=1,
        answers=list(answers),
        mask=mask,
        logp=-seen.where(mask, 0.0),
        entropy=(2 * seen).where(mask, 0.0),
    )


def same(one, other):
    return torch.allclose(one, other, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("kind", ALL)
@FEW
@given(rows=ROWS)
def test_it_is_finite_where_it_can_grade_deterministic_and_survives_a_pickle(kind, rows):
    reward, store = make(kind), Store()
    first = reward(batch(rows), store)
    again = pickle.loads(pickle.dumps(reward))(batch(rows), Store())
    assert first.shape == (8,) and first.dtype == torch.float32
    graded = ~batch(rows).correct.isnan()
    assert first[graded].isfinite().all()
    assert not first.isinf().any()
    assert same(first, again)


@pytest.mark.parametrize("kind", ALL)
@FEW
@given(rows=ROWS, length=st.integers(1, 99), text=st.sampled_from(TEXTS))
def test_an_incorrect_answer_is_never_above_a_correct_one_of_the_same_length(kind, rows, length, text):
    reward, store = make(kind), Store()
    reward(batch(rows), store)  # so that there is a history
    pair = [(length, 1.0, text), (length, 0.0, text), *rows[2:]]
    for _ in range(2):
        correct, incorrect = reward(batch(pair), store)[:2]
        assert correct >= incorrect - 1e-6


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "empo_majority"])  # of equals the first wins
@FEW
@given(rows=ROWS, order=st.permutations(range(4)))
def test_the_order_inside_a_group_changes_nothing(kind, rows, order):
    reward, stores = make(kind), (Store(), Store())
    order = [*order, 4, 5, 6, 7]
    for _ in range(3):
        straight = reward(batch(rows), stores[0])
        shuffled = reward(batch([rows[n] for n in order]), stores[1])
        assert same(straight[order], shuffled)


@pytest.mark.parametrize("kind", ALL)
def test_who_remembers_something_is_known(kind):
    store = Store()
    make(kind)(batch([(length, 1.0, TEXTS[4]) for length in (20, 40, 60, 80, 20, 40, 60, 80)]), store)
    assert bool(store.state) == (kind in REMEMBERING)


@pytest.mark.parametrize("kind", REMEMBERING)
@FEW
@given(visits=st.lists(ROWS, min_size=4, max_size=4))
def test_a_history_that_went_through_json_between_batches_gives_the_same_numbers(kind, visits):
    reward, kept, saved = make(kind), Store(), Store()
    for rows in visits:
        saved = Store(json.loads(json.dumps(saved.state)))
        assert same(reward(batch(rows), kept), reward(batch(rows), saved))
    assert kept.state == saved.state


@pytest.mark.parametrize("kind", ["hapo_length", "laser_d", "laser_de"])
def test_those_with_a_history_do_depend_on_it(kind):
    rows = [(length, 1.0, TEXTS[4]) for length in (20, 40, 60, 80, 20, 40, 60, 80)]
    reward, store = make(kind), Store()
    earned = [reward(batch(rows), store) for _ in range(3)]
    assert not same(earned[0], earned[2])


@pytest.mark.parametrize("kind", [*LENGTH, "campo_loop_penalty"])
@FEW
@given(rows=ROWS)
def test_what_cannot_be_graded_earns_nothing_for_its_length(kind, rows):
    earned = make(kind)(batch(rows), Store())
    assert earned.isnan().tolist() == batch(rows).correct.isnan().tolist()


@pytest.mark.parametrize("kind", ALL)
@FEW
@given(rows=ROWS, gold=st.sampled_from(["", "2", GOLD, "é日本🎉\x00", "[1", "<answer>", "<<<<<<< SEARCH"]))
def test_what_knows_no_gold_answer_earns_the_same_with_any_and_any_gold_answer_can_be_read(kind, rows, gold):
    found, other = make(kind)(batch(rows, gold), Store()), [(row[0], 1.0, *row[2:]) for row in rows]
    assert not found.isinf().any()
    if not make(kind).reads_gold and kind != "soft_overlong":  # it leaves out what cannot be graded
        assert same(found, make(kind)(batch(other), Store()))
    elif kind == "soft_overlong":
        assert same(found.nan_to_num(), make(kind)(batch(other), Store()).where(~found.isnan(), 0.0))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("row", [(100, 0.0, "", None), (100, torch.nan, TEXTS[6], "2"), (9, 1.0, TEXTS[6], "2")])
def test_a_group_whose_rows_are_all_alike_earns_one_and_the_same(kind, row):
    reward = make(kind)
    for _ in range(2):  # truncated before an answer, not gradable, all correct
        for group in reward(batch([row] * 8), Store()).split(4):
            assert group.isnan().all() or (group == group[0]).all()


@pytest.mark.parametrize("kind", ALL)
def test_one_row_is_a_group_too(kind):
    scored = replace(batch([(9, 1.0, TEXTS[6])]), group_size=1)
    assert make(kind)(scored, Store()).isfinite().all()


def falls(earned, by):
    """Whether what is earned never rises where the lengths, or the distances, do."""
    ranked = earned[torch.tensor(by).argsort(stable=True)]
    return (ranked.diff() <= 1e-6).all()


GROUPS = st.lists(st.tuples(st.integers(1, 99), st.sampled_from([0.0, 1.0, torch.nan])), min_size=4, max_size=4)


@pytest.mark.parametrize("kind", [kind for kind in LENGTH if kind not in ("l1_exact", "cosine_as_released")])
@FEW
@given(rows=GROUPS)
def test_of_correct_answers_in_a_group_the_longer_never_earns_more(kind, rows):
    reward, store = make(kind), Store()
    scored = batch([(length, correct, TEXTS[4]) for length, correct in [*rows, *[(9, 1.0)] * 4]])
    for _ in range(3):
        is_correct = scored.correct[:4] == 1
        assert falls(reward(scored, store)[:4][is_correct], [length for length, correct in rows if correct == 1])


@FEW
@given(lengths=st.lists(st.integers(1, 99), min_size=8, max_size=8))
def test_of_correct_answers_the_farther_from_the_prompts_number_never_earns_more(lengths):
    earned = make("l1_exact")(batch([(length, 1.0, TEXTS[4]) for length in lengths]), Store())
    assert falls(earned, [abs(length - OPTIONS["l1_exact"]["target_tokens"]) for length in lengths])


@pytest.mark.parametrize(
    ("kind", "sign"), [("kimi_length", 1), ("hapo_length", 1), ("soft_overlong", 1), ("cosine_length", -1)]
)
@FEW
@given(lengths=st.lists(st.integers(1, 99), min_size=4, max_size=4))
def test_of_incorrect_answers_the_longer_never_earns_more_and_on_the_cosine_never_less(kind, sign, lengths):
    reward, store = make(kind), Store()
    reward(batch([(50, 1.0, TEXTS[4])] * 8), store)  # so that there is a history
    earned = reward(batch([(length, 0.0, TEXTS[4]) for length in [*lengths, *lengths]]), store)
    assert falls(sign * earned[:4], lengths)


@pytest.mark.parametrize("kind", [kind for kind in LENGTH if kind not in ("adactrl_tags", "cosine_as_released")])
def test_it_tells_long_from_short_among_correct_answers(kind):
    rows = [(length, 1.0, TEXTS[4]) for length in (10, 30, 45, 90, 10, 30, 45, 90)]
    reward, store = make(kind), Store()
    earned = [reward(batch(rows), store) for _ in range(3)][-1]
    assert earned[:4].max() > earned[:4].min()
