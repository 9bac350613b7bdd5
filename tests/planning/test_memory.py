"""The count of what training keeps is compared with torch's own."""

import pytest
import torch

from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.models.load import compute_settings_for, load_model
from tinyreason.planning.fit import nearest_fit
from tinyreason.planning.gpus import datasheet
from tinyreason.planning.head_tiles import divergence_tiles, touched_bytes
from tinyreason.planning.memory import NF4_BYTES, Job, generation_phase, kept_by_autograd, phases
from tinyreason.planning.model_shape import read_shape
from tinyreason.planning.plan import GB, Machine, make_plan

ROWS, TOKENS, PROMPT = 4, 40, 8
ALONE = "inference.engine=trl"
"""Rows side by side, each with its prompt."""
NEW_TOKEN = ("adapter.kind=new_token", "rollouts={kind: budget_forcing, budget: 20}")
ROWS_AT_ONCE = "train.micro_batch_size=null"
MACHINE = Machine(datasheet("t4").card(), datasheet("t4"), datasheet("t4").memory_gb * GB)


def job_of(*overrides, recipe="one_shot_rlvr"):
    limit = f"train.max_completion_tokens={TOKENS - PROMPT}"
    sizes = (f"train.rollouts_per_step={ROWS}", f"train.group_size={ROWS}", limit)
    config = read_recipe(recipe).resolve("sandbox", (*sizes, *overrides))
    return Job(config, read_shape(config.model), compute_settings_for(config.model, config.kernels, None), PROMPT)


def kept_by_torch(job, is_padded):
    """Bytes that autograd keeps of a forward pass through the adapted model, weights not counted."""
    from trl.trainer.utils import add_fused_lm_head

    from tinyreason.models.packed_rows import pack_rows
    from tinyreason.trainers.shared_prefixes import log_probs

    model, tokenizer = load_model(job.config.model, job.compute)
    if not job.shares_prompts:
        add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    model = job.config.adapter.attach(model, 0, tokenizer).train()
    weights = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # held, so that no address is used twice
        return tensor

    ids = torch.randint(5, 200, (ROWS, TOKENS))
    mask = torch.ones_like(ids)
    if is_padded:
        mask[0, :5] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if job.shares_prompts:
            ids[:, :PROMPT] = ids[0, :PROMPT]
            log_probs(model.get_base_model(), pack_rows(ids, mask, TOKENS - PROMPT, job.shape.hidden, "rows"), 1.0)
        else:
            model(input_ids=ids, attention_mask=mask, labels=ids, fused_lm_head=True)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("adapter.targets=all-linear", "adapter.rank=16"),
        ("adapter.targets=attention",),
        ("adapter.targets=[down_proj]",),
        ("adapter.targets=all-linear", "adapter.dropout=0.1"),
        ("adapter.kind=lora_xs",),
        ("adapter.kind=tinylora",),
        ("adapter.kind=miss", "adapter.rank=8"),
        ("adapter={kind: miss, variant: bat, rank: 8}",),
    ],
    ids=" ".join,
)
def test_what_autograd_keeps_is_predicted(overrides):
    job = job_of(*overrides, ALONE)
    assert kept_by_autograd(job)[0] == pytest.approx(kept_by_torch(job, is_padded=False), rel=0.03)


@pytest.mark.parametrize(
    "overrides", [(), ("adapter.targets=all-linear", "adapter.rank=16"), ("adapter.kind=lora_xs",), NEW_TOKEN]
)
def test_what_autograd_keeps_of_rows_that_share_their_prompt_is_predicted(overrides):
    job = job_of(*overrides)
    assert job.shares_prompts
    assert kept_by_autograd(job)[0] == pytest.approx(kept_by_torch(job, is_padded=False), rel=0.06)


def test_what_autograd_keeps_of_padded_rows_is_predicted():
    job = job_of("data={kind: problems, name: sandbox, size: 20}", "adapter.targets=all-linear", ALONE)
    assert kept_by_autograd(job)[0] == pytest.approx(kept_by_torch(job, is_padded=True), rel=0.03)


def test_the_kv_cache_is_as_large_as_predicted(sandbox):
    model, _ = sandbox
    job = job_of()
    with torch.no_grad():
        cache = model(torch.randint(5, 200, (ROWS, TOKENS)), use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert generation_phase(job, "generate", {}, ROWS, TOKENS).parts["KV cache"] == held


def test_every_phase_of_a_run_is_planned_and_only_those():
    names = [phase.name for phase in phases(job_of())]
    assert names == ["load", "evaluate", "generate", "score", "backward", "optimizer", "save"]
    assert "score" not in [phase.name for phase in phases(job_of("train.kl=0"))]
    needed = job_of("train.kl=0", "advantage.kind=flowrl", "train.loss=grpo")
    assert "score" in [phase.name for phase in phases(needed)]
    sft = read_recipe("reasoning_sft").resolve("sandbox")
    job = Job(sft, read_shape(sft.model), compute_settings_for(sft.model, sft.kernels, None), 39)
    assert not {"generate", "score"} & {phase.name for phase in phases(job)}
    assert [phase.name for phase in phases(job_of(recipe="length_grpo"))][:3] == ["load", "warm-up", "evaluate"]
    assert "warm-up" not in [phase.name for phase in phases(job_of("warmup.adapter=there", recipe="length_grpo"))]


def test_the_teacher_of_a_distillation_is_held_beside_the_student_and_reads_what_it_wrote():
    def planned(*overrides):
        return {phase.name: phase for phase in make_plan(of_t4(*overrides), MACHINE).phases}

    def of_t4(*overrides):
        return read_recipe("distill").resolve("t4", overrides)

    held, alone = planned(), planned("teacher_model={name: self, demonstration: true}")
    assert "teach" in held and "teach" in alone
    quantised = held["backward"].parts["teacher weights"]
    teacher = read_shape(Model(name="Qwen/Qwen2.5-7B-Instruct"))
    assert quantised == pytest.approx(
        teacher.linear_parameters * NF4_BYTES + 2 * 2 * teacher.vocab * teacher.hidden, rel=0.01
    )
    assert all(phase.parts["teacher weights"] == quantised for phase in held.values())
    assert not any("teacher weights" in phase.parts for phase in alone.values())
    unquantised = planned("teacher_model.quantize=none")["backward"].parts["teacher weights"]
    assert unquantised == pytest.approx(2 * teacher.parameters)
    assert nearest_fit(
        make_plan(of_t4("teacher_model.quantize=none"), MACHINE),
        lambda words: make_plan(of_t4("teacher_model.quantize=none", *words), MACHINE),
    ) == ("teacher_model.quantize=nf4",)


@pytest.mark.parametrize(("beta", "copies"), [(1.0, 9), (0.5, 10)])
def test_a_divergence_holds_two_tiles_and_copies_of_one(beta, copies):
    job = job_of("stages=[]", "teacher_model={name: sandbox}", f"train.beta={beta}", ROWS_AT_ONCE, recipe="distill")
    tokens, vocab = ROWS * (TOKENS - PROMPT), job.shape.vocab
    states = tokens * job.shape.hidden * 4
    assert divergence_tiles(job) == states + tokens * (2 * touched_bytes(vocab) + copies * vocab * 4)


def total(name, *overrides):
    return next(phase.total for phase in phases(job_of(*overrides)) if phase.name == name)


@pytest.mark.parametrize(
    ("phase", "smaller"),
    [
        ("backward", "train.micro_batch_size=2"),
        ("backward", "trl.gradient_checkpointing=true"),
        ("score", "train.micro_batch_size=1"),
        ("generate", "train.max_completion_tokens=16"),
        ("evaluate", "evaluation.batch_size=8"),
        ("save", "model.quantize=nf4"),
    ],
)
def test_an_option_that_saves_memory_lowers_its_phase(phase, smaller):
    assert total(phase, smaller) < total(phase)


@pytest.mark.parametrize(
    ("recipe", "words", "copies"),
    [
        ("rlvr", (), 0),
        ("rlvr", ("train.reference_update_rate=0.1",), 1),
        ("rlvr", ("train.reference_update_rate=0.1", "train.reposition=0.8", "trl.num_iterations=4"), 2),
        (
            "distill",
            (ROWS_AT_ONCE, "stages=[]", "teacher_model={name: self, demonstration: true, update_rate: 0.05}"),
            1,
        ),
    ],
)
def test_what_follows_the_trained_numbers_is_counted(recipe, words, copies):
    job = job_of(*words, recipe=recipe)
    (backward,) = (phase for phase in phases(job) if phase.name == "backward")
    assert backward.parts["adapter"] == 4 * (1 + copies) * job.trained_parameters
