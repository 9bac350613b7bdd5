"""`tinyreason eval`, `compare` and `audit` as a person types them, on the sandbox model."""

import json
import re

import pytest
from commands import complaint, printed, tinyreason

SMALL = ("--bench", "chain", "--problems", "6", "--samples", "4", "--max-completion-tokens", "24")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("evals") / "evaluation"
    return out, printed("eval", "sandbox", "--against", "sandbox", *SMALL, "--out", out)


def samples_of(folder):
    return [json.loads(line) for line in (folder / "samples.jsonl").open(encoding="utf-8")]


def test_an_audit_reads_a_set_to_imitate_that_has_no_answers(tmp_path, jsonl):
    text = "Why does a farmer who sells all of his apples before noon go home without any?"
    told = [{"role": "user", "content": text}, {"role": "assistant", "content": "Because."}]
    train = jsonl({"messages": told}, name="train.jsonl")
    test = jsonl({"problem": text, "answer": "1"}, name="test.jsonl")
    assert json.loads(printed("audit", train, "--against", test, "--json"))["counts"]["identical"] == 1


@pytest.mark.parametrize("command", ["eval", "compare", "audit"])
def test_help_names_the_command_and_its_options(command):
    assert command in printed("--help")
    assert printed(command, "--help").startswith(f"Usage: tinyreason {command} ")


def test_what_was_asked_and_how_is_said_first(finished):
    out, said = finished
    for words in (
        "chain: 6 problems × 4 samples",
        "temperature 1, top-p 1, at most 24 tokens, seed 0, the same for both sides",
        "the tokenizer's chat template, prompt plain, the same for both sides",
        str(out),
    ):
        assert words in said


def test_every_completion_is_kept_and_the_figures_are_those_of_the_completions(finished):
    out, _ = finished
    samples = samples_of(out)
    assert len({(row["side"], row["id"], row["sample"]) for row in samples}) == len(samples) == 2 * 6 * 4
    result = json.loads((out / "eval.json").read_text())
    figures = result["benches"]["chain"]["model"]
    ours = [row for row in samples if row["side"] == "model"]
    assert figures["accuracy"] == pytest.approx(sum(row["correct"] for row in ours) / 24)
    assert figures["mean_tokens"] == pytest.approx(sum(row["tokens"] for row in ours) / 24)
    assert figures["truncated"] == pytest.approx(sum(row["truncated"] for row in ours) / 24)
    solved = {row["id"] for row in ours if row["correct"]}
    assert [point["k"] for point in figures["pass_at_k"]] == [1, 2, 4]
    assert figures["pass_at_k"][-1]["share"] == pytest.approx(len(solved) / 6)
    assert figures["cons_at_k"]["k"] == 4
    incorrect = [row["tokens"] for row in ours if not row["correct"]]
    assert figures["tokens_wrong"] == pytest.approx(sum(incorrect) / len(incorrect))
    assert sum(group["problems"] for group in figures["by"]["level"].values()) == 6
    assert result["templates"]["model"]["first_prompt"].startswith("<|user|>")


def test_a_model_against_itself_has_the_same_luck_and_no_gain(finished):
    out, said = finished
    found = json.loads((out / "eval.json").read_text())["benches"]["chain"]
    assert found["model"] == found["against"]
    assert found["gain"]["points"] == 0
    assert "cannot tell" in said and "improved" not in said


def test_a_model_against_itself_solves_the_same_problems(finished):
    out, said = finished
    found = json.loads((out / "eval.json").read_text())["benches"]["chain"]["boundary"]
    assert (found["support"]["gained"]["count"], found["support"]["lost"]["count"]) == (0, 0)
    assert found["crossing"] == 1 and found["expansion"]["beyond"] in (0, None)
    assert "support   kept" in said and "crossing  from pass@1 on" in said and "pass@4 *" in said


def test_a_killed_evaluation_resumes_and_ends_with_the_same_completions(finished, tmp_path):
    whole, _ = finished
    lines = (whole / "samples.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for name in ("settings.json", "problems.jsonl"):
        (tmp_path / name).write_text((whole / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "samples.jsonl").write_text("".join(lines[:17]) + lines[17][:30], encoding="utf-8")
    printed("eval", "sandbox", "--against", "sandbox", *SMALL, "--batch-size", "5", "--out", tmp_path)
    key = json.dumps
    assert sorted(samples_of(tmp_path), key=key) == sorted(samples_of(whole), key=key)


def test_a_finished_evaluation_asks_nothing_again(finished):
    out, said = finished
    before = (out / "samples.jsonl").read_bytes()
    again = printed("eval", "sandbox", "--against", "sandbox", *SMALL, "--out", out)
    assert (out / "samples.jsonl").read_bytes() == before
    progress = re.compile(r".* s left\n")  # said only where the machine is so busy that it takes long
    assert progress.sub("", again) == progress.sub("", said)


def test_more_samples_are_added_to_those_that_are_there(tmp_path):
    few = ("--bench", "chain", "--problems", "2", "--max-tokens", "8", "--no-template-check", "--out", tmp_path / "e")
    printed("eval", "sandbox", *few, "--samples", "1")
    first = samples_of(tmp_path / "e")
    printed("eval", "sandbox", *few, "--samples", "2")
    assert samples_of(tmp_path / "e")[:2] == first
    assert len(samples_of(tmp_path / "e")) == 4


def test_a_folder_begun_with_other_settings_is_left_alone(finished):
    out, _ = finished
    words = ("eval", "sandbox", "--against", "sandbox", *SMALL, "--out", out)
    assert "begun with another sampling.temperature: 1.0 there, 0.5 now" in complaint(*words, "--temperature", "0.5")
    assert "begun with another" in complaint("eval", "sandbox", *SMALL, "--out", out)


def test_the_base_is_asked_in_other_ways_too(finished):
    check = json.loads((finished[0] / "eval.json").read_text())["template_check"]
    asked = {(way["template"], way["prompt"]) for way in check["others"]}
    assert asked == {("chat", "boxed"), ("none", "plain"), ("none", "boxed")}
    assert check["warning"] is None


def test_a_base_that_does_much_better_in_another_way_is_warned_of(tmp_path):
    """Without its chat template the sandbox model says nothing useful; asked so, the template is the better way."""
    out = ("--template", "none", "--out", tmp_path / "e")
    said = printed("eval", "sandbox", "--bench", "chain", "--problems", "60", "--samples", "1", *out)
    warning = json.loads((tmp_path / "e" / "eval.json").read_text())["template_check"]["warning"]
    assert "with template chat and prompt plain, on 0% as asked here" in warning
    assert f"warning: {warning}" in said


def test_json_is_the_file(tmp_path):
    done = tinyreason("eval", "sandbox", *SMALL, "--no-template-check", "--out", tmp_path / "e", "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "e" / "eval.json").read_text())


def test_votes_are_printed_and_saved_with_the_tokens_of_all_samples(tmp_path):
    out = ("--no-template-check", "--out", tmp_path / "e")
    said = printed("eval", "sandbox", *SMALL, *out, "--vote", "majority,self_certainty")
    votes = json.loads((tmp_path / "e" / "eval.json").read_text())["benches"]["chain"]["votes"]["model"]
    rows = samples_of(tmp_path / "e")
    for vote in votes.values():
        assert [point["samples"] for point in vote["points"]] == [1, 2, 4]
        assert vote["points"][-1]["tokens"] == pytest.approx(sum(row["tokens"] for row in rows) / 6)
    assert all(row["certainty"] > 0 for row in rows)
    assert "self_certainty@4 over the majority, for the same tokens" in said
    assert "majority@4 over one completion, for 4.0 times the tokens" in said


def test_a_vote_that_cannot_be_held_is_answered_before_anything_is_asked(finished, tmp_path):
    out, _ = finished
    assert "there is no vote 'self'" in complaint("eval", "sandbox", *SMALL, "--vote", "self")
    assert "type --samples with 2 or more" in complaint(
        "eval", "sandbox", "--samples", "1", *SMALL[:4], "--vote", "majority"
    )
    words = ("eval", "sandbox", "--against", "sandbox", *SMALL, "--out", out)
    assert "were sampled without the certainty that --vote needs" in complaint(*words, "--vote", "self_certainty")


def test_a_gold_answer_that_cannot_be_graded_is_left_out_and_named(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text('{"problem": "1+1?", "answer": "2"}\n{"problem": "x?", "answer": "\\\\begin{nonsense"}\n')
    out = tmp_path / "e"
    said = printed("eval", "sandbox", "--data", file, "--samples", "1", "--max-tokens", "4", "--out", out)
    assert "mine: problem 1 is left out" in said
    assert len(samples_of(out)) == 1


@pytest.fixture
def places(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "columns.jsonl").write_text('{"a": 1}\n')
    for name, config in (("broken", "- 1"), ("going", None)):
        (tmp_path / name).mkdir()
        from tinyreason.config.recipe import read_recipe

        text = config or json.dumps(read_recipe("rlvr").resolve("sandbox").model_dump(mode="json"))
        (tmp_path / name / "config.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("eval sandbox --bench chian", "there is no bench 'chian'; did you mean 'chain'? Allowed: aime24"),
        ("eval sandbox", "nothing to ask: give --bench with some of gsm8k"),
        ("eval sandbox --bench gsm8k --data {}/columns.jsonl", "columns.jsonl is not this benchmark"),
        ("eval sandbox --bench gsm8k,math500 --data {}/columns.jsonl", "2 benches and 1 --data files"),
        ("eval sandbox --data {}/columns.jsonl", "has no column known to hold the problem"),
        ("eval sandbox --data {}/none.jsonl", "there is no file"),
        ("eval sandbox --bench chain --temperature 0", "temperature 0 gives 8 times the same completion"),
        ("eval sandbox --bench chain --against base", "sandbox is not a run or an adapter"),
        ("eval sandbox --bench chain --out {}/full", "is not an evaluation and not empty"),
        ("eval {}/going --bench chain", "has no result.json: it is still going"),
        ("eval {}/broken --bench chain", "the run is broken"),
        ("eval {}/empty --bench chain", "is an empty folder"),
        ("eval {}/full --bench chain", "has no config.json"),
        ("eval {}/columns.jsonl --bench chain", "is a file"),
        ("eval {}/nowhere --bench chain", "there is no folder"),
        ("eval nowhere --bench chain", "there is no folder nowhere"),
        ("compare {}/going", "one folder is not a comparison"),
        ("compare {}/going {}/broken", "still going"),
        ("audit {}/columns.jsonl --against chain", "has no column known to hold the problem"),
        ("audit {}/none.jsonl --against chain", "there is no file"),
        ("audit sandbox --against chian", "did you mean 'chain'?"),
        ("recipe reasoning_sft --on sandbox --controls", "--controls changes the reward, and reasoning_sft"),
    ],
)
def test_a_mistake_is_answered_with_one_line_and_exit_code_2(places, words, answer):
    assert answer in complaint(*words.replace("{}", str(places)).split())
    assert not (places / "evals").exists()


def test_an_audit_as_json_counts_and_names(places):
    found = json.loads(tinyreason("audit", "sandbox:compare", "--against", "chain", "--json").stdout)
    assert (found["train"], found["test"], found["contaminated"]) == (2000, 256, 0)
    assert "0 of 256 test problems" in printed("audit", "sandbox:compare", "--against", "chain")


def test_the_earlier_name_of_the_token_limit_works_and_is_not_listed(tmp_path):
    few = ("--bench", "chain", "--problems", "2", "--samples", "1", "--no-template-check")
    for option, out in (("--max-tokens", "a"), ("--max-completion-tokens", "b")):
        printed("eval", "sandbox", *few, option, "5", "--out", tmp_path / out)
    first, second = (json.loads((tmp_path / out / "eval.json").read_text()) for out in "ab")
    assert first["benches"]["chain"]["model"]["mean_tokens"] == second["benches"]["chain"]["model"]["mean_tokens"] <= 5
    for command in ("eval", "chat"):
        listed = printed(command, "--help")
        assert "--max-completion-tokens" in listed and "--max-tokens" not in listed
