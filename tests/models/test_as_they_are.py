"""Models as people have them: without a template, an end or a padding token, with too many tokens, moved, damaged."""

import io
import json
import logging
import shutil

import pytest
from click.testing import CliRunner
from rich.console import Console as RichConsole
from safetensors.torch import load_file, save_file
from sessions import context_of, said
from tiny_models import ARCHITECTURES, CHATML, tiny_model, tiny_tokenizer

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import ModelError
from tinyreason.inference.model_reference import read_model_reference
from tinyreason.pipeline.run import run

ASKED = ("evaluation.problems=2", "evaluation.samples=1", "evaluation.max_completion_tokens=6")
GRPO = ("train.max_steps=1", "train.rollouts_per_step=4", "train.group_size=2", "train.max_completion_tokens=6")
EVAL = ("--bench", "chain", "--problems", "2", "--samples", "1", "--max-tokens", "4", "--no-template-check")


PERSONAL = CHATML.replace("message['role']", "message['role'].replace('user', 'person')")


def train(folder, out, *overrides, recipe="rlvr"):
    """Runs one step on the model of a folder; what was said on the screen."""
    quick = (*GRPO, "data.size=2", "validation=null") if recipe == "rlvr" else ("train.max_steps=1",)
    shared = (*ASKED, *quick, "evaluation.template_check=false")
    config = read_recipe(recipe).resolve("sandbox", (*shared, f"model.name={folder}", *overrides))
    context = context_of(config)
    run(config, out, context)
    return said(context)


def command(*words, typed=""):
    """(exit code, the lines that begin with tinyreason:, everything)."""
    done = CliRunner().invoke(main, [str(word) for word in words], input=typed)
    return done.exit_code, [line for line in done.output.splitlines() if line.startswith("tinyreason: ")], done.output


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_random_model_of_each_architecture_is_trained(architecture, tmp_path):
    assert "caveat" not in train(tiny_model(tmp_path / "model", architecture), tmp_path / "run")


# Chat templates


@pytest.fixture
def bare(tmp_path):
    """A model whose tokenizer has no chat template."""
    return tiny_model(tmp_path / "bare", tokenizer=tiny_tokenizer(template=None))


def test_a_base_without_a_chat_template_is_evaluated_without_one(bare, tmp_path):
    code, _, output = command("eval", bare, *EVAL[:-1], "--template", "none", "--out", tmp_path / "e")
    assert code == 0 and "caveat" not in output, output
    code, (line,), _ = command("eval", bare, *EVAL, "--out", tmp_path / "f")
    assert code == 2 and "has no chat template" in line and "--template none" in line


def test_a_recipe_names_a_chat_template_that_training_evaluation_and_chat_use(bare, tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text(PERSONAL, encoding="utf-8")
    for recipe in ("rlvr", "reasoning_sft"):
        out = tmp_path / recipe
        train(bare, out, f"model.chat_template={file}", recipe=recipe)
        assert (out / "adapter" / "chat_template.jinja").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    file.unlink()  # what is beside the adapter is enough
    for place in (out, out / "adapter"):
        assert command("chat", place, "--max-completion-tokens", 4, typed="1 + 1?\n")[0] == 0
    _, tokenizer = read_model_reference(str(out / "adapter")).load()
    assert tokenizer.chat_template == PERSONAL
    assert command("eval", out, *EVAL, "--against", "base", "--out", tmp_path / "e")[0] == 0


@pytest.mark.parametrize("text", [None, "", "{% for x in %}", "{{ raise_exception('no') }}"])
def test_a_chat_template_that_cannot_be_used_is_one_sentence(text, bare, tmp_path):
    file = tmp_path / "mine.jinja"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ModelError, match=r"the chat template .*mine\.jinja|model\.chat_template=.*mine\.jinja"):
        train(bare, tmp_path / "run", f"model.chat_template={file}")
    code, (line,), _ = command("eval", bare, *EVAL, "--chat-template", file, "--out", tmp_path / "e")
    assert code == 2 and f"the chat template {file}" in line
    assert command("chat", bare, "--chat-template", file, typed="1 + 1?\n")[0] == 2


def test_a_bare_base_is_evaluated_checked_and_talked_to_with_a_chat_template(bare, tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_text(PERSONAL, encoding="utf-8")
    given = ("--chat-template", file)
    code, _, output = command("eval", bare, *EVAL, *given, "--against", bare, "--out", tmp_path / "e")
    assert code == 0, output
    templates = json.loads((tmp_path / "e" / "eval.json").read_text())["templates"]
    assert all("person" in side["first_prompt"] for side in templates.values()) and len(templates) == 2
    for limit in ("--max-completion-tokens", "--max-tokens"):
        assert command("chat", bare, *given, limit, 4, typed="1 + 1?\n")[0] == 0
    code, (line,), _ = command("chat", bare, typed="1 + 1?\n")
    assert code == 2 and "to eval and chat with --chat-template FILE" in line
    code, _, output = command("check", "rlvr", "--on", "sandbox", f"model.name={bare}", f"model.chat_template={file}")
    assert code == 0 and "its files are there, and its chat template" in output


# Tokens


@pytest.mark.parametrize("recipe", ["rlvr", "reasoning_sft"])
def test_a_tokenizer_without_an_end_or_padding_token_takes_the_templates(recipe, tmp_path):
    folder = tiny_model(tmp_path / "model", tokenizer=tiny_tokenizer(eos=None, pad=None))
    train(folder, tmp_path / "run", recipe=recipe)
    _, tokenizer = read_model_reference(str(folder)).load()
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")


def test_a_model_that_nothing_ends_is_refused(load, tmp_path):
    tokenizer = tiny_tokenizer(eos=None, pad=None, template="{{ messages[-1]['content'] }}")
    with pytest.raises(ModelError, match="has no end token"):
        load(tiny_model(tmp_path / "model", tokenizer=tokenizer))


def test_a_padding_token_without_an_embedding_is_replaced(load, tmp_path):
    tokenizer = tiny_tokenizer(pad="[PAD]")
    folder = tiny_model(tmp_path / "model", tokenizer=tokenizer, rows=len(tokenizer) - 1, pad_token_id=None)
    assert tokenizer.pad_token_id == len(tokenizer) - 1
    assert load(folder)[1].pad_token == "<|im_end|>"
    train(folder, tmp_path / "run", recipe="reasoning_sft")


def test_tokens_without_an_embedding_are_said_once(tmp_path):
    tokenizer = tiny_tokenizer(plain=("<extra1>", "<extra2>"))
    screen = train(tiny_model(tmp_path / "model", tokenizer=tokenizer, rows=len(tokenizer) - 2), tmp_path / "run")
    assert screen.count(f"has {len(tokenizer)} tokens, the model embeddings for {len(tokenizer) - 2} alone") == 1
    assert "tokens, the model embeddings for" in (tmp_path / "run" / "log.txt").read_text()


def test_a_template_that_writes_tokens_without_an_embedding_is_refused(load, tmp_path):
    folder = tiny_model(tmp_path / "model", rows=280)
    with pytest.raises(ModelError, match="its chat template writes some of the others"):
        load(folder)


# Adapters


def wide_adapter(folder, out, rows=None):
    """An adapter that somebody trained together with the LM head, on `rows` tokens."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder)
    if rows:
        base.resize_token_embeddings(rows)
    saved = ["embed_tokens", "lm_head"] if rows else ["lm_head"]
    config = LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", modules_to_save=saved, task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(out)
    return out


def test_an_adapter_with_whole_modules_is_evaluated_and_is_not_started_from(tmp_path):
    folder = tiny_model(tmp_path / "model")
    adapter = wide_adapter(folder, tmp_path / "adapter")
    assert command("eval", adapter, *EVAL, "--out", tmp_path / "e")[0] == 0
    for recipe in ("rlvr", "reasoning_sft"):
        with pytest.raises(ModelError, match=r"have no place here: base_model\.model\.lm_head"):
            options = ("adapter={kind: lora, rank: 4, alpha: 32}", f"adapter.start={adapter}")
            train(folder, tmp_path / f"run-{recipe}", *options, recipe=recipe)


def test_an_adapter_of_another_vocabulary_is_one_sentence(tmp_path):
    folder = tiny_model(tmp_path / "model")
    adapter = wide_adapter(folder, tmp_path / "adapter", rows=330)
    code, (line,), _ = command("chat", adapter, typed="1 + 1?\n")
    assert code == 2 and "does not fit its base" in line and "embed_tokens" in line


def test_a_run_and_an_adapter_whose_base_moved_are_given_it_with_base(tmp_path):
    folder, out = tiny_model(tmp_path / "model"), tmp_path / "run"
    train(folder, out)
    moved = shutil.move(folder, tmp_path / "elsewhere")
    for place in (out, out / "adapter"):
        for words in (["chat", place], ["eval", place, *EVAL, "--out", tmp_path / f"{place.name}-a"]):
            code, lines, output = command(*words, typed="1 + 1?\n")
            assert (code, len(lines)) == (2, 1), output
            assert "is not there; name where it is now with --base" in lines[0]
            code, _, output = command(*words, "--base", moved, typed="1 + 1?\n")
            assert code == 0, output


def test_base_without_an_adapter_is_refused(tmp_path):
    code, (line,), _ = command("chat", "sandbox", "--base", tmp_path)
    assert code == 2 and "--base is of an adapter or a run" in line


# What libraries warn of


def damaged(folder, change):
    """Changes the weights of a model's folder."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_weights_that_are_missing_are_said_once(tmp_path):
    folder = damaged(tiny_model(tmp_path / "model"), lambda weights: weights.pop("lm_head.weight"))
    screen = train(folder, tmp_path / "run")
    assert screen.count("lack 1 of the model's tensors, which begin at random: lm_head.weight") == 1


def test_weights_of_another_shape_are_one_sentence(load, tmp_path):
    def halve(weights):
        weights["lm_head.weight"] = weights["lm_head.weight"][:100].clone()

    with pytest.raises(ModelError, match=r"other shapes than its config\.json says"):
        load(damaged(tiny_model(tmp_path / "model"), halve))


def test_what_transformers_says_of_lengths_is_on_the_screen_once(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 12
    screen = train(tiny_model(tmp_path / "model", tokenizer=tokenizer), tmp_path / "run")
    assert screen.count("longer than the 12 that the tokenizer was made for") == 1


def test_an_evaluation_longer_than_the_model_was_made_for_says_so_once(tmp_path):
    folder = tiny_model(tmp_path / "model", max_position_embeddings=17)
    code, _, output = command("eval", folder, *EVAL, "--out", tmp_path / "e")
    assert code == 0 and output.count("longer than the 17 tokens that the model was made for") == 1


def test_all_other_warnings_stay_in_the_log():
    console = Console(RichConsole(file=io.StringIO(), width=200))
    with console.saying_caveats():
        logging.getLogger("transformers.modeling_utils").warning("some kernels are slow")
        for _ in range(2):
            logging.getLogger("tinyreason.models.load").warning("so and so")
    logging.getLogger("tinyreason.models.load").warning("after it")
    assert console.rich.file.getvalue() == "caveat  so and so\n"
