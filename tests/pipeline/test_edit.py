"""`tinyreason edit` as a person types it, on the sandbox: the folder it leaves is an adapter like any other."""

import json

import pytest
from commands import complaint, printed

from tinyreason.pipeline.edit import read_written

LONG, SHORT = "<think>\n33+18=51\n51-19=32\n</think>\n\\boxed{32}", "\\boxed{20}"
LENGTHS = ("longer_than=10", "shorter_than=8")


@pytest.fixture
def evaluation(tmp_path):
    """A folder like that of an evaluation, with a long correct and a short incorrect completion to each problem."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    rows = [
        {"side": "model", "bench": "chain", "id": str(problem), "sample": sample}
        | {"text": text, "tokens": 9, "truncated": False, "correct": text is LONG, "extracted": None}
        for problem in range(3)
        for sample, text in enumerate((LONG, SHORT))
    ]
    rows.append(rows[0] | {"sample": 2, "truncated": True})
    rows.append(rows[0] | {"side": "against"})
    problems = [{"bench": "chain", "id": str(n), "problem": f"Dan has {n + 30} stones."} for n in range(3)]
    for name, lines in {"samples": rows, "problems": problems}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_model_is_edited_by_its_completions_and_that_edit_by_another(evaluation, tmp_path):
    out = tmp_path / "edited"
    said = printed("edit", "sandbox", *LENGTHS, "--from", evaluation, "--out", out)
    assert "3 with 20 to 20 tokens, of 6 in" in said and "against 3 with" in said
    assert "1 of 16 edited" in said and "a LoRA of rank 1" in said
    assert f"tinyreason eval {out} --against sandbox --bench chain" in said
    facts = json.loads((out / "edit.json").read_text())
    assert (facts["edit"]["kind"], facts["of"], facts["traces"]) == ("thinkedit", "sandbox", [3, 3])

    again = tmp_path / "again"
    vector = ("--with", "control_vector", "strength=0.1")
    assert "a LoRA of rank 1" in printed("edit", out, *vector, "--from", evaluation, "--out", again)
    assert json.loads((again / "adapter_config.json").read_text())["lora_bias"] is True
    small = ("--bench", "chain", "--problems", "2", "--samples", "1", "--no-template-check")
    told = printed("eval", again, "--against", "base", *small, "--out", tmp_path / "asked")
    assert "again against sandbox" in told and "prompt plain" in told
    assert "edit joins plain LoRA adapters, and this one is LoRA with biases" in complaint("edit", again)
    assert "gguf has no place for the biases" in complaint("export", again, "gguf", "--to", tmp_path / "gguf")


def test_of_a_runs_rollouts_those_count_that_its_policy_wrote_to_an_end(jsonl):
    row = {"problem_id": "0", "prompt": "1+1?", "completion": SHORT, "truncated": False, "correct": False}
    others = (row | {"truncated": True}, row | {"source": "solution"}, row | {"source": "policy", "correct": None})
    file = jsonl(row, *others, name="rollouts.jsonl")
    assert [one.correct for one in read_written(file.parent)] == [False, None]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("sandbox",), "sandbox has no rollouts; give --from"),
        (("sandbox", "--with", "thinkedi"), "there is no edit 'thinkedi'; did you mean 'thinkedit'?"),
        (("sandbox", "head=0.1"), "thinkedit has no option 'head'; did you mean 'heads'?"),
        (("sandbox", "heads=2"), "thinkedit: heads=2: Input should be less than or equal to 1"),
        (("sandbox", "--from", "tests"), "tests has no completions"),
        (("sandbox", "--from", "tests", "--bench", "chain"), "give --from or --bench and --data"),
        (("sandbox", "--from", "tests", "--out", "tests"), "tests is there already; choose another --out"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(words, what):
    assert what in complaint("edit", *words)


def test_lengths_that_no_completion_has_are_refused_and_nothing_is_written(evaluation, tmp_path):
    out = tmp_path / "edited"
    assert "longer_than=19 shorter_than=" in complaint("edit", "sandbox", "--from", evaluation, "--out", out)
    assert not out.exists()
