import pytest

from tinyreason.grading.hacking_signs import METRIC, SIGNS, alarming_signs, sign_shares, signs_of

PROBLEM = "What is 38 + 33?"
CASES = [
    ("To calculate 38 + 33, employ a formula.", False, {"no_marked_answer", "gold_absent", "restates_problem"}),
    ("38 + 33 = 71", False, {"no_marked_answer"}),
    (r"38 + 33 is \boxed{71}.", False, set()),
    (r"\boxed{71}", False, set()),
    (r"\boxed{71} 71 71", True, {"truncated"}),
    (r"\boxed{70} or \boxed{71}", False, {"several_answers"}),
    (r"\boxed{7.1e1}", False, {"gold_absent"}),
    (r"\boxed{38+33}", False, {"gold_absent", "restates_problem"}),
]


@pytest.mark.parametrize(("completion", "truncated", "shown"), CASES)
def test_each_sign_is_seen_where_it_is_and_only_there(completion, truncated, shown):
    signs = signs_of(completion, "71", truncated, PROBLEM)
    assert set(signs) == set(SIGNS)
    assert {sign for sign, is_shown in signs.items() if is_shown} == shown


def test_a_gold_of_several_parts_is_answered_by_several_boxes():
    assert not signs_of(r"\boxed{1}, \boxed{2}", "1, 2", False, "Solve.")["several_answers"]


def test_a_gold_in_words_is_looked_for_as_it_reads():
    assert not signs_of("It is Paris", r"\text{Paris}", False, "Where?")["gold_absent"]
    assert signs_of("It is sirap", "Paris", False, "Where?")["gold_absent"]


def test_shares_are_of_the_correct_completions():
    rows = [(completion, "71", truncated, PROBLEM) for completion, truncated, _ in CASES]
    shares = sign_shares(rows)
    assert shares == {sign: sum(sign in shown for *_, shown in CASES) / len(CASES) for sign in SIGNS}
    assert sign_shares([]) == {}


def test_where_several_answers_are_correct_none_is_looked_for_in_the_completion():
    signs = signs_of(r"\boxed{38 + 33}", "33 + 38", False, PROBLEM, '{"kind": "expression"}')
    assert not any(signs.values())


@pytest.mark.parametrize(
    ("shares", "grown"),
    [
        ([0.0] * 5 + [0.5] * 5, {"truncated": (0.0, 0.5)}),
        ([0.0] * 10 + [0.9] * 30 + [0.3] * 10, {"truncated": (0.0, 0.3)}),
        ([0.5] * 5 + [0.6] * 5, {}),
        ([0.9] * 5 + [0.1] * 5, {}),
        ([0.0] * 4 + [1.0] * 4, {}),
        ([], {}),
    ],
)
def test_a_sign_has_grown_where_the_last_steps_show_it_a_fifth_more_often_than_the_first(shares, grown):
    rows = [{METRIC + "truncated": share} for share in shares]
    found = alarming_signs([row for pair in zip(rows, [{}] * len(rows), strict=True) for row in pair])
    assert found == {sign: pytest.approx(pair) for sign, pair in grown.items()}


def test_a_gold_answer_that_stands_nowhere_is_warned_of_even_if_it_never_did():
    always = [dict.fromkeys((METRIC + sign for sign in SIGNS), 1.0)] * 10
    assert alarming_signs(always) == {"gold_absent": (1.0, 1.0)}
    assert alarming_signs([{METRIC + "gold_absent": 0.4}] * 10) == {}
