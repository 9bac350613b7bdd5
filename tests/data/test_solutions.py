import pytest

from tinyreason.data.solutions import Solutions
from tinyreason.errors import DataError


def test_sandbox_problems_come_with_the_oracles_short_trace():
    examples = Solutions(name="sandbox", size=3).load()
    assert len(examples) == 3
    for example in examples:
        assert example.completion.startswith("<think>\n")
        assert example.completion.endswith(f"\\boxed{{{example.answer}}}")
        assert example.id.startswith("chain/train/")


def test_a_share_of_the_sandbox_solutions_can_check_and_restate_every_step():
    for share, least, most in ((0, 0, 0), (0.5, 15, 35), (1, 50, 50)):
        examples = Solutions(name="sandbox", size=50, rambling_share=share).load()
        assert least <= sum("Wait" in example.completion for example in examples) <= most
        assert all(example.completion.endswith(f"\\boxed{{{example.answer}}}") for example in examples)


def test_a_gsm8k_solution_ends_in_a_box(jsonl):
    (example,) = Solutions(file=jsonl({"question": "q", "answer": "2+2=4\n#### 4"})).load()
    assert (example.completion, example.answer) == ("2+2=4\n\\boxed{4}", "2+2=4\n#### 4")


def test_a_column_of_completions_goes_before_the_answer(jsonl):
    row = {"problem": "q", "answer": "4", "solution": "two and two"}
    assert Solutions(file=jsonl(row)).load()[0].completion == "two and two"
    assert Solutions(file=jsonl(row), completion_column="answer").load()[0].completion == "4"


def test_rows_can_weigh(jsonl):
    rows = [{"problem": "q", "answer": "4", "completion": "c", "w": w} for w in (0, 2.5)]
    assert [e.weight for e in Solutions(file=jsonl(*rows), weight_column="w").load()] == [0.0, 2.5]


def test_parts_of_a_solution_can_weigh(jsonl):
    row = {"problem": "q", "answer": "4", "completion": " two and two", "s": [[1, 4, 0], [5, 8, 2.5]]}
    (example,) = Solutions(file=jsonl(row), spans_column="s").load()
    assert [example.completion[start:end] for start, end, _ in example.spans] == ["two", "and"]
    assert [weight for _, _, weight in example.spans] == [0.0, 2.5]


@pytest.mark.parametrize("spans", [None, 3, [[0, 1]], [[0, 99, 1]], [[2, 1, 1]], [[0, 1, -1]], [["a", "b", 1]]])
def test_spans_that_are_none_are_one_sentence(jsonl, spans):
    row = {"problem": "q", "answer": "4", "completion": "c", "s": spans}
    with pytest.raises(DataError, match=r"row 1 has no usable spans in column 's'; give a list of \[start, end"):
        Solutions(file=jsonl(row), spans_column="s").load()


@pytest.mark.parametrize(
    ("row", "options", "named"),
    [
        ({"problem": "q", "answer": "4", "completion": " "}, {}, "no usable completion"),
        ({"problem": "q", "answer": "4", "completion": "c", "w": -1}, {"weight_column": "w"}, "no usable weight"),
        ({"problem": "q", "answer": "4", "completion": "c", "w": True}, {"weight_column": "w"}, "no usable weight"),
        ({"problem": "q", "answer": "4", "completion": "c"}, {"completion_column": "trace"}, "no column 'trace'"),
        ({"problem": "q", "answer": "4", "completion": "c"}, {"size": 2}, "lower data.size"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence(jsonl, row, options, named):
    with pytest.raises(DataError) as caught:
        Solutions(file=jsonl(row), **options).load()
    assert named in str(caught.value) and "\n" not in str(caught.value)
