"""Problems without an answer: trained on where nothing that trains reads one, and refused in a sentence elsewhere."""

import json
from itertools import islice

import pytest
from commands import complaint, printed
from sessions import context_of, said

from tinyreason.cli.train_output import announce
from tinyreason.config.recipe import read_recipe
from tinyreason.config.training_split import training_examples
from tinyreason.data.problems import Problems
from tinyreason.errors import DataError
from tinyreason.grading.grader import Grader
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.run import run
from tinyreason.reporting.live import newest_rollouts
from tinyreason.reporting.run_warnings import run_warnings
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.reader import read_run

PROBLEMS = [{"problem": one.problem} for one in islice(Problems(name="sandbox").examples(), 12)]
QUICK = ("train.max_steps=3", "train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=48")
FEW = ("evaluation.problems=4", "evaluation.samples=1", "validation.problems=4", "validation.every_steps=3")
PHRASES = "rewards=[{kind: rpr_phrases, incorrect_only: true}]"
READERS = [
    ("rlvr", "rewards=[{kind: correctness}]", "reward correctness", "'rewards=[{kind: empo_cluster}]'"),
    ("empo", PHRASES, "reward rpr_phrases", "'rewards=[{kind: empo_cluster}]'"),
    ("empo", "advantage.kind=maxrl", "advantage maxrl", "advantage.kind=dr_grpo"),
    ("empo", "samplers=[{kind: mopps}]", "sampler mopps", "'samplers=[]'"),
]
"""Recipe, override, what of it reads gold answers, what to type in its place."""


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    """A file of problems alone."""
    file = tmp_path_factory.mktemp("data") / "unlabelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return file


@pytest.fixture(scope="module")
def trained(unlabelled, tmp_path_factory):
    """Three steps of EMPO on it, evaluated on generated problems: (folder, what was said, result)."""
    words = (f"data.file={unlabelled}", "evaluation.data.name=sandbox", *QUICK, *FEW)
    rewards = "rewards=[{kind: empo_cluster}, {kind: soft_overlong}]"
    config = read_recipe("empo").resolve("sandbox", (*words, rewards))
    folder, context = tmp_path_factory.mktemp("runs") / "run", context_of(config)
    announce(context, config, folder)
    return folder, context, run(config, folder, context)


def test_a_run_on_problems_alone_is_evaluated_and_validated_on_those_of_the_evaluation(trained):
    _, context, result = trained
    assert "problems 4 in the evaluation, 4 in the validation; none of them is trained on" in said(context)
    assert (result.after.problems, result.training.validation_problems) == (4, 4)


def test_its_rollouts_are_ungraded_and_rewarded_and_differ_in_their_advantages(trained):
    rows = [json.loads(line) for line in (trained[0] / "rollouts.jsonl").open()]
    assert len(rows) == 24 and {row["correct"] for row in rows} == {None}
    assert all(value is not None for row in rows for value in row["rewards"].values())
    assert any(row["reward"] for row in rows) and len({row["advantage"] for row in rows}) > 2
    assert {row["prompt"] for row in rows} <= {row["problem"] for row in PROBLEMS}


def test_its_pages_do_not_call_ungraded_rollouts_incorrect(trained):
    stored = read_run(trained[0])
    assert not any("graded" in warning.title or "correct" in warning.title for warning in run_warnings(stored))
    shown = newest_rollouts(stored)["groups"]
    assert {row["correct"] for group in shown for row in group["rollouts"]} == {None}
    assert {group.outcome for group in stored.groups} <= {"mixed", "all alike"}
    assert "correctOf" in (trained[0] / "report.html").read_text()


@pytest.mark.parametrize(("recipe", "override", "reader", "typed"), READERS)
def test_where_something_reads_answers_it_is_named_with_what_to_type(unlabelled, recipe, override, reader, typed):
    words = (override, f"data.file={unlabelled}", "evaluation.data.name=sandbox", "--on", "sandbox")
    answer = complaint("check", recipe, *words)
    assert "unlabelled.jsonl has no column known to hold the answer; it has problem" in answer
    assert f"; {reader} must know what is correct: to train without answers type {typed}." in answer


def test_check_says_that_there_are_no_answers_and_that_nothing_reads_one(unlabelled):
    out = printed("check", "empo", f"data.file={unlabelled}", "evaluation.data.name=sandbox", "--on", "sandbox")
    assert "unlabelled.jsonl, 12 problems; problem in column 'problem'\n" in out
    assert "no gold answers, and nothing that trains reads one" in out


@pytest.mark.parametrize("size", ["data.size=null", "data.size=4"])
def test_without_a_test_set_it_says_that_one_must_be_named(unlabelled, size):
    answer = complaint("check", "empo", f"data.file={unlabelled}", size, "--on", "sandbox")
    assert (
        "unlabelled.jsonl has no column with answers" in answer and "name a test set: evaluation.data.file=" in answer
    )


def test_a_test_set_without_answers_is_refused(unlabelled):
    words = (f"data.file={unlabelled}", f"evaluation.data.file={unlabelled}", "--on", "sandbox")
    assert "has no column known to hold the answer" in complaint("check", "empo", *words)


def parts_of(tmp_path, *words):
    config = read_recipe("empo").resolve("sandbox", (*QUICK, *FEW, *words))
    with RunFolder(tmp_path / "run") as folder, Grader() as grader:
        return read_problems(config, folder, grader, context_of(config).console)


def test_a_test_file_is_shared_by_evaluation_and_validation(unlabelled, jsonl, tmp_path):
    test = jsonl(*({"problem": f"What is {n} and {n + 1}?", "answer": str(2 * n + 1)} for n in range(9)))
    parts = parts_of(tmp_path, f"data.file={unlabelled}", f"evaluation.data.file={test}")
    assert (len(parts.training), len(parts.evaluation), len(parts.validation)) == (12, 4, 4)
    assert not {one.problem for one in parts.evaluation} & {one.problem for one in parts.validation}


def test_of_a_set_with_some_answers_all_is_trained_on_but_what_is_held_back(jsonl, tmp_path):
    rows = [row | ({"answer": "7"} if n % 2 else {}) for n, row in enumerate(PROBLEMS * 4)]
    rows = [row | {"problem": f"{n}. {row['problem']}"} for n, row in enumerate(rows)]
    parts = parts_of(tmp_path, f"data.file={jsonl(*rows)}", "evaluation.problems=4", "validation.problems=2")
    assert (len(parts.evaluation), len(parts.validation), len(parts.training)) == (4, 2, 42)
    assert all(one.answer for one in (*parts.evaluation, *parts.validation))
    assert sum(not one.answer for one in parts.training) == 24


def test_code_of_ones_own_says_itself_that_it_reads_no_answer(unlabelled, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "def reward(completions, answers, **meta):\n    return [float(len(text)) for text in completions]\n"
    )
    words = (f"data.file={unlabelled}", "evaluation.data.name=sandbox")
    for given, is_fine in (("", False), (", needs_answers: false", True)):
        own = f"rewards=[{{kind: {file}:reward{given}}}]"
        config = read_recipe("empo").resolve("sandbox", (*words, own))
        if is_fine:
            assert len(training_examples(config)) == 12
        else:
            with pytest.raises(DataError, match=r"reward own\.py:reward must know what is correct"):
                training_examples(config)


def test_one_shot_takes_a_problem_without_an_answer(unlabelled):
    words = (f"data.file={unlabelled}", "data.kind=one_shot", "data.index=3", "evaluation.data.name=sandbox")
    (one,) = training_examples(read_recipe("empo").resolve("sandbox", words))
    assert one.problem == PROBLEMS[3]["problem"] and not one.answer
