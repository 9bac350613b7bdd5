"""Each further way of asking asks what its formula says, and its answers are to the plain problem."""

from dataclasses import replace

import pytest

from tinyreason.data.asks import Try
from tinyreason.data.asks.critique_in_the_loop import CritiqueInTheLoop
from tinyreason.data.asks.dots import Dots
from tinyreason.data.asks.regenesis import Regenesis
from tinyreason.data.asks.smart_strategy import SmartStrategy
from tinyreason.data.asks.with_answer import WithAnswer
from tinyreason.data.sampled import Sampled
from tinyreason.example import Example
from tinyreason.prompts import PROMPTS, chat_messages

PROBLEMS = [Example(str(n), ({"role": "user", "content": f"{n}+1?"},), str(n + 1)) for n in range(3)]


class Fake:
    """An answerer that says what it is told to, and remembers what it was asked."""

    def __init__(self, *said):
        self.said, self.asked, self.ids = iter(said), [], []

    def sample(self, asked, temperature=None):
        self.ids += [one.id for one in asked]
        self.asked += [" | ".join(f"{turn['role']}: {turn['content']}" for turn in one.messages) for one in asked]
        return [Try(next(self.said), 3, False) for _ in asked]

    def grade(self, problems, tries):
        return [replace(one, correct=one.text == of.answer) for of, one in zip(problems, tries, strict=True)]

    def criticise(self, problems, texts, critic):
        return [f"{text} is wrong, says {critic}" for text in texts]


def test_with_the_answer_in_the_prompt_each_problem_is_asked_so_many_times():
    fake = Fake("a", "b", "c", "d")
    found = WithAnswer(samples=2).tries(PROBLEMS[:2], [[], []], fake)
    assert [[one.text for one in each] for each in found] == [["a", "b"], ["c", "d"]]
    assert fake.asked[2] == "user: 1+1?\n(The correct answer is 2. Show how to find it.)"
    assert len(set(fake.ids)) == 4


def test_each_attempt_is_refined_after_its_own_critique():
    fake = Fake("7", "2", "9")
    before = [[Try("5", 1, False, False)], [Try("6", 1, False, False), Try("8", 1, False, False)]]
    found = CritiqueInTheLoop(critic="oracle").tries(PROBLEMS[:2], before, fake)
    assert [[one.text for one in each] for each in found] == [["7"], ["2", "9"]]
    told = "8 is wrong, says oracle\n\nSolve the problem again, with this in mind."
    assert fake.asked[2] == f"user: 1+1? | assistant: 8 | user: {told}"


def test_a_path_of_regenesis_goes_from_a_guideline_to_a_structure_to_a_solution():
    fake = Fake("Take 2 and 3.", "count up", "count on", "outline A", "outline B", "3", "2")
    ask = Regenesis(paths=2, selected=1, guidelines=("One.", "Two.", "Three."))
    (found,) = ask.tries([PROBLEMS[1]], [[]], fake)
    assert [one.text for one in found] == ["3", "2"]
    assert "1. One.\n2. Two.\n3. Three." in fake.asked[0]
    assert fake.asked[2] == (
        "user: 1+1?\n\nSay for this problem, in one or two sentences, what this means: Two. Three."
    )
    assert fake.asked[4] == "user: 1+1?\n\nWrite the outline of a solution, without solving it. Keep to this: count on"
    assert fake.asked[6] == "user: 1+1?\n\nSolve it by this outline:\noutline B"
    assert ask.guidelines_of(PROBLEMS[1], 0, "") != ask.guidelines_of(PROBLEMS[1], 1, "I choose 17")
    assert len(set(fake.ids)) == 7


@pytest.mark.parametrize("braces", ["{structure}", "{problem}", "{answer}"])
def test_braces_in_a_problem_or_an_answer_are_left_as_they_are(braces):
    problem = Example("x", ({"role": "user", "content": f"{braces}?"},), braces)
    fake = Fake(*["{problem} {adapted} {answer}"] * 5)
    Regenesis(paths=1, selected=0).tries([problem], [[]], fake)
    WithAnswer().tries([problem], [[]], fake)
    assert all(asked.startswith(f"user: {braces}?") for asked in fake.asked)
    assert fake.asked[2].endswith("{problem} {adapted} {answer}")


def test_dots_takes_every_path_and_the_modules_of_each():
    fake = Fake("A?", "B?", "2", "3", "4", "5", "6", "7")
    (found,) = Dots(samples=1).tries([PROBLEMS[1]], [[]], fake)
    paths = {one.variant: one.text for one in found}
    assert paths == {"cot": "2", "rewrite->cot": "3", "cot->verify": "6", "rewrite->cot->verify": "7"}
    assert fake.asked[0].endswith("Say this problem in other, clearer words. Do not solve it.")
    assert fake.asked[2:6] == ["user: 1+1?", "user: A?", "user: 1+1?", "user: B?"]
    assert fake.asked[7].startswith("user: B? | assistant: 5 | user: Check this solution step by step.")
    assert len(set(fake.ids)) == 8


def test_a_strategy_that_fails_is_followed_by_the_next_one():
    fake = Fake("Decomposition!", "no idea", "7", "1", "2")
    first, second = SmartStrategy().tries([PROBLEMS[1], PROBLEMS[0]], [[], []], fake)
    assert [(one.text, one.correct) for one in first] == [
        ("Strategy: decomposition\n7", False),
        ("Strategy: step by step\n2", True),
    ]
    assert [one.text for one in second] == ["Strategy: step by step\n1"]  # correct at once, and not asked again
    assert fake.asked[4].endswith(
        "| assistant: 7 | user: That is not correct. Solve the problem by another strategy: Reason step by step."
    )


def test_what_asks_for_no_solution_is_put_as_it_stands_and_a_solution_as_the_run_asks():
    class Prompted(Fake):
        def sample(self, asked, temperature=None):
            super().sample(asked)
            self.boxed = [
                *getattr(self, "boxed", []),
                *(BOXED in chat_messages(one, "boxed")[-1]["content"] for one in asked),
            ]
            return [Try("1", 3, False) for _ in asked]

    BOXED = PROMPTS["boxed"].removeprefix("{problem}").format()
    for ask, boxed in (
        (Dots(samples=1), [False] * 2 + [True] * 6),
        (Regenesis(paths=1, selected=1), [False] * 3 + [True]),
        (SmartStrategy(), [False, True, True]),
    ):
        fake = Prompted(*["1"] * 8)
        ask.tries([PROBLEMS[1]], [[]], fake)
        assert fake.boxed == boxed, ask.kind


@pytest.mark.parametrize(
    "ask",
    [
        WithAnswer(samples=3),
        CritiqueInTheLoop(),
        CritiqueInTheLoop(critic="oracle"),
        Dots(samples=2),
        Regenesis(),
        Regenesis(paths=2, selected=3),
        SmartStrategy(),
    ],
    ids=lambda ask: ask.kind,
)
def test_what_it_says_it_samples_at_the_most_is_what_it_samples_where_nothing_is_ever_correct(ask):
    class Counting(Fake):
        def criticise(self, problems, texts, critic):
            said = super().criticise(problems, texts, critic)
            self.asked += [] if critic == "oracle" else said
            return said

    fake = Counting(*["no"] * 100)
    (found,) = ask.tries([PROBLEMS[0]], [[Try("5", 1, False, False)] * 4], fake)
    assert (len(fake.asked), len(found)) == ask.counts(4)


def test_all_that_asks_sample_counts_each_after_what_was_tried_before():
    asks = [{"kind": "with_answer", "samples": 2}, {"kind": "critique_in_the_loop", "critic": "oracle"}]
    data = Sampled(name="sandbox", size=10, samples=4, asks=asks, temperatures=(0.5, 1.0), tried=3)
    assert data.completions == 10 * (4 + 2 + 6) + 2 * 3 * 4
