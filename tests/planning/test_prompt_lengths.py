"""How long the prompts of a run are: read where the data is on this machine, guessed where it is not."""

import json
from math import ceil

import pytest
from click.testing import CliRunner

from tinyreason.cli.main import main
from tinyreason.config.recipe import read_recipe
from tinyreason.data.problems import Problems
from tinyreason.errors import DataError
from tinyreason.planning.prompt_lengths import GUESSED, KNOWN, TEMPLATE_TOKENS, read_prompt_lengths
from tinyreason.prompts import USUAL_PROMPT_TOKENS, chat_messages
from tinyreason.sandbox import BASE


@pytest.fixture
def data(jsonl):
    def write(*lengths, name="rows.jsonl"):
        return jsonl(*({"problem": "Ann has 5 pens. " * n, "answer": "5"} for n in lengths), name=name)

    return write


def lengths_of(*overrides, name="rlvr", tier="t4"):
    return read_prompt_lengths(read_recipe(name).resolve(tier, ("prompt=boxed", *overrides)))


def test_a_local_file_is_read_and_counted_by_the_tokenizer_of_a_local_model(data, sandbox):
    file = data(3, 90, 5)
    found = lengths_of(f"data.file={file}", f"model.name={BASE}")
    chats = [chat_messages(example, "boxed") for example in Problems(file=file).load()]
    true = max(len(sandbox[1].apply_chat_template(chat, add_generation_prompt=True)["input_ids"]) for chat in chats)
    assert true <= found.training <= true + TEMPLATE_TOKENS
    assert found.training_source == "rows.jsonl in the model's tokens"


def test_the_tokenizer_of_a_model_in_the_hubs_cache_counts_too(data, monkeypatch):
    import huggingface_hub

    cached = {("Qwen/Qwen2.5-Math-1.5B", "tokenizer.json"): str(BASE / "tokenizer.json")}
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: cached.get(names))
    file = f"data.file={data(3, 90, 5)}"
    assert lengths_of(file) == lengths_of(file, f"model.name={BASE}")
    assert lengths_of(file, "model.name=not/an/id").training_source.endswith("characters a token")


def test_without_a_local_tokenizer_a_prompts_characters_are_counted(data):
    found = lengths_of(f"data.file={data(3, 90, 5)}")
    characters = len(chat_messages(Problems(file=data(90)).load()[0], "boxed")[0]["content"])
    assert found.training == TEMPLATE_TOKENS + ceil(characters / 3.5)
    assert found.training_source == "rows.jsonl at 3.5 characters a token"


def test_training_on_one_problem_counts_that_one_and_the_evaluation_all_the_others(data):
    file = data(3, 90, 5)
    one = (f"data={{kind: one_shot, index: 0, file: {file}}}", "evaluation.data=null")
    found = lengths_of(*one, name="one_shot_rlvr")
    assert found.training < 100 < found.evaluation
    other = f"evaluation.data={{kind: problems, file: {data(300, name='test.jsonl')}}}"
    assert lengths_of(*one[:1], other, name="one_shot_rlvr").evaluation > 1000


def test_data_on_the_hub_has_the_usual_length_and_the_sandbox_its_longest():
    found = lengths_of()
    assert (found.training, found.training_source) == (USUAL_PROMPT_TOKENS, GUESSED)
    assert (found.evaluation, found.evaluation_source) == (USUAL_PROMPT_TOKENS, GUESSED)
    found = lengths_of(tier="sandbox")
    assert found.training_source == KNOWN and 0 < found.training < 100


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(DataError):
        lengths_of(f"data.file={tmp_path / 'none.jsonl'}")


def test_the_plan_says_where_its_prompt_length_is_from_and_uses_it(data):
    def planned(*words):
        return CliRunner().invoke(main, ["plan", "rlvr", "--gpu", "t4", *words])

    assert f"{USUAL_PROMPT_TOKENS} of them prompt (a usual guess, its data is not here)" in planned().output
    assert "99 of them prompt (asked for with --prompt-tokens)" in planned("--prompt-tokens", "99").output
    file = f"data.file={data(3, 900)}"
    done = planned(file)
    assert "of them prompt (rows.jsonl at 3.5 characters a token)" in done.output
    assert "asked   prompts of 256 tokens in the evaluation (a usual guess" in done.output
    usual, long = (json.loads(planned(*words, "--json").output) for words in ((), (file,)))
    assert long["prompt_tokens"] > 4000 and long["prompt_tokens_from"].startswith("rows.jsonl")
    assert long["seconds_a_step"] > usual["seconds_a_step"]
    assert long["peak"]["bytes"] > usual["peak"]["bytes"]
