"""`tinyreason preview` shows what will be trained on, as the model will see it."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.console import Console


def chat(number):
    turns = [("user", f"{number}+1?"), ("assistant", str(number + 1)), ("user", "Sure?"), ("assistant", "\\boxed{Yes}")]
    return {"id": f"r{number}", "messages": [{"role": role, "content": content} for role, content in turns]}


def preview(*words):
    done = CliRunner().invoke(main, ["preview", words[0], "--on", "sandbox", *map(str, words[1:])])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_three_rows_are_shown_with_what_is_trained_on_between_brackets(jsonl):
    file = jsonl(*(chat(number) for number in range(20)))
    out = preview("reasoning_sft", f"data.file={file}", "prompt=plain")
    assert "16 rows to train on" in out and "4 problems held back from it" in out
    assert out.count("<|assistant|>[[\\boxed{Yes}<|end|>]]") == out.count("of 16 (id r") == 3
    assert "end     <|end|> (token 1) is the last token of a completion" in out
    every = preview("reasoning_sft", f"data.file={file}", "data.turns=all")
    assert every.count("[[") == 6


def test_lengths_repeats_and_overlap_are_counted(jsonl):
    rows = [
        {"problem": f"What is {n} plus {n} and then {n} more?", "solution": f"\\boxed{{{3 * n}}}"} for n in range(9)
    ]
    long = {"problem": "Long?", "solution": "1" * 600}
    file = jsonl(*rows, rows[0], rows[1], long, name="train.jsonl")
    test = jsonl({"problem": rows[0]["problem"], "answer": "0"}, {"problem": "New?", "answer": "1"}, name="test.jsonl")
    found = json.loads(preview("reasoning_sft", f"data.file={file}", f"evaluation.data.file={test}", "--json"))
    assert (found["rows"], found["duplicates"], found["over_limit"], found["limit"]) == (12, 2, 1, 512)
    assert found["median_tokens"] < 60 < 600 < found["longest_tokens"]
    assert (found["test"], found["overlap"]["identical"], found["end"]) == (2, 1, {"id": 1, "text": "<|end|>"})
    (first, second) = found["shown"][0]["pieces"]
    assert (first["trained"], second) == (False, {"text": "\\boxed{0}<|end|>", "trained": True})
    assert found["shown"][0]["trained_tokens"] < found["shown"][0]["tokens"]


def test_prompts_of_grpo_are_shown_up_to_where_the_completion_begins():
    out = preview("rlvr", "data.size=5")
    assert "5 prompts to train on" in out and "[[" not in out
    assert "longer than 1920 (the model's context of 2,048 tokens less train.max_completion_tokens=128)" in out
    assert "they begin where each prompt ends" in out and "256 problems of the sandbox" in out


def test_a_set_that_cannot_be_its_own_test_is_shown_all_the_same(jsonl):
    file = jsonl({"problem": "Why?", "solution": "Because."})
    out = preview("reasoning_sft", f"data.file={file}")
    assert "[[Because.<|end|>]]" in out and "test    not known here: rows.jsonl has no column with answers" in out


def test_no_torch_is_imported(jsonl):
    words = ["preview", "reasoning_sft", "--on", "sandbox", "data.size=3"]
    code = f"import sys; from tinyreason.cli.main import main; main({words!r}, standalone_mode=False)"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_marks_are_reversed_on_a_terminal_and_brackets_elsewhere(is_terminal):
    import io

    from rich.console import Console as RichConsole

    console = Console(RichConsole(file=io.StringIO(), force_terminal=is_terminal, width=80))
    console.marked([("asked ", False), ("told\x1b", True)])
    said = console.rich.file.getvalue()
    assert ("\x1b[7mtold�" in said, "[[told�]]" in said) == (is_terminal, not is_terminal)
