"""What is too long for the model is left out and said before anything long begins."""

import pytest
from sessions import context_of, said

from tinyreason.config.recipe import read_recipe
from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.models.training_rows import context_for
from tinyreason.pipeline.fitting import fitting
from tinyreason.pipeline.problems import RunProblems

SHORT, LONG = "1+1?", "1+" * 1000 + "1?"


def problem(text, id, completion=None):
    return Example(id, ({"role": "user", "content": text},), "2", completion)


@pytest.fixture
def fit(sandbox, jsonl):
    """A function: recipe, problems by what they are for → (those that are left, what was said)."""
    file = jsonl({"problem": SHORT, "answer": "2"})

    def build(recipe, training, evaluation, *overrides):
        config = read_recipe(recipe).resolve("sandbox", (f"data.file={file}", "prompt=plain", *overrides))
        context = context_of(config)
        problems = RunProblems(training, evaluation, [], len(evaluation))
        return fitting(config, problems, sandbox[1], 2048, context.console), said(context)

    return build


def test_prompts_that_leave_no_room_for_a_completion_are_left_out_of_training_and_said(fit):
    three = [problem(SHORT, "a"), problem(LONG, "b"), problem(SHORT + " 2?", "c")]
    found, said = fit("rlvr", three, three[:1])
    assert [example.id for example in found.training] == ["a", "c"]
    assert said.startswith("lengths 1 of 3 prompts of the training are left out: longer than the model's context of")
    assert "of 2,048 tokens less train.max_completion_tokens=128, the longest has 2,0" in said


def test_an_evaluation_asks_what_the_model_can_read(fit):
    two = [problem(SHORT, "a"), problem(LONG * 2, "b")]
    found, said = fit("rlvr", two[:1], two)
    assert [example.id for example in found.evaluation] == ["a"]
    assert "lengths 1 of 2 prompts of the evaluation are left out" in said


def test_nothing_left_is_one_sentence_with_what_to_type(fit):
    with pytest.raises(DataError, match=r"all 1 prompts of the training are longer than .* lower train.max_completion"):
        fit("rlvr", [problem(SHORT, "a")], [], "train.max_completion_tokens=2046")
    with pytest.raises(DataError, match=r"all 1 prompts of the training .*; take a model that reads more"):
        fit("rlvr", [problem(LONG * 2, "a")], [])


@pytest.mark.parametrize(
    ("most", "limit"), [(512, "512 tokens (train.max_tokens)"), (9999, "2048 tokens (the model's")]
)
def test_rows_to_imitate_are_counted_before_the_baseline_is_measured(fit, most, limit):
    rows = [problem(SHORT, "a", "2"), problem(LONG, "b", "2" * 100)]
    _, said = fit("reasoning_sft", rows, [], f"train.max_tokens={most}")
    assert f"lengths 1 longer than {limit}" in said and "left out of the 2 rows to train on" in said


def test_turns_that_a_chat_template_refuses_are_one_sentence(fit, sandbox):
    sandbox[1].chat_template = "{{ raise_exception('Conversation roles must alternate') }}"
    with pytest.raises(DataError, match=r"chat template of model.name=sandbox refuses problem a, .* must alternate"):
        fit("rlvr", [problem(SHORT, "a")], [])


def test_a_dry_run_whose_data_are_of_another_model_keeps_to_no_context(sandbox):
    model = sandbox[0].config
    recipe = read_recipe("reasoning_sft")
    assert context_for(recipe.resolve("sandbox"), model) == 2048
    assert context_for(recipe.resolve("t4", ("model.name=sandbox",)), model) is None
