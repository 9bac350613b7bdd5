"""A student follows a teacher's probabilities on its own rollouts: the formula, the loss, what may teach."""

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from gradients import assert_close, fill_up, gradients
from sessions import context_of, session_of
from tiny_models import tiny_model, tiny_tokenizer

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.data.problems import Problems
from tinyreason.errors import ConfigError, ModelError
from tinyreason.example import Example
from tinyreason.inference.teacher_model import load_teacher
from tinyreason.models.load import load_model
from tinyreason.trainers import distill, shared_prefixes

QUICK = (
    *("stages=[]", "train.max_steps=1", "train.rollouts_per_step=8", "train.micro_batch_size=null"),
    "train.max_completion_tokens=24",
)
BASE = ("teacher_model={name: sandbox}", *QUICK)
SELF = ("teacher_model={name: self, demonstration: true}", *QUICK)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shared_prefixes, "pack_rows", shared_prefixes.pack_rows)


def config_of(*overrides: str):
    return read_recipe("distill").resolve("sandbox", overrides)


def train(load, folder, *overrides: str, change=lambda model: None):
    """(gradients, rollouts, the losses, what `change` returned) of a student whose adapter is not zero."""
    config = config_of(*overrides)
    model, tokenizer = load()
    model = config.adapter.attach(model, 0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    changed = change(model)
    with session_of(config, folder, model=model, tokenizer=tokenizer) as session, gradients() as found:
        session = replace(session, teacher=load_teacher(config, tokenizer))
        trainers.train(session, config.data.load(), lambda step, metrics: {})
        rows, metrics = (session.folder.read_rows(name) for name in ("rollouts.jsonl", "metrics.jsonl"))
    return found, rows, [row["loss"] for row in metrics], changed


def one_token(logits: list[float]) -> tuple[torch.Tensor, SimpleNamespace]:
    """A model of three tokens whose logits are these, as (hidden states, model)."""
    head = torch.nn.Linear(3, len(logits), bias=False)
    head.weight.data = torch.eye(len(logits), 3)
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(model_type="llama"))
    return torch.tensor([logits[:3]], requires_grad=True), SimpleNamespace(
        get_output_embeddings=lambda: head, config=config
    )


@pytest.mark.parametrize(("beta", "wanted"), [(1.0, 0.1927), (0.0, 0.2231), (0.5, 0.0507)])
def test_beta_1_is_the_reverse_kl_and_beta_0_the_forward_one(beta, wanted):
    student, teacher = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.5, 0.25, 0.25])
    # 0.8 ln 1.6 + 0.2 ln 0.4; 0.5 ln 0.625 + 0.5 ln 2.5; and with m = 0.65, 0.175, 0.175 half of
    # 0.8 ln (0.8/0.65) + 0.2 ln (0.1/0.175) and of 0.5 ln (0.5/0.65) + 0.5 ln (0.25/0.175)
    ours, theirs = one_token(student.log().tolist()), one_token(teacher.log().tolist())
    found, entropy = distill.divergences(ours, theirs, beta, 1.0)
    assert found.item() == pytest.approx(wanted, abs=1e-4)
    assert entropy.item() == pytest.approx(float(-(student * student.log()).sum()), abs=1e-5)
    found.sum().backward()
    assert ours[0].grad.abs().sum() > 0 and theirs[0].grad is None


def test_of_heads_of_two_sizes_the_tokens_that_both_have_are_compared():
    student, teacher = one_token([0.3, 0.2, 0.1]), one_token([0.3, 0.2, 0.1, 9.0, 9.0])
    teacher[1].get_output_embeddings().weight.data[3:] = 7.0
    assert distill.divergences(student, teacher, 1.0, 1.0)[0].item() == pytest.approx(0.0, abs=1e-6)
    assert distill.divergences(teacher, student, 1.0, 1.0)[0].item() == pytest.approx(0.0, abs=1e-6)


def test_the_loss_is_the_mean_over_the_tokens_of_a_divergence_from_whole_logits(load, tmp_path):
    changes = ("train.beta=0", *BASE)
    whole, rows, (loss,), _ = train(load, tmp_path / "whole", *changes)
    model, tokenizer = load()
    config = config_of(*changes)
    student = config.adapter.attach(model, 0)
    for name, parameter in student.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    teacher, _ = load()
    examples = {example.id: example for example in config.data.load()}
    total = count = 0
    for row in rows:
        prompt = distill.encoded(tokenizer, distill.prompt_of(config, tokenizer, examples[row["problem_id"]]))
        ids = torch.tensor([prompt + completion_ids(tokenizer, row)])
        with torch.no_grad():
            ours, theirs = (one(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for one in (student, teacher))
        total += float((theirs.exp() * (theirs - ours)).sum())
        count += len(ours)
    assert count == sum(row["tokens"] for row in rows)
    assert loss == pytest.approx(total / count, rel=1e-4)
    parts, again, (in_parts,), _ = train(load, tmp_path / "parts", *changes, "train.micro_batch_size=2")
    assert [row["completion"] for row in again] == [row["completion"] for row in rows]
    assert in_parts == pytest.approx(loss, rel=1e-4)
    assert_close(parts, whole)


def completion_ids(tokenizer, row) -> list[int]:
    ids = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
    ids += [] if row["truncated"] else [tokenizer.eos_token_id]
    assert len(ids) == row["tokens"]
    return ids


def test_a_micro_batch_that_overflows_is_taken_in_parts_with_the_same_gradient(load, tmp_path):
    whole, rows, losses, _ = train(load, tmp_path / "whole", *BASE)
    fill = partial(fill_up, place="backward", most_rows=3)
    parts, again, in_parts, overflows = train(load, tmp_path / "parts", *BASE, change=fill)
    assert overflows == [8, 4]
    assert again == rows and in_parts == pytest.approx(losses, rel=1e-4)
    assert_close(parts, whole)


def test_an_untrained_student_beside_its_own_base_has_nothing_to_learn(load, tmp_path):
    config = config_of(*BASE)
    with session_of(config, tmp_path / "run") as session, gradients() as found:
        session = replace(session, teacher=load_teacher(config, session.tokenizer))
        trainers.train(session, config.data.load(), lambda step, metrics: {})
        (row,) = session.folder.read_rows("metrics.jsonl")
    assert abs(row["loss"]) < 1e-6 and max(float(gradient.abs().max()) for gradient in found[0]) < 1e-6
    rollouts = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open()]
    assert {type(one["correct"]) for one in rollouts} == {bool}, "graded for the report"
    assert {one["advantage"] for one in rollouts} == {0.0} and not any(name.startswith("reward") for name in row)


def test_a_student_that_teaches_itself_reads_each_row_with_its_own_solution(load, tmp_path, monkeypatch):
    read = []
    states = distill.states_before

    def reading(model, prompts, completions):
        rows = [ids[there.bool()].tolist() for ids, there in zip(*prompts, strict=True)]
        is_as_before = all(layer.disable_adapters for layer in model.modules() if hasattr(layer, "lora_A"))
        read.append((torch.is_grad_enabled(), is_as_before, rows))
        return states(model, prompts, completions)

    monkeypatch.setattr(distill, "states_before", reading)
    words = (*SELF, "data={kind: solutions, name: sandbox, size: 4}")
    _, _, (loss,), _ = train(load, tmp_path / "run", *words)
    assert loss > 0
    config, (_, tokenizer) = config_of(*words), load()

    def ids_of(example) -> list[int]:
        return distill.encoded(tokenizer, distill.prompt_of(config, tokenizer, example))

    examples = config.data.load()
    shown = {tuple(ids_of(one)): ids_of(distill.demonstrated(one, one.completion)) for one in examples}
    (*teacher, theirs), (*student, ours) = read
    assert (teacher, student) == ([False, True], [True, False])
    assert theirs == [shown[tuple(row)] for row in ours] and all(shown[key] != list(key) for key in shown)


def test_a_demonstration_is_the_completion_or_else_the_gold_answer():
    asked = ({"role": "user", "content": "1+1?"},)
    for example, shown in (
        (Example("a", asked, "2", "1+1 is 2."), "1+1 is 2."),
        (Example("b", asked, "#### 2"), "#### 2"),
    ):
        text = distill.demonstrated(example, example.completion or example.answer).problem
        assert text.startswith("1+1?\n\n") and f"\n{shown}\n" in text
    assert distill.demonstrated(Example("c", asked, ""), "").problem == "1+1?"


def test_the_teacher_is_shown_the_first_other_correct_rollout_of_the_problem(batch_of):
    correct = [1, 0, 1, 0, 0, 1, 0, float("nan"), 0, 0, 0, 0]
    batch = batch_of([f"says {n}" for n in range(12)], correct, group_size=4)
    found = [text and int(text.removeprefix("says ")) for text in distill.solved_by_others(batch)]
    assert found == [2, 0, 0, 0, 5, None, 5, 5, None, None, None, None]  # nothing shows itself


def test_only_rollouts_whose_problem_another_one_solved_are_in_the_loss(load, tmp_path, monkeypatch):
    read, states = [], distill.states_before

    def reading(model, prompts, completions):
        read.append([ids[there.bool()].tolist() for ids, there in zip(*prompts, strict=True)])
        return states(model, prompts, completions)

    monkeypatch.setattr(distill, "states_before", reading)
    teacher = "teacher_model={name: self, demonstration: rollout, update_rate: 0.05}"
    size = ("train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=64")
    _, rows, (loss,), _ = train(load, tmp_path / "run", *SELF, teacher, *size, "train.micro_batch_size=4")
    solved = [[row for row in rows[at : at + 8] if row["correct"]] for at in (0, 8)]
    taught = [row for n, row in enumerate(rows) if any(other is not row for other in solved[n // 8])]
    assert 0 < len(taught) < 16 and loss > 0
    (metrics,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert metrics["teacher/share_taught"] == len(taught) / 16
    tokenizer = load()[1]
    shown = [tokenizer.decode(row) for rows in read[::2] for row in rows]
    assert len(shown) == len(taught) == sum(map(len, read[1::2]))
    texts = {one["completion"] for group in solved for one in group}
    assert all(any(f"Correct solution:\n\n{text}\n\n" in prompt for text in texts) for prompt in shown)


def test_a_teacher_that_follows_is_an_average_of_the_student(load, tmp_path, monkeypatch):
    weights, states = [], distill.states_before

    def looking(model, *parts):
        weights.append(next(p.detach().clone() for name, p in model.named_parameters() if "lora_B.default" in name))
        return states(model, *parts)

    monkeypatch.setattr(distill, "states_before", looking)
    words = ("teacher_model={name: self, demonstration: true, update_rate: 0.25}", "train.max_steps=2")
    train(load, tmp_path / "run", *QUICK, *words, "data={kind: solutions, name: sandbox, size: 4}")
    teacher, student, later, moved = weights
    assert torch.equal(teacher, student) and not torch.equal(moved, student)
    assert torch.allclose(later, torch.lerp(student, moved, 0.25), atol=1e-7)


def test_problems_without_answers_can_be_distilled_on(tmp_path, jsonl):
    file = jsonl(*({"problem": f"{n} + 1 = ?"} for n in range(8)))
    config = config_of(
        *BASE, f"data={{kind: problems, file: {file}}}", "evaluation.data={kind: problems, name: sandbox}"
    )
    assert isinstance(config.data, Problems)
    from tinyreason.config.training_split import training_examples

    examples = training_examples(config)
    with session_of(config, tmp_path / "run") as session:
        session = replace(session, teacher=load_teacher(config, session.tokenizer))
        trainers.train(session, examples, lambda step, metrics: {})
    rollouts = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").open()]
    assert {one["correct"] for one in rollouts} == {None}


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("teacher_model={name: self}", "stages=[]"), "teacher_model.demonstration=true"),
        (("stages=[]",), "there are no stages before it"),
        (("teacher_model.update_rate=0.05",), "averages the student itself, and stage is another model"),
        (("teacher_model=null", "stages=[]"), "trainer distill needs a teacher"),
        (("trl.beta=0.1",), "trl.beta is of GRPO's loss"),
        (
            ("teacher_model={name: a.gguf, quantize: nf4}", "stages=[]"),
            "teacher_model.quantize=nf4 is not for a GGUF file",
        ),
        (("trl.max_len=3",), "trl.max_len"),
    ],
)
def test_what_cannot_teach_is_answered_with_one_sentence(words, said):
    with pytest.raises(ConfigError, match=said):
        config_of(*words)


def test_a_trainer_without_a_teacher_takes_none():
    with pytest.raises(ConfigError, match="teacher_model has nothing to teach"):
        read_recipe("rlvr").resolve("sandbox", ("teacher_model={name: sandbox}",))


def test_a_teacher_with_another_tokenizer_is_refused_before_its_weights_are_read(tmp_path, monkeypatch):
    folder = tiny_model(tmp_path / "other")
    config = config_of(f"teacher_model={{name: {folder}}}", *QUICK)
    _, tokenizer = load_model(config.model, context_of(config).compute)
    monkeypatch.setattr("tinyreason.inference.teacher_model.load_with_adapter", None)
    with pytest.raises(ModelError, match=r"has another tokenizer than model\.name=sandbox: token"):
        load_teacher(config, tokenizer)
    with pytest.raises(ModelError, match=r"teacher_model\.name=.*"):
        load_teacher(config_of("teacher_model={name: nobody/there}", *QUICK), tokenizer)


def test_a_larger_model_of_the_family_teaches_from_its_folder(tmp_path):
    student, teacher = (
        tiny_model(tmp_path / name, tokenizer=tiny_tokenizer(), rows=rows, hidden_size=size)
        for name, rows, size in (("student", 320, 64), ("teacher", 352, 96))
    )
    config = config_of(
        f"model.name={student}", f"teacher_model={{name: {teacher}}}", *QUICK, "adapter.targets=all-linear"
    )
    with session_of(config, tmp_path / "run") as session:
        session = replace(session, teacher=load_teacher(config, session.tokenizer))
        trainers.train(session, config.data.load(), lambda step, metrics: {})
        (row,) = session.folder.read_rows("metrics.jsonl")
    assert row["loss"] > 0 and row["gradient/norm"] > 0
