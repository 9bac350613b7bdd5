"""Budget forcing from the rollouts to the gradient and the evaluation, with the adapter that learns from it."""

from dataclasses import replace

import pytest
import torch
from sessions import session_of

from tinyreason.adapters import learnt_row
from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, ModelError
from tinyreason.evaluation.benchmark_run import settle
from tinyreason.evaluation.score import Evaluator
from tinyreason.exporting.request import read_export
from tinyreason.inference.chat import Talker
from tinyreason.inference.local_sampling import load_with_adapter
from tinyreason.inference.model_reference import read_model_reference
from tinyreason.inference.sampling import sample_completions
from tinyreason.pipeline.edit import check_editable
from tinyreason.pipeline.run import check_adapter
from tinyreason.sandbox import BASE
from tinyreason.trainers.grpo import LeafGRPOTrainer

FORCED = "rollouts={kind: budget_forcing, budget: 36}"
WARMUP = """warmup={data: {kind: solutions, name: sandbox, size: 8}, train: {max_steps: 1, batch_size: 2,
micro_batch_size: 2, max_tokens: 200, max_completion_tokens: 100, learning_rate: 1.0e-3, schedule: constant}}"""
TOKEN = ("adapter.kind=new_token", FORCED)
SMALL = (
    *("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=96"),
    *("data.size=4", "train.kl=0.1", "train.loss=dr_grpo", "rewards=[{kind: random}]"),
)


@pytest.fixture(scope="module")
def thinking(tmp_path_factory):
    """The override by which the sandbox's model always thinks: its template opens the thought."""
    file = tmp_path_factory.mktemp("template") / "thinking.jinja"
    template = (BASE / "chat_template.jinja").read_text()
    file.write_text(template.replace("{{ '<|assistant|>' }}", "{{ '<|assistant|><think>\n' }}"))
    return f"model.chat_template={file}"


def resolved(*overrides):
    return read_recipe("rlvr").resolve("sandbox", overrides)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, thinking):
    """(config, trainer, run folder, inputs of the loss, weights before) after two steps; the adapter is saved there."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = resolved(*SMALL, *TOKEN, thinking)
    with session_of(config, folder) as session:
        trainer = LeafGRPOTrainer(session, config.data.load(), lambda step, metrics: {}, None)
        compute, masks = trainer.compute_loss, []

        def spy(model, inputs, *rest, **more):
            masks.append({name: inputs[name] for name in ("completion_ids", "completion_mask", "tool_mask")})
            return compute(model, inputs, *rest, **more)

        trainer.compute_loss = spy
        before = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
        trainer.run()
        config.adapter.save(session.model, folder / "adapter")
        (folder / "config.yaml").write_text(config.model_dump_json())
        yield config, trainer, folder, masks, before


def test_what_is_put_in_has_no_loss_and_all_else_has(trained):
    config, trainer, _, masks, _ = trained
    token, _ = learnt_row(trainer.session.model)
    close = trainer.session.tokenizer.get_vocab()["</think>"]
    for inputs in masks:
        there = inputs["completion_mask"].bool()
        is_put_in = (inputs["completion_ids"] == token) & there
        assert is_put_in.any() and torch.equal(inputs["tool_mask"].bool() & there, there & ~is_put_in)
        assert not (inputs["completion_ids"][:, : config.rollouts.budget] == close).any()
        assert (inputs["completion_ids"] == close).any()
    sources = [row["source"] for row in folder_rows(trainer)]
    assert set(sources) <= {"forced", "policy"} and "forced" in sources


def folder_rows(trainer):
    return trainer.session.folder.read_rows("rollouts.jsonl")


def test_its_row_alone_learns_by_the_tokens_behind_it_from_a_kl_of_zero(trained):
    _, trainer, _, _, before = trained
    metrics = trainer.session.folder.read_rows("metrics.jsonl")
    assert metrics[0]["rollouts/forced"] > 0 and metrics[0]["gradient/norm"] > 0
    assert metrics[0]["kl/mean"] == pytest.approx(0, abs=1e-6) and metrics[1]["kl/mean"] > 1e-6
    after = trainer.session.model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert [name.rpartition("embed_tokens.")[2] for name in changed] == ["lora_embedding_B.default"]


def test_its_evaluation_is_forced_as_its_rollouts_are_and_the_base_by_the_word(trained):
    config, trainer, *_ = trained
    session = trainer.session
    sampling = replace(Evaluator(config, session.context, session.tokenizer, session.grader).sampling(2), seed=1)
    assert sampling.thought_budget == ThoughtBudget(36, None, "Wait")
    examples = config.data.load()
    put = session.tokenizer.decode([learnt_row(session.model)[0]])

    def texts(model, **changes):
        return sample_completions(model, session.tokenizer, examples, replace(sampling, **changes), lambda count: None)[
            0
        ]

    forced, plain = texts(session.model), texts(session.model, thought_budget=None)
    assert forced != plain and all("Wait" not in text.partition("</think>")[0][-5:] for text in plain)
    with session.model.disable_adapter():
        by_word, base = texts(session.model), texts(session.model, thought_budget=None)
    assert base == plain  # an adapter whose token nobody puts in is its base
    assert by_word != forced and sum(text.count("Wait") for text in by_word) > sum(text.count("Wait") for text in base)
    assert put == ""  # a row behind the tokenizer's own has no text


def test_the_run_is_asked_as_it_was_trained_and_its_adapter_alone_wants_to_be_told(trained):
    _, _, folder, *_ = trained
    run, alone = (read_model_reference(str(path), is_finished=False) for path in (folder, folder / "adapter"))
    asked = {"samples": 1, "seed": 0}
    assert settle(run, asked).thought_budget == ThoughtBudget(36)
    assert settle(run, asked | {"thinking_budget": 20}).thought_budget == ThoughtBudget(20)
    assert settle(run, asked | {"thinking_budget": 0}).thought_budget is None
    with pytest.raises(ConfigError, match=r"is a token that budget forcing puts in; say with --thinking-budget"):
        settle(alone, asked)
    assert settle(alone, asked | {"thinking_budget": 20}).thought_budget == ThoughtBudget(20)
    base = read_model_reference("sandbox")
    assert settle(base, asked).thought_budget is None
    assert settle(base, asked | {"thinking_budget": 9}).thought_budget == ThoughtBudget(9)
    model, _ = load_with_adapter(run.model, run.adapter)
    assert torch.equal(learnt_row(model)[1], learnt_row(trained[1].session.model)[1])


def test_a_talk_is_forced_as_the_run_was_and_the_base_by_the_word(trained):
    config, _, folder, *_ = trained
    reference = read_model_reference(str(folder), is_finished=False)
    problem, told = list(config.data.load()[0].messages), {}
    for budget, is_base in ((None, False), (None, True), (0, True)):
        talker = Talker.load(reference, 0.0, None, thinking_budget=budget)
        told[budget, is_base] = heard = []
        talker.answer(problem, lambda text, is_reasoning, heard=heard: heard.append(text), is_base)
    forced, by_word, base = map("".join, told.values())
    assert len({forced, by_word, base}) == 3 and by_word.startswith(base.partition("</think>")[0] + "Wait")


@pytest.mark.parametrize("kind", ["merged", "gguf", "modelfile", "vllm"])
def test_no_export_takes_it_and_the_sentence_says_why(trained, kind, tmp_path):
    with pytest.raises(ModelError, match="a token that budget forcing puts in, which no other program does"):
        read_export(str(trained[2] / "adapter"), kind, tmp_path / "there")


def test_an_edit_cannot_be_joined_with_it(trained, tmp_path):
    reference = read_model_reference(str(trained[2] / "adapter"))
    with pytest.raises(ModelError, match="this one is of the embedding; edit its base"):
        check_editable(reference, tmp_path / "there")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("adapter.kind=new_token",), "learns only from rollouts that put its token in; type 'rollouts="),
        (
            (*TOKEN, "train.max_completion_tokens=36"),
            "36 tokens leaves no room .* train.max_completion_tokens",
        ),
        ((*TOKEN, "evaluation.max_completion_tokens=30"), "no room for an answer within evaluation.max_completion_tok"),
        ((*TOKEN, "inference.engine=trl"), "needs rollouts that our own engines sample"),
        ((*TOKEN, "trl.repetition_penalty=1.1"), "needs rollouts that our own engines sample"),
        ((*TOKEN, "rollouts.budget=0"), "greater than or equal to 1"),
        ((*TOKEN, "adapter.rank=4"), "adapter.*rank"),
        ((*TOKEN, "adapter.words=['']"), "adapter.*words"),
        ((*TOKEN, "adapter.targets=mlp"), "adapter.*targets"),
        ((*TOKEN, WARMUP), "leave warmup"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resolved(*overrides)


def test_a_model_that_does_not_think_is_refused_before_it_is_loaded(tmp_path):
    from tiny_models import tiny_model

    config = resolved(*TOKEN, f"model.name={tiny_model(tmp_path / 'm')}")
    with pytest.raises(ModelError, match=r"</think> is \d+ tokens"):
        check_adapter(config)


def test_another_adapter_learns_from_rollouts_with_the_word(tmp_path, thinking):
    config = resolved(*SMALL, FORCED, thinking, "train.max_steps=1")
    with session_of(config, tmp_path / "run") as session:
        trainer = LeafGRPOTrainer(session, config.data.load(), lambda step, metrics: {}, None)
        trainer.run()
    word = session.tokenizer("Wait", add_special_tokens=False)["input_ids"]
    forced = [one for one in trainer.scorer.rolled if one.source == "forced"]
    assert forced
    for one in forced:
        put_in = [token for token, is_trained in zip(one.tokens, one.trained, strict=True) if not is_trained]
        assert put_in == word * (len(put_in) // len(word))


def test_the_gain_is_said_to_be_over_the_word():
    (caveat,) = resolved(*TOKEN).rollouts.caveats(resolved(*TOKEN))
    assert "'Wait' is put in" in caveat and "--thinking-budget 0" in caveat
    assert not list(resolved(FORCED).rollouts.caveats(resolved(FORCED)))
