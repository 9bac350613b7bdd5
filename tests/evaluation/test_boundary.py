"""How far a model reaches beyond its base, by hand."""

from itertools import combinations
from random import Random

import pytest

from tinyreason.evaluation.boundary import answer_entropy, boundary, crossing, expansion, support
from tinyreason.evaluation.score import Completion, Score
from tinyreason.example import Example


def completion(is_correct, answer="0"):
    return Completion("", 1, False, is_correct, "2" if is_correct else answer)


def score_of(counts, samples):
    examples = [Example(str(n), ({"role": "user", "content": f"{n}?"},), "2") for n in range(len(counts))]
    return Score(examples, [[completion(n < count) for n in range(samples)] for count in counts])


def first(counts):
    """The first so many samples of each problem are correct."""
    return [frozenset(range(count)) for count in counts]


def solved_by(random, chance):
    return frozenset(n for n in range(8) if random.random() < chance)


def test_of_eight_unsolved_problems_three_are_solved():
    found = expansion(first([0] * 8 + [2, 2]), first([1, 1, 1, 0, 0, 0, 0, 0, 0, 4]), samples=4)
    assert (found.gained.count, found.gained.problems, found.gained.share) == (3, 8, 0.375)
    assert (found.lost.count, found.lost.problems) == (1, 6)
    assert found.gained.interval[0] < 0.375 < found.gained.interval[1]


def test_what_another_draw_would_solve_is_the_mean_over_all_halves():
    """The ways to take 2 of 4 samples of which the base solves none, and who solves the problem with the other 2."""
    base, model = [set(), {1}, {0, 2}, {3}], [{0, 3}, {2}, {1}, {3}]
    halves, everything = [set(half) for half in combinations(range(4), 2)], set(range(4))
    luckless = [(b, m, everything - half) for b, m in zip(base, model, strict=True) for half in halves if not b & half]
    solved = sum(bool(m & rest) for _, m, rest in luckless) / len(luckless)
    again = sum(bool(b & rest) for b, _, rest in luckless) / len(luckless)
    found = expansion([*map(frozenset, base)], [*map(frozenset, model)], samples=4)
    assert found.expected == pytest.approx(again)
    assert found.solved == pytest.approx(solved)
    assert found.beyond == pytest.approx(solved - again)


def test_a_model_that_is_its_base_and_has_its_luck_is_beyond_it_by_nothing():
    found = expansion(first([0, 1, 3, 2]), first([0, 1, 3, 2]), samples=4)
    assert found.beyond == pytest.approx(0)
    assert found.interval[0] < -0.5 and found.interval[1] > 0.5  # two problems' worth of halves without a correct one


def test_a_model_that_is_its_base_goes_beyond_by_nothing_but_luck():
    """Two draws of the same chances: the interval covers 0 about 95 times in 100, and seeming gains are expected."""
    random, covered, gained = Random(0), 0, 0
    for _ in range(60):
        chances = [random.choice([0.0, 0.02, 0.1, 0.5]) for _ in range(60)]
        base, model = ([solved_by(random, p) for p in chances] for _ in range(2))
        found = expansion(base, model, 8)
        gained += found.gained.count > 0
        covered += found.interval[0] <= 0 <= found.interval[1]
    assert covered >= 53 and gained >= 55


def test_nothing_is_left_to_solve_where_any_half_solves_all():
    found = expansion(first([4, 4]), first([4, 0]), samples=4)
    assert found.beyond is None and found.interval is None
    assert (found.gained.problems, found.gained.share, found.lost.count) == (0, None, 1)


def test_the_base_crosses_where_it_solves_more_problems_less_often():
    base, model = score_of([1, 1, 1, 1], 8), score_of([8, 8, 0, 0], 8)
    assert crossing(base, model, 8) == 4  # k / 8 of four problems against two of four
    assert crossing(model, model, 8) == 1
    assert crossing(score_of([0], 8), score_of([1], 8), 8) is None


def test_a_gain_in_pass_at_k_is_paired_and_uncertain_beyond_half_of_the_samples():
    found = boundary(score_of([1, 1, 1, 1], 8), score_of([8, 8, 0, 0], 8))
    assert [(it.k, it.is_certain) for it in found.gains] == [(1, True), (2, True), (4, True), (8, False)]
    assert [it.gain.points for it in found.gains] == pytest.approx([37.5, 25, 0, -50])
    assert all(it.gain.interval[0] <= it.gain.points <= it.gain.interval[1] for it in found.gains)


def test_support_is_kept_gained_and_lost():
    found = support(first([1, 2, 0, 0, 3]), first([1, 0, 4, 0, 1]))
    assert [cell.count for cell in (found.kept, found.gained, found.lost, found.neither)] == [2, 1, 1, 1]
    assert found.kept.share == 0.4


def test_answers_3_3_5_7_have_one_and_a_half_bits():
    said = [completion(False, answer) for answer in ("3", " 3", "5", "7")]
    assert answer_entropy(said) == pytest.approx(1.5)
    assert answer_entropy([completion(True)] * 4) == 0
    assert answer_entropy([completion(True), completion(False, None)]) == 1
