"""Estimators against closed forms, brute force over all samples, and simulated worlds whose truth is known."""

import random
from itertools import combinations, product
from statistics import mean

import numpy
import pytest
from scipy.stats import binomtest

from tinyreason.intervals import (
    against_control,
    consensus,
    difference_interval,
    effective_size,
    gain_over_seeds,
    over_seeds,
    paired_gain,
    pass_at_k,
    share_interval,
    sign_flip_p,
    verdict,
)


@pytest.mark.parametrize("samples", [1, 4, 7])
def test_pass_at_k_is_the_share_of_all_samples_of_k_with_a_correct_one(samples):
    for correct in range(samples + 1):
        completions = [True] * correct + [False] * (samples - correct)
        for k in range(1, samples + 1):
            subsets = list(combinations(completions, k))
            assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_1_is_the_accuracy():
    assert [pass_at_k(8, correct, 1) for correct in range(9)] == pytest.approx([correct / 8 for correct in range(9)])


def test_pass_at_k_is_unbiased():
    rng, p = random.Random(0), 0.2
    found = [pass_at_k(8, sum(rng.random() < p for _ in range(8)), 4) for _ in range(4000)]
    assert mean(found) == pytest.approx(1 - (1 - p) ** 4, abs=0.02)


@pytest.mark.parametrize(("samples", "correct", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_that_is_not_defined_is_refused(samples, correct, k):
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(samples, correct, k)


@pytest.mark.parametrize(
    ("answers", "correct", "share"),
    [
        (["4", "4", "5"], [True, True, False], 1.0),
        (["4", "5", "5"], [True, False, False], 0.0),
        (["4", "5"], [True, False], 0.5),
        (["4", "5", "6"], [True, False, False], pytest.approx(1 / 3)),
        (["1/2", "0.5", "5", "6"], [True, True, False, False], 1.0),
        (["4", None, None], [True, False, False], 1.0),
        ([None, None], [False, False], 0.0),
        (["1, 2", "1,2", "4"], [False, False, True], 0.0),
        (["7", "7"], [None, None], 0.0),
    ],
)
def test_the_most_frequent_answer_decides_and_a_tie_is_shared(answers, correct, share):
    assert consensus(answers, correct) == share


def test_answers_count_by_their_weights_whose_rounding_is_no_difference():
    assert consensus(["4", "5", "5"], [True, False, False], [3.0, 1.0, 1.0]) == 1.0
    assert consensus(["4", "5", "5", "5"], [True, False, False, False], [0.3, 0.1, 0.1, 0.1]) == 0.5
    assert consensus(["4"], [True], [0.0]) == 0.0


def test_one_completion_a_problem_of_which_all_are_incorrect_is_clopper_and_pearsons_interval():
    exact = binomtest(0, 30).proportion_ci(method="exact")
    assert share_interval([0.0] * 30) == pytest.approx([exact.low, exact.high])
    assert share_interval([1.0] * 30) == pytest.approx([1 - exact.high, 1 - exact.low])
    assert share_interval([0.0] * 30)[1] == pytest.approx(0.116, abs=0.001)


def test_shares_of_independent_completions_are_worth_about_as_many_completions():
    rng = numpy.random.default_rng(0)
    alike = rng.binomial(8, 0.4, 60) / 8
    assert effective_size(list(alike)) == pytest.approx(480, rel=0.3)
    apart = [0.0, 1.0] * 30
    assert effective_size(apart) == pytest.approx(59 * (1.96 / 2.0010) ** 2, rel=0.001)


def test_the_interval_is_that_of_the_normal_approximation_for_many_problems():
    low, high = share_interval([0.0, 1.0] * 200)
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


@pytest.mark.parametrize(
    ("problems", "samples", "a", "b", "worlds"),
    [
        *((30, 8, 0.5, 3.0, 1500), (40, 8, 2.0, 2.0, 1500), (30, 8, 0.3, 0.7, 1500)),
        pytest.param(120, 4, 0.3, 0.7, 1000, marks=pytest.mark.stress),
    ],
)
def test_intervals_hold_the_truth_in_95_of_100_simulated_evaluations(problems, samples, a, b, worlds):
    """Problems of Beta-distributed difficulty; AIME's size, AMC's, and one large enough for the bootstrap."""
    rng, truth = numpy.random.default_rng(0), a / (a + b)
    hits = 0
    for _ in range(worlds):
        low, high = share_interval(list(rng.binomial(samples, rng.beta(a, b, problems)) / samples))
        hits += low <= truth <= high
    assert 0.93 <= hits / worlds <= 0.97


@pytest.mark.parametrize(
    ("problems", "worlds"), [(12, 1500), (30, 1500), pytest.param(120, 1000, marks=pytest.mark.stress)]
)
def test_paired_intervals_hold_the_true_gain_in_95_of_100_simulated_comparisons(problems, worlds):
    rng = numpy.random.default_rng(1)
    before_of_all = rng.beta(0.3, 0.7, 100_000)
    after_of_all = numpy.clip(before_of_all + 0.3 * before_of_all * (1 - before_of_all) + 0.1, 0, 1)
    truth, hits = (after_of_all - before_of_all).mean(), 0
    for _ in range(worlds):
        chosen = rng.integers(0, 100_000, problems)
        after, before = rng.binomial(8, after_of_all[chosen]) / 8, rng.binomial(8, before_of_all[chosen]) / 8
        low, high = difference_interval(list(after - before))
        hits += low <= truth <= high
    assert 0.93 <= hits / worlds <= 0.97


def test_where_nothing_changed_it_says_improved_in_at_most_5_of_100_comparisons():
    rng, said = numpy.random.default_rng(2), 0
    for _ in range(200):
        difficulty = rng.beta(0.5, 2.0, 30)
        before, after = (list(rng.binomial(8, difficulty) / 8) for _ in range(2))
        said += paired_gain(before, after)["verdict"] != "cannot tell"
    assert said / 200 <= 0.08  # 5 % and two standard errors


@pytest.mark.parametrize("differences", [[0.5, 0.25, -0.125, 1.0], [1, 1, 1, -1, 1, 1], [0.25] * 8, [0.1, 0, 0, -0.3]])
def test_the_sign_flip_test_counts_all_flips(differences):
    differing = [value for value in differences if value]
    sums = [
        sum(s * d for s, d in zip(signs, differing, strict=True)) for signs in product((1, -1), repeat=len(differing))
    ]
    extreme = (
        sum(value >= sum(differing) - 1e-9 for value in sums),
        sum(value <= sum(differing) + 1e-9 for value in sums),
    )
    assert sign_flip_p(differences) == pytest.approx(min(1.0, 2 * min(extreme) / len(sums)))


def test_with_one_completion_a_problem_the_sign_flip_test_is_mcnemars():
    assert sign_flip_p([1.0] * 7 + [-1.0] * 2 + [0.0] * 20) == pytest.approx(binomtest(7, 9).pvalue)


def test_no_difference_at_all_is_no_evidence():
    assert sign_flip_p([0.0] * 9) == 1.0
    assert paired_gain([0.5] * 9, [0.5] * 9)["verdict"] == "cannot tell"


def test_problems_that_all_stayed_as_they_were_still_leave_room_for_one_that_would_not():
    low, high = paired_gain([0.0] * 30, [0.0] * 30)["gain"]["interval"]
    assert -low == high == pytest.approx(100 * (1 - 0.025 ** (1 / 30)))


def test_three_problems_that_all_got_better_are_too_few_to_say_so():
    found = paired_gain([0.0, 0.25, 0.5], [0.5, 0.75, 1.0])
    assert found["gain"]["points"] == pytest.approx(50)
    assert found["gain"]["p_value"] == pytest.approx(2 / 2**3)
    assert found["verdict"] == "cannot tell"


@pytest.mark.parametrize(
    ("interval", "p_value", "said"),
    [
        ([1, 9], 0.01, "improved"),
        ([-9, -1], 0.01, "worse"),
        ([-1, 9], 0.01, "cannot tell"),
        ([1, 9], 0.2, "cannot tell"),
    ],
)
def test_improved_and_worse_are_said_only_where_interval_and_test_agree(interval, p_value, said):
    assert verdict(interval, p_value) == said


def world(rng, seeds, problems, of_seed, of_problem, of_both):
    """One experiment whose true gain is 0: a value for each seed and problem, with three sources of chance."""
    parts = rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, of_problem, problems)
    values = parts + rng.normal(0, of_both, (seeds, problems))
    return [dict(zip(map(str, range(problems)), row, strict=True)) for row in values]


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("of_seed", [0, 0.02, 0.1], ids=["alike seeds", "seeds as problems", "seeds apart"])
def test_an_interval_over_seeds_covers_the_known_truth_however_far_seeds_are_apart(seeds, of_seed):
    rng, count = numpy.random.default_rng(seeds), 500
    covered = 0
    for _ in range(count):
        _, (low, high) = over_seeds(world(rng, seeds, 60, of_seed, 0.15, 0.3), difference_interval)
        covered += low <= 0 <= high
    assert covered / count > 0.95 - 3 * (0.95 * 0.05 / count) ** 0.5


def test_a_bootstrap_of_few_seeds_that_are_apart_does_not_cover_the_truth():
    """Why it is not taken: the same worlds as above."""
    rng, count, resamples = numpy.random.default_rng(0), 300, 400
    covered = 0
    for _ in range(count):
        values = numpy.array([list(row.values()) for row in world(rng, 3, 60, 0.1, 0.15, 0.3)])
        rows, columns = rng.integers(0, 3, (resamples, 3, 1)), rng.integers(0, 60, (resamples, 1, 60))
        low, high = numpy.quantile(values[rows, columns].mean((1, 2)), [0.025, 0.975])
        covered += low <= 0 <= high
    assert covered / count < 0.9


def test_one_seed_is_the_interval_by_problem():
    before, after = {"a": 0.0, "b": 0.5, "c": 0.25}, {"a": 0.5, "b": 0.75, "c": 1.0}
    alone = paired_gain(list(before.values()), list(after.values()))
    assert gain_over_seeds([before], [after]) == alone


def drifts(rng, points):
    """What a random reward does to a run: a shift of a few points that every problem shares."""
    before = {str(n): 0.5 for n in range(256)}
    return before, {problem: rng.choice([0.0, 1.0], p=[0.5 - points, 0.5 + points]) for problem in before}


def test_what_single_runs_call_a_gain_each_time_is_none_over_seeds_whose_drift_has_no_direction():
    rng = numpy.random.default_rng(1)
    pairs = [drifts(rng, points) for points in (0.12, -0.1, 0.15)]
    assert [gain_over_seeds([b], [a])["verdict"] for b, a in pairs] == ["improved", "worse", "improved"]
    assert gain_over_seeds(*zip(*pairs, strict=True))["verdict"] == "cannot tell"


def test_a_gain_that_all_seeds_have_is_one():
    rng = numpy.random.default_rng(1)
    found = gain_over_seeds(*zip(*(drifts(rng, 0.3) for _ in range(3)), strict=True))
    assert found["verdict"] == "improved" and 20 < found["gain"]["points"] < 40
    assert found["gain"]["p_value"] < 0.05


def test_seeds_that_were_asked_different_problems_are_paired_within_each():
    before, after = [{"a": 0.0, "b": 0.0}, {"b": 1.0, "c": 0.0}], [{"a": 1.0, "b": 0.0}, {"b": 1.0, "c": 1.0}]
    assert gain_over_seeds(before, after)["gain"]["points"] == pytest.approx(100 * 2 / 3)


def test_the_p_value_over_seeds_is_that_of_the_interval():
    rng = numpy.random.default_rng(4)
    for points in (0.02, 0.1, 0.2):
        gain = gain_over_seeds(*zip(*(drifts(rng, points) for _ in range(4)), strict=True))["gain"]
        assert (gain["p_value"] <= 0.05) == (gain["interval"][0] > 0)


@pytest.mark.stress  # tests/test_false_gains.py has one such world
def test_the_best_of_many_models_that_are_all_as_good_as_the_first_is_certified_in_at_most_5_of_100_worlds():
    rng, certified, alone = numpy.random.default_rng(0), 0, 0
    for _ in range(60):
        first = list(rng.binomial(1, 0.5, 40).astype(float))
        found = [paired_gain(first, list(rng.binomial(1, 0.5, 40).astype(float)))["gain"] for _ in range(10)]
        certified += any(verdict(gain["interval"], gain["p_value"], 10) == "improved" for gain in found)
        alone += any(verdict(gain["interval"], gain["p_value"]) == "improved" for gain in found)
    assert certified <= 3 < alone


def test_many_groups_are_compared_with_a_control_at_once_their_spread_that_of_all():
    control, near, far = [0.0, 1.0, 2.0], [0.5, 1.5, 2.5], [9.0, 10.0, 11.0]
    (inner, p_near), (outer, p_far), alone = against_control([near, far, [7.0]], control)
    # all have a standard deviation of 1, so t = difference / sqrt(2/3); Dunnett's table: 2.86 for 2 groups, 6 degrees
    half = 2.86 * (2 / 3) ** 0.5
    assert inner == pytest.approx([0.5 - half, 0.5 + half], abs=0.02)
    assert outer == pytest.approx([9 - half, 9 + half], abs=0.02)
    assert p_near > 0.7 and p_far < 0.001 and alone is None
    assert against_control([near, far], control) == against_control([near, far], control)
    assert against_control([[1.0, 1.0]], [1.0, 1.0]) == [None] and against_control([], control) == []
