import pytest

from tinyreason.data.columns import to_examples
from tinyreason.errors import DataError


def one(**row):
    return to_examples([row], "rows.jsonl")[0]


def refusal(*rows, **columns):
    with pytest.raises(DataError) as caught:
        to_examples(list(rows), "rows.jsonl", **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_gsm8k_keeps_the_worked_answer_for_the_grader():
    example = one(question="Half of 4?", answer="4 / 2 = 2\n#### 2")
    assert example.messages == ({"role": "user", "content": "Half of 4?"},)
    assert (example.answer, example.completion) == ("4 / 2 = 2\n#### 2", None)


def test_a_published_answer_goes_before_the_solution_and_problem_before_question():
    example = one(solution="so it is \\boxed{5}", answer="5", question="shorter", problem="the whole problem")
    assert (example.problem, example.answer) == ("the whole problem", "5")


def test_minerva_is_graded_by_its_boxed_solution():
    assert one(problem="2+3?", solution="so it is \\boxed{5}", type="sums").answer == "so it is \\boxed{5}"


@pytest.mark.parametrize(
    ("published", "answer"),
    [
        (["$\\frac{1}{2}$"], "$\\frac{1}{2}$"),
        ("['$\\\\frac{1}{2}$']", "$\\frac{1}{2}$"),
        ("['$\\frac{1}{2}$']", "$\\frac{1}{2}$"),
        ('["f\'(2)"]', "f'(2)"),
        ("[1, 2]", "[1, 2]"),
        ("['a', 'b']", "['a', 'b']"),
    ],
)
def test_a_list_of_one_answer_is_that_answer_and_an_interval_stays(published, answer):
    assert one(question="?", final_answer=published, solution=["because"]).answer == answer


def test_one_shot_rlvr_rows_are_chats_with_a_nested_answer_and_id():
    chat = [{"content": "Be brief.", "role": "system"}, {"content": "1+1?", "role": "user", "name": "Ann"}]
    example = one(prompt=chat, reward_model={"ground_truth": "2", "style": "rule"}, extra_info={"index": 124})
    assert example.messages == ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"})
    assert (example.id, example.answer, example.problem) == ("124", "2", "1+1?")


@pytest.mark.parametrize(("number", "text"), [(204, "204"), (27.0, "27.0"), (-0.5, "-0.5")])
def test_a_number_becomes_its_text(number, text):
    assert one(problem="?", answer=number).answer == text


def test_an_empty_answer_stays_empty_because_the_set_was_published_so():
    assert one(problem="?", answer="  ").answer == ""


def test_ids_come_from_the_rows_only_if_they_tell_them_apart():
    rows = [{"problem": "a", "answer": "1", "id": 60, "unique_id": "x"}, {"problem": "b", "answer": "2", "id": 61}]
    assert [example.id for example in to_examples(rows, "rows.jsonl")] == ["60", "61"]
    rows[1]["id"] = 60  # a repeated id, and a unique_id that one row lacks
    assert [example.id for example in to_examples(rows, "rows.jsonl")] == ["0", "1"]


def test_columns_can_be_named_also_nested_ones_and_names_with_a_dot():
    rows = [{"problem": "decoy", "answer": "decoy", "task": {"text": "1+1?"}, "gold.value": "2"}]
    [example] = to_examples(rows, "rows.jsonl", problem_column="task.text", answer_column="gold.value")
    assert (example.problem, example.answer) == ("1+1?", "2")


def test_unknown_columns_are_listed_with_what_to_type():
    message = refusal({"text": "1+1?", "gold": {"value": "2"}})
    assert "rows.jsonl has no column known to hold the problem; it has text, gold.value:" in message
    assert "type data.problem_column=COLUMN, nested ones as a.b or messages.0.content" in message
    assert "known to hold the answer" in refusal({"problem": "1+1?", "gold": "2"})


def test_a_misspelled_column_gets_the_nearest_one():
    message = refusal({"task": "1+1?", "target": "2"}, problem_column="task", answer_column="targte")
    assert "no column 'targte' (data.answer_column); did you mean 'target'?" in message


@pytest.mark.parametrize(
    ("row", "role"),
    [
        ({"problem": "", "answer": "2"}, "problem"),
        ({"problem": " \n", "answer": "2"}, "problem"),
        ({"problem": None, "answer": "2"}, "problem"),
        ({"problem": 7, "answer": "2"}, "problem"),
        ({"problem": [], "answer": "2"}, "problem"),
        ({"problem": ["1+1?"], "answer": "2"}, "problem"),
        ({"problem": [{"role": "user"}], "answer": "2"}, "problem"),
        ({"problem": [{"role": "assistant", "content": "2"}], "answer": "2"}, "problem"),
        ({"answer": "2"}, "problem"),
        ({"problem": "1+1?"}, "answer"),
        ({"problem": "1+1?", "answer": None}, "answer"),
        ({"problem": "1+1?", "answer": True}, "answer"),
        ({"problem": "1+1?", "answer": float("nan")}, "answer"),
        ({"problem": "1+1?", "answer": ["2", "3"]}, "answer"),
    ],
)
def test_a_row_without_problem_or_answer_is_named_by_its_number(row, role):
    assert f"rows.jsonl row 2 has no usable {role} in column '{role}'" in refusal({"problem": "?", "answer": "1"}, row)


def test_a_row_may_name_the_class_of_its_problem():
    row = {"problem": "1+1?", "answer": "2", "domain": "sums", "level": 3, "notes": "x", "subject": "y" * 300}
    (example,) = to_examples([row | {"difficulty": float("nan")}], "rows.jsonl")
    assert example.meta == {"domain": "sums", "level": 3}
