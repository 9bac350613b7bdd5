"""`tinyreason check`: what it looks at, what it says that it could not, and what it refuses before anything is run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import complaint, printed

from tinyreason.planning import inspection
from tinyreason.sandbox import BASE

PROBLEMS = [{"question": f"{number}+1?", "answer": str(number + 1)} for number in range(8)]
FORMULA = {"question": "Solve it.", "answer": "\\frac{\\sqrt{2}+x}{3}"}


@pytest.fixture
def model(tmp_path):
    """A model's folder, whose files a test may change."""
    folder = tmp_path / "model"
    shutil.copytree(BASE, folder)
    return folder


def lines(*words):
    """What is said of each thing: (name, text), without the spaces between."""
    return [tuple(line.split(maxsplit=1)) for line in printed("check", *words).splitlines()[1:]]


def test_it_says_what_it_looked_at_in_the_data_the_model_and_the_rewards(jsonl):
    found = lines("rlvr", f"data.file={jsonl(*PROBLEMS)}", "data.size=4")
    assert ("data", "rows.jsonl, 4 problems; problem in column 'question', answer in 'answer'") in found
    assert ("data", "4 of 4 gold answers can be graded") in found
    assert ("model", "sandbox, qwen3; its files are there, and its chat template  [sandbox]") in found
    assert ("rewards", "correctness + format, compared by dr_grpo  [sandbox]") in found


@pytest.mark.parametrize("sampler", ["greso_skip", "mopps", "no_resample"])
def test_a_sampler_that_will_learn_little_of_so_few_visits_is_a_caveat(jsonl, sampler):
    words = (f"samplers=[{{kind: {sampler}}}]", f"data.file={jsonl(*PROBLEMS)}", "data.size=4", "--on", "sandbox")
    steps = ("train.rollouts_per_step=16", "train.group_size=16")
    few = f"sampler {sampler} learns from 4 visits to a problem or more, and 15 steps come to each of 4 problems 3.8"
    found = dict(lines("rlvr", *words, *steps, "train.max_steps=15"))
    assert found.get("caveat", "").startswith(few) == (sampler != "no_resample")
    assert "caveat" not in dict(lines("rlvr", *words, *steps, "train.max_steps=16"))


def test_it_says_what_is_sampled_and_what_is_trained_on():
    assert ("samplers", "pods; 64 rollouts a step, 32 trained on  [sandbox, 24gb]") in lines("pods")


def test_it_says_what_is_trained_before():
    assert ("stages", "period × 2, then the run's own training") in lines("prorl")


def test_it_says_who_teaches_and_looks_at_the_teachers_files(model):
    assert ("teacher", "what the last stage leaves") in lines("distill", "--on", "sandbox")
    own = "teacher_model={name: self, demonstration: true}"
    shown = "the student itself, as it is before training, shown each row's completion or gold answer"
    assert ("teacher", shown) in lines("distill", "--on", "sandbox", own)
    assert ("teacher", f"{model}") in lines("distill", "--on", "sandbox", f"teacher_model={{name: {model}}}")
    (model / "model.safetensors").unlink()
    said = complaint("check", "distill", "--on", "sandbox", f"teacher_model={{name: {model}}}")
    assert f"teacher_model.name={model} has no weights" in said


@pytest.mark.parametrize("recipe", ["rlvr", "critique_ft"])
def test_a_file_of_which_a_run_holds_a_share_back_is_valid(jsonl, recipe):
    found = lines(recipe, f"data.file={jsonl(*PROBLEMS)}", "--on", "sandbox")
    assert ("data", "rows.jsonl, 8 problems; problem in column 'question', answer in 'answer'") in found


def test_it_says_what_it_could_not_look_at(jsonl):
    file = jsonl(*PROBLEMS, FORMULA, name="formulas.jsonl")
    found = lines("one_shot_rlvr", f"data.file={file}", "data.index=8")
    assert ("data", "0 of 1 gold answers can be graded") in found
    assert ("data", "not looked at: 1 gold answers that are formulas, which a run has graded first") in found
    hub = "not looked at: Qwen/Qwen2.5-Math-1.5B, a model of the hub, and its chat template  [8gb, t4, 24gb, 80gb]"
    assert ("model", hub) in found


def test_of_many_gold_answers_it_looks_at_the_first(jsonl, monkeypatch):
    monkeypatch.setattr(inspection, "FIRST_ROWS", 2)
    found = lines("rlvr", f"data.file={jsonl(*PROBLEMS)}", "data.size=4")
    assert ("data", "2 of the first 2 gold answers can be graded") in found


def test_of_a_large_file_it_reads_the_first_rows(jsonl, monkeypatch):
    monkeypatch.setattr(inspection, "WHOLE_BYTES", 100)
    monkeypatch.setattr(inspection, "FIRST_ROWS", 5)
    file = jsonl(*PROBLEMS)
    with file.open("a") as opened:
        opened.write("{")
    found = lines("rlvr", f"data.file={file}")
    assert found[0] == ("data", "the first 5 rows of rows.jsonl; problem in column 'question', answer in 'answer'")


def test_a_file_of_critiques_is_looked_at_too(jsonl):
    file = jsonl({"prompt": "Is 3 correct?", "completion": "No."})
    assert ("data", "rows.jsonl, 1 critiques") in lines("critique_ft", f"data.file={file}")


@pytest.mark.parametrize(
    ("rows", "words", "answer"),
    [
        ([{"a": 1}], "", "has no column known to hold the problem; it has a"),
        (PROBLEMS, "data.answer_column=anwser", "did you mean 'answer'?"),
        (PROBLEMS, "data.size=9", "has 8 problems with an answer, not 9"),
        (PROBLEMS, "data.size=8", "leaves no problem for the test"),
        (PROBLEMS[:1], "", "has 1 different problems with an answer, too few to hold any back"),
        (PROBLEMS, "data.kind=one_shot data.index=8", "has 8 problems, 0 to 7"),
        ([{"question": "1+1?", "answer": "x" * 9999}] * 8, "data.size=4", "the gold answer of problem 0 cannot be"),
        (PROBLEMS, "data.size=4 evaluation.data.file=none.jsonl", "there is no file none.jsonl"),
        (PROBLEMS, "data.size=4 adapter.start=none", "adapter.start=none is not an adapter folder"),
        (PROBLEMS, "data.size=4 model.name=a/b/c", "model.name=a/b/c is neither"),
    ],
)
def test_what_a_run_would_end_in_is_one_sentence(jsonl, rows, words, answer):
    assert answer in complaint("check", "rlvr", f"data.file={jsonl(*rows)}", *words.split())


@pytest.mark.parametrize(
    ("missing", "answer"),
    [
        ("chat_template.jinja", "has no chat template; choose an instruct model"),
        ("config.json", "has no config.json"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_a_models_folder_that_lacks_something_is_one_sentence(model, missing, answer):
    (model / missing).unlink()
    assert answer in complaint("check", "rlvr", f"model.name={model}")


def test_a_template_may_stand_in_the_tokenizers_config_and_is_asked_for_its_options(model):
    template = (model / "chat_template.jinja").read_text()
    (model / "chat_template.jinja").unlink()
    config = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    assert "its chat template" in printed("check", "rlvr", f"model.name={model}")
    wrong = "template_options.enable_thinking=false"
    assert "enable_thinking is not an option of this model" in complaint("check", "rlvr", f"model.name={model}", wrong)


def test_what_is_wrong_on_each_tier_is_said_once(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("extends: rlvr\ntiers: {sandbox: {train: {kll: 1}}, t4: {trian: {}}}\n")
    said = complaint("check", own)
    assert "On sandbox: there is no option 'train.kll'" in said and "On 8gb, t4: there is no option 'trian'" in said


def test_one_tier_alone_is_checked_where_another_cannot_be():
    model = "model.name=Qwen/Qwen2.5-0.5B-Instruct"
    assert "the sandbox tier never uses the network" in complaint("check", "rlvr", model)
    assert printed("check", "rlvr", model, "--on", "t4").splitlines()[0] == "rlvr: valid on t4"
    assert "did you mean 't4'" in complaint("check", "rlvr", "--on", "t4x")


def test_it_loads_nothing_heavy_and_starts_no_process(jsonl):
    file = jsonl(*PROBLEMS, FORMULA)
    code = f"""
import multiprocessing, subprocess, sys
subprocess.Popen = multiprocessing.Process.start = None
from tinyreason.cli.main import main
main(["check", "rlvr", "data.file={file.as_posix()}", "data.size=4"], standalone_mode=False)
print(*sorted(sys.modules.keys() & {{"torch", "transformers", "trl", "datasets", "pyarrow"}}), "end")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.splitlines()[-1] == "end"
