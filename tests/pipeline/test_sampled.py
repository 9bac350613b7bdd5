"""Completions of another model to imitate, and the temperature at which they are sampled."""

import json
from types import SimpleNamespace

import pytest
from commands import complaint
from sessions import context_of, said, session_of

from tinyreason.config.recipe import read_recipe
from tinyreason.data.sampled import Sampled
from tinyreason.evaluation.score import Completion, Score
from tinyreason.pipeline import sampled
from tinyreason.pipeline.sampled import balance, best_temperature, kept_of, sampled_examples, sampling_of
from tinyreason.planning.gpus import datasheet
from tinyreason.planning.plan import GB, Machine, make_plan

SMALL = ("evaluation.problems=4", "train.max_steps=1", "train.max_completion_tokens=48")


def config_of(data: str, tier: str = "sandbox"):
    return read_recipe("reasoning_sft").resolve(tier, (*SMALL, f"data={data}"))


@pytest.mark.parametrize(("correct", "kept", "value"), [(8, 10, 0.8), (4, 4, 0.5), (2, 4, 0.125), (0, 4, 0), (0, 0, 0)])
def test_the_balance_of_a_problem(correct, kept, value):
    assert balance(correct, kept) == pytest.approx(value)


def test_what_is_kept_of_a_problem_counts_each_text_once_and_no_truncated_one():
    texts = [("a", True), ("a", True), ("b", True), ("c", False), ("d", None)]
    completions = [Completion(text, 5, text == "d", correct) for text, correct in texts]
    assert kept_of(Sampled(name="sandbox"), completions) == (2, 2)
    assert kept_of(Sampled(name="sandbox", keep="all"), completions) == (2, 3)


def test_the_best_balanced_temperature_is_taken_once_and_of_equal_ones_the_lowest(monkeypatch, tmp_path):
    config = config_of("{kind: sampled, name: sandbox, temperatures: [1.2, 0.5, 0.8], tried: 1, wanted: 2, samples: 2}")
    correct = {0.5: [True, True], 0.8: [True, True], 1.2: [True, False]}
    asked = []

    def evaluate(model, tokenizer, problems, sampling, grader, advance):
        asked.append(sampling.temperature)
        texts = [f"{sampling.temperature} {n}" for n in range(2)]
        row = [Completion(text, 1, False, right) for text, right in zip(texts, correct[asked[-1]], strict=True)]
        return Score(problems, [row])

    monkeypatch.setattr(sampled, "evaluate", evaluate)
    files = SimpleNamespace(
        path=tmp_path, write_json=lambda name, value: (tmp_path / name).write_text(json.dumps(value))
    )
    session = SimpleNamespace(config=config, folder=files, context=context_of(config), grader=None)
    for _ in range(2):
        assert best_temperature(session, None, None, config.data.load(), sampling_of(session)) == 0.5
    assert asked == [0.5, 0.8, 1.2]
    assert "temperature of 0.5: balance 1.00 at 0.5, 1.00 at 0.8, 0.50 at 1.2" in said(session.context)


def test_another_model_samples_where_it_is_named_and_is_not_loaded_again(monkeypatch, tmp_path):
    config = config_of("{kind: sampled, name: sandbox, size: 6, samples: 4, model: sandbox}")
    assert config.data.describe().startswith("correct completions of sandbox, 4 for each of 6 problems")
    with session_of(config, tmp_path / "run") as session:
        for parameter in session.model.parameters():
            if parameter.requires_grad:
                parameter.data += 1.0  # what is trained writes nothing that is correct
        problems = config.data.load()
        found = sampled_examples(session, problems, [])
        monkeypatch.setattr(sampled, "load_base_or_adapter", lambda name: pytest.fail("loaded again"))
        assert sampled_examples(session, problems, []) == found and found


def test_the_plan_counts_its_memory_beside_the_base():
    sheet = datasheet("l4")
    card = Machine(sheet.card(), sheet, sheet.memory_gb * GB)
    own, other = (
        make_plan(config_of(f"{{kind: sampled, name: openai/gsm8k, subset: main, size: 100{more}}}", "24gb"), card)
        for more in ("", ", model: Qwen/Qwen2.5-0.5B-Instruct, temperatures: [0.5, 1]")
    )
    phases = {phase.name: phase.parts for phase in other.phases}
    assert "sample 1" not in {phase.name for phase in own.phases}
    assert 0.9e9 < phases["sample 1"]["model that samples"] < 1.1e9  # half a billion numbers of 16 bits
    assert phases["sample 1"]["base weights"] == phases["load"]["base weights"]


def test_a_model_that_is_not_there_is_said_before_anything_long(tmp_path):
    data = "data={kind: sampled, name: sandbox, model: org/small}"
    assert "data.model=org/small is neither 'sandbox' nor a local" in complaint("check", "reasoning_sft", data)
    critic = "data={kind: sampled, name: sandbox, asks: [{kind: critique_in_the_loop, critic: org/small}]}"
    assert "data.asks.0.critic=org/small is neither" in complaint("check", "reasoning_sft", critic)


def test_what_is_asked_in_other_ways_is_written_down_and_an_interrupted_part_goes_again(tmp_path):
    asks = "[{kind: critique_in_the_loop, critic: oracle}, {kind: with_answer, samples: 2}]"
    config = config_of(f"{{kind: sampled, name: sandbox, size: 24, samples: 2, asks: {asks}}}")
    with session_of(config, tmp_path / "run") as session:
        problems = config.data.load()
        found = sampled_examples(session, problems, [])
        plain, after, told = (
            {row["id"]: row for row in map(json.loads, (session.folder.path / name).read_text().splitlines())}
            for name in ("samples.jsonl", "asked-1.jsonl", "asked-2.jsonl")
        )
        solved = {id.partition("#")[0] for id in (one.id for one in found)}
        assert len(plain) == 24 and len(after) < 24 and len(told) <= len(after)
        assert {len(row["tries"]) for row in after.values()} == {2}
        more = [one for one in found if one.meta["sample"] >= 2]
        assert more and {one.meta["problem_id"] for one in more} <= set(after)
        assert all(one.messages == {p.id: p for p in problems}[one.meta["problem_id"]].messages for one in more)
        assert solved >= {one.meta["problem_id"] for one in more}
        assert "by critique_in_the_loop: " in said(session.context)
        file = session.folder.path / "asked-1.jsonl"
        file.write_bytes(file.read_bytes()[:-7])  # torn by a kill
        assert sampled_examples(session, problems, []) == found
