"""Sets of every usual shape are read by nothing but the file's name."""

import json

import pytest

from tinyreason.data.columns import value_at
from tinyreason.data.problems import Problems
from tinyreason.data.solutions import Solutions
from tinyreason.errors import DataError

Q, S = "Ann has 2 pens and buys 3 more. How many?", "2 + 3 = 5. \\boxed{5}"
USER, TOLD = {"role": "user", "content": Q}, {"role": "assistant", "content": S}
BRIEF = {"role": "system", "content": "Be brief."}


def solved(jsonl, *rows, **options):
    return Solutions(file=jsonl(*rows), **options).load()


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"messages": [USER, TOLD]}, [USER]),
        ({"messages": [BRIEF, USER, TOLD]}, [BRIEF, USER]),
        ({"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": S}]}, [USER]),
        ({"system": "Be brief.", "conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": S}]}, 2),
        ({"instruction": Q, "input": "", "output": S}, [USER]),
        ({"Instruction": Q, "Output": S}, [USER]),
        ({"prompt": Q, "completion": S}, [USER]),
        ({"prompt": [BRIEF, USER], "completion": [TOLD]}, [BRIEF, USER]),
        ({"Question": Q, "Answer": S}, [USER]),
        ({"prompt": Q, "chosen": S, "rejected": "6"}, [USER]),
        ({"prompt": Q, "chosen": [USER, TOLD], "rejected": [USER]}, [USER]),
        ({"chosen": [BRIEF, USER, TOLD], "rejected": [USER]}, [BRIEF, USER]),
        ({"query": Q, "response": S}, [USER]),
        ({"problem": Q, "generated_solution": S, "expected_answer": "5"}, [USER]),
        ({"prompt": "x", "prompt_id": "1", "messages": [USER, TOLD]}, [USER]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": Q}]}, TOLD]}, [USER]),
    ],
)
def test_a_set_of_any_usual_shape_is_a_problem_with_a_completion_and_the_answer_it_marks(jsonl, row, asked):
    (example,) = solved(jsonl, row)
    assert list(example.messages) == ([BRIEF, USER] if asked == 2 else asked)
    assert (example.completion, "5" in example.answer) == (S, True)


def test_what_an_instruction_is_about_stands_under_it(jsonl):
    (example,) = solved(jsonl, {"instruction": "Add up.", "input": "2, 3", "output": "5"})
    assert (example.problem, example.completion, example.answer) == ("Add up.\n2, 3", "5", "")


def test_a_published_set_with_columns_of_its_own_beside_its_chat_is_read_by_those(jsonl):
    (example,) = solved(jsonl, {"problem": Q, "solution": "So.", "answer": "5", "messages": [USER, TOLD]})
    assert (example.completion, example.answer) == ("So.", "5")


def test_of_a_conversation_the_last_answer_is_the_completion_and_what_was_said_before_stays(jsonl):
    again = {"role": "user", "content": "Sure?"}
    (example,) = solved(jsonl, {"messages": [USER, TOLD, again, {"role": "assistant", "content": "Yes."}, again]})
    assert (example.messages, example.completion) == ((USER, TOLD, again), "Yes.")


def test_tool_turns_keep_what_the_chat_template_reads_of_them(jsonl):
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    turns = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "name": "add", "content": "5"},
        TOLD,
    ]
    (example,) = solved(jsonl, {"messages": turns})
    assert [turn["role"] for turn in example.messages] == ["user", "assistant", "tool"]
    assert example.messages[1]["tool_calls"][0]["function"]["arguments"] == {"a": 2}
    assert example.messages[2] == {"role": "tool", "content": "5", "name": "add"}
    observed = [{"from": "human", "value": Q}, {"from": "function_call", "value": "add(2, 3)"}]
    observed += [{"from": "observation", "value": "5"}, {"from": "gpt", "value": S}]
    (example,) = solved(jsonl, {"conversations": observed})
    assert [turn["role"] for turn in example.messages] == ["user", "assistant", "tool"]


def test_a_column_of_tools_is_read_as_a_list_or_its_text_and_anything_else_is_none(jsonl):
    add = {"name": "add", "parameters": {"type": "object"}}
    whole = {"type": "function", "function": add}
    for given, read in (
        ([whole], (whole,)),
        ([add], (whole,)),
        (json.dumps([add]), (whole,)),
        ("a hammer", ()),
        ("", ()),
        (["add"], ()),
        ({"add": 1}, ()),
        (None, ()),
    ):
        (example,) = solved(jsonl, {"messages": [USER, TOLD], "Tools": given})
        assert example.tools == read
    (example,) = solved(jsonl, {"messages": [USER, TOLD]})
    assert example.tools == ()


def test_a_column_may_be_a_turn_of_a_chat(jsonl):
    row = {"messages": [USER, TOLD], "gold": "5"}
    (example,) = Problems(file=jsonl(row), problem_column="messages.0.content", answer_column="gold").load()
    assert (example.problem, example.answer) == (Q, "5")
    (example,) = solved(jsonl, row, problem_column="messages.0.content", completion_column="messages.-1.content")
    assert (example.problem, example.completion) == (Q, S)
    assert value_at({"a": [1]}, "a.1") is value_at({"a": [1]}, "a.x") is value_at({"a": 1}, "a.0") is None


def test_problems_take_the_answer_that_a_completion_marks_and_leave_out_those_without(jsonl, capsys):
    other = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]}
    (example,) = Problems(file=jsonl({"messages": [USER, TOLD]}, other)).load()
    assert (example.problem, example.answer, example.completion) == (Q, S, None)
    assert capsys.readouterr().err == "rows.jsonl: left out 1 without an answer (id 1)\n"
    with pytest.raises(DataError, match="no column known to hold the answer"):
        Problems(file=jsonl(other)).load()


def test_solutions_need_no_answer_and_bare_answers_are_said_in_one_line(jsonl, capsys):
    (example,) = solved(jsonl, {"problem": "Why?", "solution": "Because."})
    assert (example.answer, capsys.readouterr().err) == ("", "")
    (example,) = solved(jsonl, {"problem": Q, "answer": "5"})
    assert example.completion == "5"
    said = capsys.readouterr().err
    assert (
        said.startswith("rows.jsonl: it has no worked solutions, so this trains on bare answers")
        and "\n" not in said[:-1]
    )
    solved(jsonl, {"question": Q, "answer": "2 + 3 = 5\n#### 5"})
    assert capsys.readouterr().err == ""


def test_rows_that_lack_something_are_left_out_and_counted_in_one_line_and_strict_data_refuse_them(jsonl, capsys):
    rows = [{"problem": Q, "solution": text} for text in (S, "", None)] + [{"problem": None, "solution": S}]
    assert len(solved(jsonl, *rows)) == 1
    assert capsys.readouterr().err == (
        "rows.jsonl: left out 2 without a completion (id 1, 2), 1 without a problem (id 3)\n"
    )
    with pytest.raises(DataError, match=r"row 2 has no usable completion in column 'solution'; give it one\.$"):
        solved(jsonl, *rows, strict=True)
    asked = [{"problem": Q, "answer": answer} for answer in ("5", None, "")]
    assert len(Problems(file=jsonl(*asked)).load()) == 1
    assert "left out 2 without an answer (id 1, 2)" in capsys.readouterr().err
    with pytest.raises(DataError, match="row 2 has no usable answer"):
        Problems(file=jsonl(*asked), strict=True).load()
    with pytest.raises(DataError, match="row 1 has no usable completion"):
        solved(jsonl, rows[1])


def test_a_place_in_a_file_is_a_row_also_where_others_are_left_out(jsonl):
    from tinyreason.data.one_shot import OneShot

    file = jsonl({"problem": None, "answer": "1"}, {"problem": "a", "answer": None}, {"problem": "b", "answer": "2"})
    assert OneShot(file=file, index=2).load()[0].problem == "b"
    for index, words in ((0, "is empty; choose another"), (1, "has no answer"), (3, "has 3 problems, 0 to 2")):
        with pytest.raises(DataError, match=words):
            OneShot(file=file, index=index).load()


def test_every_turn_is_trained_on_where_that_is_asked_for(jsonl):
    row = {"messages": [USER, TOLD, USER, TOLD]}
    assert solved(jsonl, row)[0].meta == {}
    assert solved(jsonl, row, turns="all")[0].meta == {"trains_every_turn": True}
