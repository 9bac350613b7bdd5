"""What is thought and what is said, where a completion begins and where a turn ends: alike on every path.

The templates are TRL's copies of the published ones, and a short one of SmolLM3's shape.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trl
from sessions import session_of
from tiny_models import tiny_model, tiny_tokenizer

from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.grading.thought import as_written, said
from tinyreason.inference.chat import Reasoning, Talker
from tinyreason.inference.model_reference import read_model_reference
from tinyreason.inference.sampling import Sampling, prompt_texts, read_completion
from tinyreason.models.chat_template import end_tokens, opens_thought, turn_end
from tinyreason.models.training_rows import IGNORED, tokenised
from tinyreason.trainers.grpo import LeafGRPOTrainer

TEMPLATES = Path(trl.__file__).parent / "chat_templates"
SMOLLM3 = (
    "{% set thinks = enable_thinking if enable_thinking is defined else true %}<|im_start|>system\n"
    "Reasoning Mode: {{ '/think' if thinks else '/no_think' }}\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}<|im_end|>\n"
    "{% for message in messages %}{% if message.role == 'user' %}<|im_start|>user\n{{ message.content }}<|im_end|>\n"
    "{% elif message.role == 'assistant' %}<|im_start|>assistant\n{{ '' if thinks else '<think>\n\n</think>\n' }}"
    "{{ message.content.lstrip('\n') }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' if thinks else '<think>\n\n</think>\n' }}{% endif %}"
)
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
R1 = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>")
HARMONY = ("<|endoftext|>", "<|return|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>")
THOUGHT, ANSWER = "1 + 1 is \\boxed{7}, no.", "\\boxed{2}"
LEARNT = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"
"""A solution as data sets hold it."""
HARMONY_COMPLETION = (
    f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}"
)


@dataclass(frozen=True)
class Model:
    """A template with what is to be seen of it."""

    template: str
    special: tuple[str, ...]
    end: str
    begins: str
    """How its prompt ends."""
    completion: str
    """A thought and an answer as the model writes them behind the prompt."""
    unfinished: str
    """A thought that never ends, with an answer in it."""
    options: dict = field(default_factory=dict)
    opens: bool = False


def of_trl(name):
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


NEVER = f"<think>\n{ANSWER}"
MODELS = {
    "qwen3": Model(of_trl("qwen3"), CHATML, "<|im_end|>", "<|im_start|>assistant\n", LEARNT, NEVER),
    "qwen3, not thinking": Model(
        of_trl("qwen3"), CHATML, "<|im_end|>", "</think>\n\n", ANSWER, NEVER, {"enable_thinking": False}
    ),
    "qwen3.5": Model(
        *(of_trl("qwen3_5_think"), CHATML, "<|im_end|>", "<think>\n", LEARNT.removeprefix("<think>\n"), ANSWER),
        opens=True,
    ),
    "r1 distillate": Model(
        *(of_trl("deepseek_r1_distill"), R1, R1[1], "<｜Assistant｜><think>\n"),
        *(LEARNT.removeprefix("<think>\n"), ANSWER),
        opens=True,
    ),
    "smollm3": Model(SMOLLM3, CHATML, "<|im_end|>", "<|im_start|>assistant\n", LEARNT, NEVER),
    "smollm3, not thinking": Model(
        SMOLLM3, CHATML, "<|im_end|>", "</think>\n", ANSWER, NEVER, {"enable_thinking": False}
    ),
    "gpt-oss": Model(
        *(of_trl("gptoss"), HARMONY, "<|return|>", "<|start|>assistant", HARMONY_COMPLETION),
        f"<|channel|>analysis<|message|>{ANSWER}",
    ),
}
PROBLEM = Example("a", ({"role": "user", "content": "1 + 1?"},), "2", LEARNT)


@pytest.fixture(scope="module")
def grader():
    with Grader() as one:
        yield one


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory):
    """(the model with its template, its folder, its tokenizer)."""
    model = MODELS[request.param]
    plain = () if model.special == HARMONY else ("<think>", "</think>")
    tokenizer = tiny_tokenizer(model.special, model.template, model.end, model.special[0], plain)
    tokenizer.bos_token = model.special[0]
    folder = tiny_model(tmp_path_factory.mktemp("thinking") / "model", tokenizer=tokenizer)
    return model, folder, tokenizer


def written(tokenizer, model, text):
    """The token ids of a completion with the end of its turn."""
    return [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.convert_tokens_to_ids(model.end)]


def test_the_template_says_where_a_turn_ends_and_whether_it_opens_the_thought(case):
    model, _, tokenizer = case
    assert tokenizer.decode([turn_end(tokenizer)]) == model.end
    assert opens_thought(tokenizer, model.options) is model.opens


def test_evaluation_asks_where_the_completion_begins_and_grades_what_is_said(case, grader):
    model, _, tokenizer = case
    sampling = Sampling(1, 0.0, 8, 1, "plain", 0, template_options=model.options)
    assert prompt_texts(tokenizer, [PROBLEM], sampling)[0].endswith(model.begins)
    ends = {turn_end(tokenizer)}
    for text, is_correct in ((model.completion, True), (model.unfinished, False)):
        read = read_completion(tokenizer, 0, written(tokenizer, model, text), ends)
        assert (read.text, read.truncated) == (text, False)
        (verdict,) = grader.grade([read.text], ["2"], [False], ["1 + 1?"], opens_thought(tokenizer, model.options))
        assert verdict.correct is is_correct


def test_a_rollout_is_asked_and_graded_as_in_evaluation(case, tmp_path):
    model, folder, tokenizer = case
    quick = ("train.rollouts_per_step=4", "train.group_size=2", "train.max_completion_tokens=8", "train.max_steps=1")
    options = [f"template_options.{name}={str(value).lower()}" for name, value in model.options.items()]
    config = read_recipe("rlvr").resolve("sandbox", (f"model.name={folder}", "data.size=2", *quick, *options))
    with session_of(config, tmp_path / "run") as session:
        trainer = LeafGRPOTrainer(session, [PROBLEM] * 2, lambda *_: {}, None)
        asked = []
        sample = trainer.sample_rows
        trainer.sample_rows = lambda prompts, ask: asked.extend(prompts) or sample(prompts, ask)
        trainer.run()
        assert all(tokenizer.decode(ids).endswith(model.begins) for ids in asked)
        ids = [written(tokenizer, model, text) for text in (model.completion, model.unfinished) * 2]
        trainer.scorer.score(completion_ids=ids, row=[0, 0, 1, 1])
    assert trainer.scorer.batch.texts == [model.completion, model.unfinished] * 2
    assert trainer.scorer.batch.correct.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert not trainer.scorer.batch.truncated.any()
    assert end_tokens(session.model, tokenizer) >= {turn_end(tokenizer)}


def test_fine_tuning_teaches_what_evaluation_reads(case, grader):
    model, folder, tokenizer = case
    options = [f"template_options.{name}={str(value).lower()}" for name, value in model.options.items()]
    overrides = (f"model.name={folder}", "train.max_tokens=4096", *options)
    config = read_recipe("reasoning_sft").resolve("sandbox", overrides)
    for solution in (LEARNT, ANSWER):
        ((row,), _) = tokenised(config, tokenizer, [Example("a", PROBLEM.messages, "2", solution)])
        learnt = [label for label in row["labels"] if label != IGNORED]
        prompt = tokenizer.decode(row["input_ids"][: -len(learnt)])
        assert prompt.endswith(model.begins)
        read = read_completion(tokenizer, 0, learnt, {turn_end(tokenizer)})
        (verdict,) = grader.grade([read.text], ["2"], [read.truncated], ["1 + 1?"], model.opens)
        assert verdict.correct is True and verdict.extracted == "2"
        if solution is LEARNT and not model.options:
            assert read.text == model.completion.replace(THOUGHT, THOUGHT.strip())


def test_a_chat_tells_the_thought_apart_from_what_is_said(case):
    model, folder, tokenizer = case
    parts = {True: "", False: ""}

    def tell(text, is_reasoning):
        parts[is_reasoning] += text

    reasoning = Reasoning(tell, starts_inside=opens_thought(tokenizer, model.options))
    for at in range(0, len(model.completion), 3):
        reasoning.add(model.completion[at : at + 3])
    reasoning.add("", is_last=True)
    assert parts[False].strip() == ANSWER == said(model.completion, model.opens).strip()
    assert (THOUGHT in parts[True]) is (THOUGHT in model.completion)
    talker = Talker.load(read_model_reference(str(folder)), 0.0, 4, model.options)
    assert talker.answer([{"role": "user", "content": "1 + 1?"}], lambda *_: None)["role"] == "assistant"


def test_a_solution_without_a_thought_is_taught_outside_the_thought():
    assert as_written("2", "<think>\n", "") == "</think>\n\n2"
    assert as_written("hm</think>2", "<think>\n", "") == "hm</think>2"
    assert as_written("<think>never closed", "<think>\n", "") == "never closed"
    assert as_written("2", "assistant\n", "") == "2"
    assert as_written("2", "", "<|channel|>") == "<|channel|>final<|message|>2"


# Templates without a system turn


def gemma():
    special = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
    tokenizer = tiny_tokenizer(special, of_trl("gemma"), "<eos>", "<eos>")
    tokenizer.bos_token = "<bos>"
    return tokenizer


def test_a_template_without_a_system_turn_reads_its_text_in_the_users(tmp_path):
    silent = "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    for tokenizer in (gemma(), tiny_tokenizer(template=silent)):
        sampling = Sampling(1, 0.0, 8, 1, "boxed_system", 0)
        (text,) = prompt_texts(tokenizer, [PROBLEM], sampling)
        assert "put your final answer within \\boxed{}.\n\n1 + 1?" in text


def test_rollouts_and_fine_tuning_fold_the_system_text_too(tmp_path):
    tokenizer = gemma()
    folder = tiny_model(tmp_path / "gemma", "Gemma", tokenizer)
    quick = ("train.rollouts_per_step=4", "train.group_size=2", "train.max_completion_tokens=8", "train.max_steps=1")
    shared = (f"model.name={folder}", "prompt=boxed_system")
    config = read_recipe("rlvr").resolve("sandbox", (*shared, "data.size=2", *quick))
    with session_of(config, tmp_path / "run") as session:
        trainer = LeafGRPOTrainer(session, [PROBLEM] * 2, lambda *_: {}, None)
        asked = []
        sample = trainer.sample_rows
        trainer.sample_rows = lambda prompts, ask: asked.extend(prompts) or sample(prompts, ask)
        trainer.run()
    (expected,) = prompt_texts(tokenizer, [PROBLEM], Sampling(1, 0.0, 8, 1, "boxed_system", 0))
    assert {tokenizer.decode(ids) for ids in asked} == {expected}
    config = read_recipe("reasoning_sft").resolve("sandbox", shared)
    ((row,), _) = tokenised(config, tokenizer, [PROBLEM])
    assert tokenizer.decode(row["input_ids"]).startswith(expected)


def test_turns_that_a_template_refuses_are_one_sentence():
    twice = ({"role": "user", "content": "1?"}, {"role": "user", "content": "2?"})
    with pytest.raises(ConfigError, match="refuses turns of user user: Conversation roles must alternate"):
        prompt_texts(gemma(), [Example("a", twice, "2")], Sampling(1, 0.0, 8, 1, "plain", 0))
