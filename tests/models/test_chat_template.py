"""The end of a turn and the options of a chat template reach rollouts, fine-tuning, evaluation and chat."""

import json
import math

import pytest
import torch
from click.testing import CliRunner
from sessions import context_of, said, session_of

from tinyreason import trainers
from tinyreason.cli.main import main
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import Kernels
from tinyreason.errors import ConfigError
from tinyreason.evaluation.benchmark_run import BenchmarkRun, describe_template, settle
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.inference.chat import Talker
from tinyreason.inference.model_reference import ModelReference, read_model_reference
from tinyreason.inference.sampling import Sampling, prompt_texts, sample_completions
from tinyreason.models.chat_template import last_token, opens_thought, render, turn_end, turn_end_caveat
from tinyreason.models.load import compute_settings_for, load_model
from tinyreason.models.training_rows import IGNORED, tokenised
from tinyreason.pipeline.run import run
from tinyreason.sandbox import BASE
from tinyreason.trainers.grpo import LeafGRPOTrainer

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking %}<think>\n{% endif %}{% endif %}"
)
"""That of Qwen2.5's base models, whose end of a turn is neither their tokenizer's nor their generation config's end."""
PROBLEM = Example("a", ({"role": "user", "content": "1+1?"},), "2", "\\boxed{2}")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a model whose every token is `<|im_end|>` in one of ten cases, else any of the others."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    folder = tmp_path_factory.mktemp("base") / "model"
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = TEMPLATE
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(vocab_size=len(tokenizer), **shape, **ends, tie_word_embeddings=False)
    model = AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        weight.data.fill_(float("embed_tokens" in name or "norm" in name))
    model.lm_head.weight.data[end] = math.log(len(tokenizer) / 9) / 32
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert end not in (tokenizer.eos_token_id, model.generation_config.eos_token_id)
    return folder


@pytest.fixture
def loaded(base):
    """(model, tokenizer) as a run loads them."""
    config = Model(name=str(base))
    return load_model(config, compute_settings_for(config, Kernels(), card=None))


def config_of(base, recipe, *overrides):
    quick = {
        "rlvr": ("train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=60", "data.size=4"),
        "reasoning_sft": (),
    }[recipe]
    return read_recipe(recipe).resolve("sandbox", (f"model.name={base}", "train.max_steps=1", *quick, *overrides))


def end_of(tokenizer):
    return tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_the_end_of_a_turn_is_what_the_template_puts_behind_an_answer(loaded, sandbox):
    _, tokenizer = loaded
    assert turn_end(tokenizer) == last_token(tokenizer) == end_of(tokenizer) != tokenizer.eos_token_id
    assert turn_end(sandbox[1]) == last_token(sandbox[1]) == sandbox[1].eos_token_id
    content = "{{ messages[-1]['content'] }}"
    for template in (content, f"{content}\n### User", "<|im_start|>{{ messages[-1]['text'] }}"):
        tokenizer.chat_template = template
        assert (turn_end(tokenizer), last_token(tokenizer)) == (None, tokenizer.eos_token_id)


def test_an_end_of_a_turn_that_is_not_the_tokenizers_is_said(loaded, sandbox):
    assert "ends a turn with <|im_end|>, and the tokenizer's end token is <|end|>" in turn_end_caveat(loaded[1])
    assert turn_end_caveat(sandbox[1]) is None


def test_an_evaluated_completion_stops_at_the_end_of_the_turn_and_is_not_truncated(loaded):
    model, tokenizer = loaded
    sampling = Sampling(8, 1.0, 60, 8, "plain", 0)
    texts, tokens, truncated = sample_completions(model, tokenizer, [PROBLEM], sampling, lambda _: None)
    assert not any(truncated) and max(tokens) < 60
    assert not any("<|im_end|>" in text for text in texts)


def test_rollouts_stop_at_the_end_of_the_turn_and_are_not_truncated(base, tmp_path, monkeypatch):
    from tinyreason.trainers.scorer import Scorer

    score, ids = Scorer.score, []

    def scored(self, completion_ids, **others):
        ids.extend(completion_ids)
        return score(self, completion_ids, **others)

    monkeypatch.setattr(Scorer, "score", scored)
    with session_of(config_of(base, "rlvr"), tmp_path / "run") as session:
        trainers.train(session, session.config.data.load(), lambda *_: {})
        end = end_of(session.tokenizer)
    rows = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open()]
    (metrics,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert len(ids) == 8 and all(end not in found[:-1] for found in ids)
    assert sum(found[-1] == end for found in ids) > 4
    assert [row["truncated"] for row in rows] == [len(found) == 60 and found[-1] != end for found in ids]
    assert metrics["length/share_truncated"] == sum(row["truncated"] for row in rows) / 8


def test_fine_tuning_teaches_the_end_of_the_turn(base, loaded):
    config = config_of(base, "reasoning_sft")
    ((row,), _) = tokenised(config, loaded[1], [PROBLEM])
    assert [label for label in row["labels"] if label != IGNORED][-1] == end_of(loaded[1])


def test_a_chat_stops_at_the_end_of_the_turn(base):
    told = []
    talker = Talker.load(read_model_reference(str(base)), 1.0, 60)
    torch.manual_seed(0)
    talker.answer([{"role": "user", "content": "1+1?"}], lambda text, _: told.append(text))
    assert "<|im_end|>" not in "".join(told)
    assert len(talker.tokenizer("".join(told))["input_ids"]) < 60


def test_the_options_of_the_template_reach_rollouts_fine_tuning_evaluation_and_chat(base, loaded, tmp_path):
    _, tokenizer = loaded
    option = "template_options.enable_thinking=true"
    config = config_of(base, "rlvr", option)
    assert config.prompt == "plain" and config.template_options == {"enable_thinking": True}
    plain, thinking = "<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n"

    ((row,), _) = tokenised(config_of(base, "reasoning_sft", option), tokenizer, [PROBLEM])
    assert f"{thinking}</think>\n\n\\boxed" in tokenizer.decode(row["input_ids"])
    assert opens_thought(tokenizer, config.template_options) and not opens_thought(tokenizer, {})

    with session_of(config, tmp_path / "run") as session:
        trainer = LeafGRPOTrainer(session, config.data.load(), lambda *_: {}, None)
        assert trainer.scorer.is_thought_open
        read = []
        monkey = trainer.sample_rows
        trainer.sample_rows = lambda prompts, sample: read.extend(prompts) or monkey(prompts, sample)
        trainer.run()
    assert {tokenizer.decode(ids)[-len(thinking) :] for ids in read} == {thinking}

    sampling = Evaluator(config, context_of(config), tokenizer, None).sampling(1)
    assert sampling.template_options == config.template_options
    assert prompt_texts(tokenizer, [PROBLEM], sampling)[0].endswith(thinking)
    for options, end in (({"enable_thinking": True}, thinking), (None, plain)):
        talker = Talker.load(read_model_reference(str(base)), 0.0, 1, options)
        assert render(talker.tokenizer, [list(PROBLEM.messages)], talker.template_options)[0].endswith(end)


def test_an_evaluation_is_asked_with_the_runs_options_of_the_template_and_tells_them(loaded, base):
    config = config_of(base, "rlvr", "template_options={enable_thinking: true}")
    reference = ModelReference("run", config.model, run=config)
    asked = settle(reference, {"samples": 1, "seed": 0})
    other = settle(reference, {"samples": 1, "seed": 0, "template_options": {"enable_thinking": False}})
    assert (asked.template_options, other.template_options) == ({"enable_thinking": True}, {"enable_thinking": False})
    runs = [BenchmarkRun({"model": reference}, {"own": [PROBLEM]}, sampling) for sampling in (asked, other)]
    assert runs[0].settings()["sampling"]["template_options"] == {"enable_thinking": True}
    first, second = (describe_template(loaded[1], run) for run in runs)
    assert first.chat_template_sha256 != second.chat_template_sha256
    assert first.first_prompt.endswith("<think>\n") and not second.first_prompt.endswith("<think>\n")


def test_an_option_that_the_template_does_not_read_is_refused(loaded):
    for name in ("enable_thinkng", "messages", "tokenize"):
        with pytest.raises(ConfigError, match=rf"drop template_options\.{name}\.$"):
            render(loaded[1], [list(PROBLEM.messages)], {name: True})


def test_options_of_the_template_are_typed_one_by_one(base):
    words = ["eval", str(base), "--bench", "chain", "--problems", "2", "--samples", "1", "--max-completion-tokens", "4"]
    options = ["--template-option", "enable_thinking=true", "--no-template-check", "--out", str(base.parent / "eval")]
    found = CliRunner().invoke(main, words + options)
    assert found.exit_code == 0, found.output
    assert "chat template, enable_thinking=true, prompt boxed" in found.output
    assert "caveat    model: the chat template ends a turn with <|im_end|>" in found.output
    result = json.loads((base.parent / "eval" / "eval.json").read_text())
    assert result["sampling"]["template_options"] == {"enable_thinking": True}


def test_a_run_says_that_turns_end_otherwise(base, tmp_path):
    quick = ("evaluation.problems=2", "evaluation.samples=1", "evaluation.max_completion_tokens=4", "validation=null")
    config = config_of(base, "rlvr", *quick)
    context = context_of(config)
    run(config, tmp_path / "run", context)
    assert said(context).count("caveat  the chat template ends a turn with <|im_end|>") == 1
