"""Every transform keeps the rows that its formula keeps, and says how many went and why."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tinyreason.config.recipe import read_recipe
from tinyreason.data.transforms import TRANSFORMS, TransformContext, auto_cei, transformed
from tinyreason.data.transforms.dedup import is_loop
from tinyreason.data.transforms.dots import best_path
from tinyreason.data.transforms.mix import shared_out
from tinyreason.data.transforms.self_braking import BRAKES, marker_share, score_of
from tinyreason.data.transforms.spread import variation
from tinyreason.data.transforms.steps_within import incorrect_share
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.grading.refusal import first_refusal
from tinyreason.schema import one_of

ANY = TypeAdapter(one_of(TRANSFORMS))


def words_as_tokens(text, add_special_tokens):
    return {"input_ids": text.split()}


def row(id, problem="1+1?", completion="\\boxed{2}", answer="2", **meta):
    return Example(id, ({"role": "user", "content": problem},), answer, completion, meta)


def of_problem(letter, *ids):
    return [row(f"{letter}{id}", problem=letter) for id in ids]


@pytest.fixture(scope="module")
def grader():
    with Grader() as found:
        yield found


@pytest.fixture
def apply(grader):
    """A function: rows and the options of transforms in order → (rows that are left, what was said)."""

    def run(rows, *transforms, seed=0):
        said = []
        context = TransformContext(seed, words_as_tokens, grader)
        left = transformed([ANY.validate_python(one) for one in transforms], rows, context, said.append)
        return left, said

    return run


def ids(found):
    return [one.id for one in found[0]]


def test_fair_takes_the_first_of_each_problem_before_the_second_of_any(apply):
    rows = [*of_problem("a", 1, 2, 3), *of_problem("b", 1), *of_problem("c", 1, 2)]
    found = apply(rows, {"kind": "fair", "n": 4, "shuffle": False})
    assert ids(found) == ["a1", "b1", "c1", "a2"]
    assert found[1] == ["transform fair  6 rows → 4: 2 more than n"]
    assert sorted(ids(apply(rows, {"kind": "fair", "n": 6}))) == sorted(one.id for one in rows)
    shuffled = {tuple(ids(apply(rows, {"kind": "fair", "n": 3}, seed=seed))) for seed in range(8)}
    assert len(shuffled) > 1
    assert all([id[0] for id in found] == ["a", "b", "c"] for found in shuffled)


def test_select_ranks_by_difficulty_and_length(apply):
    rows = [
        row(str(n), pass_rate=1 - d, tokens=length)
        for n, (d, length) in enumerate([(0.9, 100), (0.2, 300), (0.6, 200)])
    ]
    select = ANY.validate_python({"kind": "select"})
    assert select.scores(rows, None) == pytest.approx([0.617, 0.600, 0.633], abs=5e-4)
    assert ids(apply(rows, {"kind": "select", "share": 0.34})) == ["2"]
    assert ids(apply(rows, {"kind": "select", "share": 0.67})) == ["0", "2"]
    assert ids(apply(rows, {"kind": "select", "by": "length"})) == ["1"]
    assert ids(apply(rows, {"kind": "select", "by": "difficulty"})) == ["0"]


def test_spread_goes_by_the_variation_of_scores(apply):
    vectors = ([0.9, 0.1, 0.7, 0.3, 0.5], 0.632), ([0.6, 0.8, 0.7, 0.7, 0.7], 0.101), ([1, 1, 1, 0], 0.667)
    for scores, wanted in (*vectors, ([1, 0, 0, 0], 2.0), ([1, 1, 1], 0), ([0, 0], 0), ([1], 0)):
        assert variation(scores) == pytest.approx(wanted, abs=5e-4)
    rows = [
        row(f"{name}{n}", problem=name, correct=bool(c))
        for name, marks in {"half": (1, 0), "all": (1, 1), "none": (0, 0), "rare": (0, 0, 1)}.items()
        for n, c in enumerate(marks)
    ]
    found = apply(rows, {"kind": "spread"})
    assert ids(found) == ["half0", "rare2"]
    assert "2 never solved" in found[1][0] and "2 scores that hardly vary" in found[1][0]
    assert ids(apply(rows, {"kind": "spread", "one_each": True})) == ["rare2", "half0"]
    assert ids(apply(rows, {"kind": "spread", "threshold": 1.5})) == ["rare2"]
    unlike = [row(str(n), problem=str(n), correct=True, scores=[1, 1], domain="other") for n in range(200)]
    assert 60 < len(apply(unlike, {"kind": "spread"})[0]) < 140


def test_band_keeps_what_is_nearest_to_the_verbosity_of_its_bin(apply):
    rows = [row(str(n), correct=True, difficulty=1, verbosity=v) for n, v in enumerate((1, 5, 2), 1)]
    assert ids(apply(rows, {"kind": "band", "per_bin": 2})) == ["3", "1"]
    assert ids(apply(rows, {"kind": "band", "per_bin": 1, "target": "medium"})) == ["2"]
    hard = [row("h", correct=True, difficulty=10, verbosity=9), row("out", correct=True, difficulty=11, verbosity=9)]
    found = apply([*hard, row("bad", correct=False, difficulty=1)], {"kind": "band", "per_bin": 1})
    assert ids(found) == ["h"] and "1 not correct; 1 difficulty outside the bins" in found[1][0]
    own = [row(str(n), correct=True, pass_rate=1.0, tokens=n) for n in range(10)]  # difficulty 0, verbosity n
    assert ids(apply(own, {"kind": "band", "per_bin": 1})) == ["2"]


def test_dedup_keeps_the_first_of_equals_and_no_loop(apply):
    rows = [row(str(n), problem=text) for n, text in enumerate(("Find 2+2", "find  2+2", "Find 2+3"), 1)]
    assert ids(apply(rows, {"kind": "dedup"})) == ["1", "3"]
    run = " ".join(f"word{n}" for n in range(20))
    assert is_loop(" ".join([run] * 3)) and not is_loop(" ".join([run] * 2))
    assert ids(apply([row("a", completion=" ".join([run] * 3)), row("b", problem="2+2?")], {"kind": "dedup"})) == ["b"]
    samples = [row("a", completion="It is 2."), row("b", completion="it is  2."), row("c", completion="Two it is.")]
    assert ids(apply(samples, {"kind": "dedup", "of": "completion"})) == ["a", "c"]


def test_segments_weighs_the_answer_by_a_span(apply):
    (found,), said = apply([row("a", completion="<think>x</think>\n2"), row("b")], {"kind": "segments", "answer": 0})
    assert found.spans == ((16, 18, 0.0),)
    assert said == ["transform segments  2 rows → 1: 1 without </think>; 1 rewritten"]


def test_the_overthinking_score_is_the_papers():
    assert score_of(4, 10, 0.03) == pytest.approx(0.543)
    assert score_of(9, 10, 0.02) == pytest.approx(0.092)
    assert marker_share("Wait, it is 4. Hmm, but so") == pytest.approx(3 / 7)


def test_self_braking_ends_after_the_second_correct_paragraph(apply):
    before = "<think>\nAdd.\n\nSo it is 2.\n\nI see.\n\nAgain it is 2.\n\n"
    text = f"{before}Count on. Two fingers! More, and more.\n\nEnough.\n</think>\n\\boxed{{2}}"
    (found,), said = apply([row("a", completion=text)], {"kind": "self_braking"})
    told = "Count on. Two fingers!"
    assert found.completion == f"{before}{told}\n\n{BRAKES['exact']}\n</think>\n\\boxed{{2}}"
    ((start, end, weight),) = found.spans
    assert found.completion[start:end].strip() == told and weight == 0
    assert said == ["transform self_braking  1 rows → 1: 1 rewritten"]
    short = row("b", completion="<think>\nAdd.\n\nSo it is 2.\n</think>\n\\boxed{2}")
    assert apply([short], {"kind": "self_braking"})[0] == [short]


def test_self_braking_stops_where_the_running_score_is_too_high(apply):
    steps = [*(f"Step {n} says 9." for n in range(8)), "So it is 2.", *("Well, it is 5." for _ in range(9))]
    text = "<think>\n" + "\n".join(steps) + "\n</think>\n\\boxed{2}"
    (found,), _ = apply([row("a", completion=text)], {"kind": "self_braking", "variant": "dynamic", "step": "line"})
    # f = 9: 0.9 · j / (9 + j) is 0.225 at j = 3, from which it weighs 0, and 0.277 at j = 4, where it ends
    assert found.completion.count("Well, it is 5.") == 4
    ((start, end, weight),) = found.spans
    assert found.completion[start:end] == "Well, it is 5.\nWell, it is 5." and weight == 0
    assert found.completion.endswith(f"{BRAKES['dynamic']}\n</think>\n\\boxed{{2}}")


def test_hardest_and_unsolved_go_by_the_pass_rate(apply):
    rows = [row(str(p), problem=str(p), pass_rate=p) for p in (0, 0.1, 0.5)]
    assert ids(apply(rows, {"kind": "hardest", "n": 1})) == ["0.1"]
    assert ids(apply(rows, {"kind": "unsolved"})) == ["0"]
    assert ids(apply(rows, {"kind": "unsolved", "low": 0.05, "high": 0.95})) == ["0.1", "0.5"]
    with pytest.raises(ValidationError, match="swap them"):
        ANY.validate_python({"kind": "unsolved", "low": 0.5, "high": 0.1})


def test_mix_takes_shares_by_largest_remainder(apply):
    assert shared_out(8, {"a": 2, "b": 1, "c": 1}) == {"a": 4, "b": 2, "c": 2}
    assert shared_out(2, {"a": 1, "b": 1, "c": 1}) == {"a": 1, "b": 1, "c": 0}
    rows = [row(f"{domain}{n}", domain=domain) for n in range(3) for domain in ("math", "logic")]
    assert ids(apply(rows, {"kind": "mix", "n": 3, "shares": {"math": 2, "logic": 1}})) == ["math0", "logic0", "math1"]
    with pytest.raises(DataError, match=r"wants 4 rows of domain 'math', and there are 3 of it among logic, math"):
        apply(rows, {"kind": "mix", "n": 4, "shares": {"math": 1}})


def test_choice_open_asks_without_the_options(apply):
    sum_ = "What is 2+3?\nA. 3\nB. 5"
    rows = [
        row("open", problem=sum_, answer="B"),
        row("text", problem=sum_, answer="5"),
        row("needs", problem=f"Which of the following is odd?{sum_[12:]}", answer="B"),
        row("none", problem=sum_, answer="C"),
        row("long", problem="Why?\nA) yes\nB) " + "word " * 11, answer="B"),
        row("plain"),
    ]
    found = apply(rows, {"kind": "choice_open"})
    assert ids(found) == ["open", "text", "needs", "plain"]
    assert [(one.problem, one.answer, one.grader) for one in found[0][:2]] == [("What is 2+3?", "5", "math")] * 2
    assert found[0][2:] == [rows[2], rows[5]]


def test_pairs_are_the_first_correct_and_the_first_incorrect(apply):
    rows = [
        row("0", correct=True),
        row("1", correct=False),
        row("2", correct=False),
        row("x", problem="x", correct=True),
    ]
    found = apply(rows, {"kind": "pairs"})
    assert [(one.id, one.weight) for one in found[0]] == [("0", 1.0), ("1", -0.8)]
    assert "1 another one of the problem; 1 all correct" in found[1][0]


def test_signed_weighs_either_kind_and_a_baseline_shifts_their_shares(apply):
    rows = [row(str(n), correct=n % 2 == 0) for n in range(4)]
    assert [one.weight for one in apply(rows, {"kind": "signed"})[0]] == [1.0, -1.0, 1.0, -1.0]
    found = apply(rows, {"kind": "signed", "correct": 0})
    assert [one.weight for one in found[0]] == [-1.0, -1.0] and "2 of weight 0" in found[1][0]
    p, k = 0.5, 0.7  # TOPR's baseline
    weights = [one.weight for one in apply(rows, {"kind": "signed", "correct": 1 - k, "incorrect": -1 - k})[0]]
    share = sum(weight for weight in weights if weight > 0) / sum(map(abs, weights))
    assert share == pytest.approx(p * (1 - k) / (1 + k * (1 - 2 * p))) == pytest.approx(0.15)


def test_east_weighs_by_the_entropy_of_a_problems_answers(apply):
    answers = {"a": "2223", "b": "2323", "c": "2222", "d": "3456"}  # shares (¾, ¼) and (½, ½); all, none correct
    rows = [
        row(f"{letter}{n}", problem=f"{letter}?", completion=f"\\boxed{{{said}}}")
        for letter, texts in answers.items()
        for n, said in enumerate(texts)
    ]
    left, said = apply(rows, {"kind": "east"})
    assert [(one.id, round(one.weight, 4)) for one in left] == [
        *[(f"a{n}", 0.8958) for n in range(3)],
        *[(f"b{n}", 1.1042) for n in (0, 2)],
    ]
    assert said == ["transform east  16 rows → 5: 3 not correct; 4 all correct; 4 none correct; 5 rewritten"]
    assert {one.weight for one in apply(rows, {"kind": "east", "power": 0})[0]} == {1.0}


@pytest.mark.parametrize("kind", ["signed", "east", "pairs"])
def test_what_weighs_completions_is_refused_where_none_is_imitated(kind):
    with pytest.raises(ConfigError, match=f"{kind} weighs completions to imitate, and trainer grpo samples its own"):
        read_recipe("rlvr").resolve("sandbox", (f"data.transforms=[{{kind: {kind}}}]",))


def test_steps_within_reads_the_share_or_checks_the_equations(apply):
    rows = [row(str(n), step_errors=share) for n, share in enumerate((0, 0.5, 0.2), 1)]
    assert ids(apply(rows, {"kind": "steps_within", "most": 0.3})) == ["1", "3"]
    assert incorrect_share("12+5=17\n17 - 4 = 14\n3 × 2 = 6, so 2*6=13") == 0.5
    assert incorrect_share("x = 3, y: 1 + 2 + 3 = 6. No 2 + 2 = 3 + 1.") == 0
    assert ids(apply([row("a", completion="3+4=8"), row("b", completion="3+4=7")], {"kind": "steps_within"})) == ["b"]


def test_length_bucket_is_open_below_and_closed_above(apply):
    rows = [row(str(n), tokens=n) for n in (1, 4, 5, 8, 9)]
    assert ids(apply(rows, {"kind": "length_bucket", "high": 4})) == ["1", "4"]
    found = apply(rows, {"kind": "length_bucket", "low": 4, "high": 8})
    assert ids(found) == ["5", "8"]
    assert "2 of at most 4 tokens; 1 of more than 8 tokens" in found[1][0]
    assert ids(apply([row("a", completion="a b c")], {"kind": "length_bucket", "high": 3})) == ["a"]


def test_outcome_leaves_out_the_truncated_and_keeps_what_is_asked_for(apply):
    rows = [row("right", correct=True), row("wrong", correct=False), row("cut", correct=False, truncated=True)]
    assert ids(apply(rows, {"kind": "outcome"})) == ["right", "wrong"]
    assert ids(apply(rows, {"kind": "outcome", "keep": "correct"})) == ["right"]
    assert ids(apply(rows, {"kind": "outcome", "keep": "incorrect"})) == ["wrong"]


def test_shortest_correct_is_over_all_variants_and_of_equals_the_first(apply):
    marks = [("low", 50, False), ("medium", 80, True), ("high", 200, True), ("other", 80, True)]
    rows = [row(name, problem_id="p", variant=name, tokens=tokens, correct=c) for name, tokens, c in marks]
    found = apply([*rows, row("never", problem="x", correct=False)], {"kind": "shortest_correct"})
    assert ids(found) == ["medium"] and "2 not correct; 2 longer" in found[1][0]
    graded = [row("a", completion="The answer is \\boxed{2}"), row("b"), row("c", completion="\\boxed{3}")]
    assert ids(apply(graded, {"kind": "shortest_correct"})) == ["b"]


def test_pass_rate_is_written_to_one_row_or_to_all(apply):
    rows = [row("a"), row("b", completion="\\boxed{3}"), row("c", completion="\\boxed{4}"), row("d")]
    (first,), _ = apply(rows, {"kind": "pass_rate", "rows": "one"})
    assert (first.id, first.meta["pass_rate"], first.meta["scores"]) == ("a", 0.5, [1.0, 0.0, 0.0, 1.0])
    assert [one.meta["pass_rate"] for one in apply(rows, {"kind": "pass_rate"})[0]] == [0.5] * 4


def test_prefix_shows_a_share_of_the_solution(apply):
    solution = "The two and the two are four" + "." * 66 + " \\boxed{2}"[-6:]
    text = f"<think>hidden</think>{solution}"
    assert len(solution) == 100
    rows = [row("a", completion=text), row("b", completion="\\boxed{2}"), row("c", completion="Nothing is said here.")]
    found = apply(rows, {"kind": "prefix", "share": 0.25})
    assert found[0][0].problem == f"1+1?\n\n## Hint.\n{solution[:25]}"
    assert found[0][1:] == [rows[1]] and "1 answer not in its solution" in found[1][0]


def test_sample_and_trim_are_what_sets_are_built_with(apply):
    rows = [row(str(n), completion="x" * n) for n in range(1, 11)]
    few = ids(apply(rows, {"kind": "sample", "n": 4}))
    assert len(few) == 4 and few == sorted(few, key=int) and few != ids(apply(rows, {"kind": "sample", "n": 4}, seed=1))
    assert ids(apply(rows, {"kind": "trim", "share": 0.2})) == [str(n) for n in range(3, 9)]


def test_transforms_are_applied_in_order_and_each_says_what_it_did(apply):
    rows = [row("a", tokens=9), row("b", completion="\\boxed{3}", tokens=3), row("c", tokens=5)]
    found = apply(
        rows, {"kind": "pass_rate"}, {"kind": "unsolved", "low": 0.5, "high": 1}, {"kind": "shortest_correct"}
    )
    assert ids(found) == ["c"]
    assert found[1] == [
        "transform pass_rate  3 rows → 3: 3 rewritten",
        "transform unsolved  3 rows → 3: as they were",
        "transform shortest_correct  3 rows → 1: 1 not correct; 1 longer",
    ]


def test_what_rows_lack_and_that_none_is_left_is_told_in_a_sentence(apply):
    with pytest.raises(
        DataError, match=r"transform hardest needs 'pass_rate' of every row, and row a has none; .*pass_rate"
    ):
        apply([row("a")], {"kind": "hardest", "n": 1})
    with pytest.raises(DataError, match=r"row a has neither 'correct' nor an answer to grade by"):
        apply([row("a", answer="")], {"kind": "shortest_correct"})
    with pytest.raises(DataError, match=r"transform outcome leaves none of 1 rows \(1 truncated\); change its options"):
        apply([row("a", truncated=True)], {"kind": "outcome"})


def test_refusals_take_the_place_of_the_answers_of_problems_that_none_solves(apply):
    rows = [
        row("a1", "a", "<think>\n1+1=3\n</think>\n\\boxed{3}", tokens=9),
        row("a2", "a", "\\boxed{4}"),
        row("a3", "a", "1+1=5\n\\boxed{5}"),
        row("b1", "b", "\\boxed{2}"),
        row("b2", "b", "\\boxed{3}"),
        row("c1", "c", "<think>1", truncated=True),
    ]
    left, said = apply(rows, {"kind": "refusals"})
    refused = ["<think>\n1+1=3\n</think>\nI don't know.", "I don't know.", "1+1=5\nI don't know.", "\\boxed{2}"]
    assert [one.completion for one in left] == refused
    assert left[0].meta["tokens"] is None
    assert said == ["transform refusals  6 rows → 4: 1 truncated; 1 not correct, where another is; 4 rewritten"]
    (own,), _ = apply([row("a", "a", "\\boxed{3}")], {"kind": "refusals", "text": "pass"})
    assert own.completion == "pass"


def test_auto_cei_pays_a_refusal_by_the_reasoning_before_it():
    step, c2 = auto_cei.constants(4.0)
    assert (step, c2) == (0.5, pytest.approx(0.1439, abs=1e-4))
    earned = [auto_cei.refusal_reward(lines, 10, c2) for lines in (6, 10, 14)]
    assert earned == pytest.approx([-0.280, 0, 0.280], abs=5e-4)
    assert auto_cei.constants(1.0)[0] == 0.2
    correct, refuses = [True] * 63 + [False] * 37, [False] * 90 + [True] * 10
    assert auto_cei.quality(correct, refuses) == pytest.approx(0.8 * 0.7 + 0.2 * 0.9)  # 0.74
    assert auto_cei.quality([False], [True]) == 0


def test_auto_cei_climbs_on_where_it_rose_turns_where_it_fell_and_stops_between_two_that_are_worse():
    assert auto_cei.next_step([(1, 0.5)]) == 2
    assert auto_cei.next_step([(1, 0.5), (2, 0.6)]) == 3
    assert auto_cei.next_step([(1, 0.5), (2, 0.4)]) == 0
    assert auto_cei.next_step([(1, 0.5), (2, 0.4), (0, 0.6)]) == -1
    assert auto_cei.next_step([(1, 0.5), (2, 0.4), (0, 0.3)]) == 1


def test_auto_cei_keeps_what_is_correct_and_refusals_after_enough_lines(grader):
    def refusal(problem, lines):
        return row(f"{problem}{lines}", problem, "<think>\n" + "1+1=3\n" * lines + "</think>\nI don't know.")

    rows = [refusal("a", 1), refusal("a", 6), row("b", "b"), refusal("b", 8), row("c", "c", "\\boxed{7}")]
    context = TransformContext(0, words_as_tokens, grader)
    left = transformed([ANY.validate_python({"kind": "auto_cei"})], rows, context, lambda line: None)
    assert [one.id for one in left] == ["a6", "b"]  # a1 is too early, b is solved, c only incorrect
    noted = context.noted
    assert (noted["mean"], noted["step"]) == (5, 1)
    assert noted["f"] == pytest.approx(0.8 * 0.5 + 0.2 * 0.4)
    assert first_refusal("Let me think.\npass", "pass") == 14
    assert first_refusal("I'm not sure.") == 0 and first_refusal("I know.") is None
    later = TransformContext(0, words_as_tokens, grader, earlier=[noted])
    transformed([ANY.validate_python({"kind": "auto_cei"})], rows, later, lambda line: None)
    assert (later.noted["step"], later.noted["mean"]) == (2, 5)


def test_dots_keeps_the_path_that_succeeds_most_often_and_of_equal_ones_the_shortest(apply):
    success = {"cot": 0.5, "rewrite->cot->verify": 0.75, "cot->verify": 0.75}
    assert best_path(success) == "cot->verify"
    rows = [
        row(f"{path}{n}", "a", "\\boxed{2}" if n < 4 * share else "\\boxed{3}", variant=path)
        for path, share in success.items()
        for n in range(4)
    ]
    left, said = apply([*rows, row("b", "b", "\\boxed{3}", variant="cot"), row("c", "c")], {"kind": "dots"})
    assert [(one.id, one.completion) for one in left] == [("cot->verify0", "Required Action: cot->verify\n\\boxed{2}")]
    assert said[0].startswith("transform dots  14 rows → 1: 1 no path; 11 another path or sample; 1 never solved")
