"""Trainings before a run's own, and training on the model's own completions, each resumed where it was interrupted."""

import json
from types import SimpleNamespace

import pytest
import torch
from sessions import context_of, said

from tinyreason.config.recipe import read_recipe
from tinyreason.data.sampled import Sampled
from tinyreason.errors import ConfigError, DataError, Stopped
from tinyreason.example import Example
from tinyreason.models.load import load_model
from tinyreason.pipeline.asked import whole_rows
from tinyreason.pipeline.run import run
from tinyreason.pipeline.sampled import kept_examples
from tinyreason.pipeline.stages import Stages
from tinyreason.pipeline.verify_resume import verify_resume
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.folder import RunFolder

SMALL = ("evaluation.problems=4", "evaluation.samples=1", "evaluation.template_check=false", "evaluation.batch_size=16")
SFT = ("reasoning_sft", *SMALL, "train.max_steps=3", "train.batch_size=4", "expected=null")
OWN = ("data={kind: sampled, name: sandbox, size: 24, samples: 3, keep: all, start: base}",)
THREE = (
    *(*SFT, *OWN, "data.with_earlier=true", "train.max_completion_tokens=48"),
    "stages=[{name: seed, data: {kind: solutions, name: sandbox, size: 8}, "
    "until: {kind: reaches, metric: loss, value: 99, over: 2}}, {name: round, measure: true}]",
)
GRPO = (
    *("rlvr", *SMALL, "train.max_steps=2", "train.rollouts_per_step=16", "train.max_completion_tokens=32"),
    *("validation=null", "data.size=6", "train.kl=0.1", "expected=null"),
)

WHILE_BETTER = "{kind: plateau, metric: validation/accuracy, patience: 1}"


def config_of(recipe: str, *overrides: str):
    return read_recipe(recipe).resolve("sandbox", overrides)


def go(out, words, deadline: Deadline | None = None):
    """(result or None, screen) of a run, begun or resumed."""
    config = config_of(*words)
    context = context_of(config, deadline)
    try:
        return run(config, out, context), said(context)
    except Stopped:
        return None, said(context)


def weights(out) -> bytes:
    return (out / "adapter" / "adapter_model.safetensors").read_bytes()


def samples(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.jsonl").open()]


def test_three_stages_interrupted_in_each_end_bit_for_bit_as_those_left_alone(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    result, screen = go(whole, THREE)
    assert "stage   2 of 2, round" in screen and "correct after 2-round" in screen
    assert [(one.name, one.steps, one.rows is not None) for one in result.stages] == [
        ("1-seed", 2, True),
        ("2-round", 3, True),
    ]
    assert result.stages[0].at_most == 3 and result.stages[0].ended.startswith("loss reached ")
    assert "stage 1-seed ended after step 2 of 3: loss reached" in screen
    assert result.stages[0].score is None and 0 <= result.stages[1].score.accuracy <= 1
    (change,) = result.training.rows_changed
    assert (change.by, change.before) == ("sampled", 24 * 3)
    assert result.seconds["stages"] >= sum(one.seconds for one in result.stages)
    seen = []
    for step in (1, 2, 1, 2, 1, 2):
        ended, screen = go(cut, THREE, Deadline(last_step=step))
        seen.append(screen)
        if ended:
            break
    resumed, screen = go(cut, THREE)
    assert sum("resuming stage" in one for one in [*seen, screen]) >= 2
    assert weights(whole) == weights(cut)
    for place in (".", "stages/2-round"):
        assert samples(whole / place) == samples(cut / place)
        assert len(samples(cut / place)) == 24 * 3
    assert result.after.accuracy == resumed.after.accuracy
    assert resumed.seconds["stages"] >= sum(one.seconds for one in resumed.stages) - 0.2
    untimed = {"seconds": 0}
    assert [a.model_copy(update=untimed) for a in result.stages] == [
        b.model_copy(update=untimed) for b in resumed.stages
    ]
    assert "the same bit for bit" in verify_resume(config_of(*THREE), cut, context_of(config_of(*THREE)))


def test_what_is_torn_of_the_samples_is_sampled_again_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "run")
    lines = [json.dumps({"id": str(n // 2), "sample": n % 2}) + "\n" for n in range(10)]
    (folder.path / "samples.jsonl").write_text("".join(lines)[:-4])
    assert [row["id"] for row in whole_rows(folder, "samples.jsonl", 4, 10)] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert (folder.path / "samples.jsonl").read_text() == "".join(lines[:8])
    (folder.path / "samples.jsonl").write_text("".join(lines))
    assert len(whole_rows(folder, "samples.jsonl", 4, 10)) == 10  # all there are, though the last part is a short one


def test_what_is_kept_of_the_samples():
    problems = [Example("a", ({"role": "user", "content": "1+1?"},), "2", meta={"level": 1})]
    texts = [("x", True), ("y", False), ("x", True), ("z", True), ("t", None)]
    rows = [
        {"id": "a", "sample": n, "text": text, "tokens": 5, "truncated": text == "t", "correct": correct}
        for n, (text, correct) in enumerate(texts)
    ]

    def kept(**options):
        return [one.completion for one in kept_examples(Sampled(name="sandbox", **options), problems, rows)]

    assert kept() == ["x", "z"] and kept(keep="incorrect") == ["y"] and kept(keep="all") == ["x", "y", "z"]
    assert kept(most_per_problem=1) == ["x"]
    first = kept_examples(Sampled(name="sandbox"), problems, rows)[0]
    assert first.id == "a#0" and first.meta == {
        "level": 1,
        "problem_id": "a",
        "correct": True,
        "tokens": 5,
        "sample": 0,
    }


def test_where_no_sample_is_kept_one_sentence_says_so(tmp_path):
    words = (*SFT, "data={kind: sampled, name: sandbox:chain, size: 2, samples: 1}", "train.max_completion_tokens=1")
    with pytest.raises(DataError, match="none of 2 sampled completions is correct and whole"):
        go(tmp_path / "run", words)


def test_a_stage_is_laid_over_the_run_and_checked_as_a_run():
    config = config_of(*GRPO, "stages=[{name: short, repeat: 2, train: {max_completion_tokens: 16}}]")
    (_, first), (_, second) = config.stage_configs
    assert first.train.max_completion_tokens == 16 and first.train.kl == 0.1 and first.rewards == config.rewards
    assert len({config.seed, first.seed, second.seed}) == 3 and first.stages == ()
    sft = "{kind: sft, max_steps: 1, max_tokens: 64, max_completion_tokens: 32}"
    taught = f"stages=[{{name: taught, data: {{kind: solutions, name: sandbox}}, train: {sft}}}]"
    (_, stage) = config_of(*GRPO, taught).stage_configs[0]
    assert stage.trainer == "sft" and stage.rewards == () and stage.data.kind == "solutions"
    with pytest.raises(ConfigError, match=r"stages\.0"):
        config_of(*GRPO, "stages=[{train: {group_size: 7}}]")
    reaches = "stages=[{{until: {{kind: reaches, metric: {}, value: 1}}}}]"
    with pytest.raises(ConfigError, match="reward/mean, reward/correctness, reward/format, validation/accuracy"):
        config_of(*GRPO, reaches.format("loss"))
    with pytest.raises(ConfigError, match="needs a validation set"):
        config_of(*GRPO, reaches.format("validation/accuracy"))
    with pytest.raises(ConfigError, match="gives completions to imitate"):
        config_of(*GRPO, "stages=[{data: {kind: sampled, name: sandbox}}]")


def test_after_a_reset_the_reference_is_where_the_stage_ended_and_the_weights_go_on(tmp_path):
    for reference, more in (("reset", ""), ("keep", f", until: {WHILE_BETTER}")):
        out = tmp_path / reference
        validation = ("validation={problems: 4, every_steps: 2}",) if more else ()
        go(out, (*GRPO, *validation, f"stages=[{{name: period, reference: {reference}{more}}}]"))
        kl = [json.loads(line)["kl/mean"] for line in (out / "metrics.jsonl").open()]
        assert (kl[0] == 0) == (reference == "reset"), (reference, kl)
    asked = [json.loads(line) for line in (tmp_path / "keep" / "stages" / "1-period" / "metrics.jsonl").open()]
    assert ["validation/accuracy" in row for row in asked] == [False, True]
    from safetensors.torch import load_file

    ended = load_file(tmp_path / "reset" / "stages" / "1-period" / "adapter" / "adapter_model.safetensors")
    config = config_of(*GRPO, "stages=[{name: period, reference: reset}]")
    model, tokenizer = load_model(config.model, context_of(config).compute)
    model = config.adapter.attach(model, 0)
    folder = SimpleNamespace(path=tmp_path / "reset")
    session = SimpleNamespace(
        config=config, context=context_of(config), model=model, tokenizer=tokenizer, folder=folder
    )
    for number, (one, its) in enumerate(config.stage_configs, 1):
        place = RunFolder(tmp_path / "reset" / "stages" / f"{number}-{one.name}", is_resumed=True)
        Stages(session, None, None).take(one, SimpleNamespace(config=its, folder=place, context=session.context))
    now = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for name, tensor in ended.items():
        left, _, right = name.rpartition(".weight")
        assert torch.equal(tensor, now[f"{left}.default.weight{right}"]), name
