"""The private names of TRL and transformers that `trl_seam.py` uses, held against the installed versions."""

import ast
import inspect
from pathlib import Path

import pytest
import torch
from sessions import session_of
from transformers import Trainer
from trl import GRPOConfig, GRPOTrainer, SFTTrainer
from trl.kernels import chunked_logprob
from trl.trainer import grpo_trainer, sft_trainer

from tinyreason.config.recipe import read_recipe
from tinyreason.trainers import trl_seam
from tinyreason.trainers.loop import trl_arguments

PACKAGE = Path(trl_seam.__file__).parents[1]
METHODS = {
    (GRPOTrainer, "_generate_and_score_completions"): ["self", "inputs"],
    (GRPOTrainer, "_generate"): ["self", "prompts"],
    (GRPOTrainer, "_generate_single_turn"): [
        *("self", "prompt_ids", "images", "multimodal_fields", "num_generations"),
    ],
    (GRPOTrainer, "_get_per_token_logps_and_entropies"): [
        *("self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size"),
    ],
    (GRPOTrainer, "_get_train_sampler"): ["self", "dataset"],
    (Trainer, "_prepare_inputs"): ["self", "inputs"],
    (Trainer, "_save_checkpoint"): ["self", "model", "trial"],
    (Trainer, "_load_from_checkpoint"): ["self", "resume_from_checkpoint", "model"],
    (Trainer, "_save_optimizer_and_scheduler"): ["self", "output_dir"],
    (Trainer, "_save_scaler"): ["self", "output_dir"],
    (Trainer, "_save_rng_state"): ["self", "output_dir"],
}
"""(class, method) → its first parameters."""
ATTRIBUTES = {
    grpo_trainer: {"_buffered_inputs", "_metrics", *trl_seam.COUNTERS, *trl_seam.LOSS_COUNTERS},
    sft_trainer: {"_metrics", "_total_train_tokens"},
}
"""Module → attributes that its trainer, or the base of TRL's trainers, counts in."""


@pytest.mark.parametrize(("owner", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_a_private_method_is_there_with_the_parameters_that_are_passed(owner, name):
    found = list(inspect.signature(getattr(owner, name)).parameters)
    wanted = METHODS[owner, name]
    assert found[: len(wanted)] == wanted, (
        f"{owner.__name__}.{name} has changed: read its new source and follow it in trainers/trl_seam.py, or pin the "
        f"library below this version"
    )


@pytest.mark.parametrize("module", ATTRIBUTES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_an_attribute_is_still_counted_in(module):
    source = inspect.getsource(module) + inspect.getsource(GRPOTrainer.__mro__[1])
    missing = {name for name in ATTRIBUTES[module] if f"self.{name}" not in source}
    assert not missing, f"{module.__name__} keeps no {missing} any more: follow it in trainers/trl_seam.py"


def test_rollouts_are_scored_where_our_advantages_take_the_place_of_trls():
    assert '"advantages": advantages' in inspect.getsource(GRPOTrainer._generate_and_score_completions)


def test_the_reference_is_entered_where_ours_takes_its_place():
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    assert source.count("use_adapter(") == 1 and hasattr(grpo_trainer, "use_adapter")


def test_logits_are_made_in_chunks_of_the_size_that_is_lowered():
    assert trl_seam.logit_chunk() == 32768


def test_two_cards_in_sight_are_one_to_the_trainer(tmp_path):
    class TwoCards(GRPOConfig):
        """As transformers sees a machine with two cards."""

        def __post_init__(self):
            super().__post_init__()
            assert self.n_gpu == 0
            self._n_gpu = 2

    config = read_recipe("one_shot_rlvr").resolve("sandbox", ("train.max_steps=1",))
    with session_of(config, tmp_path / "run") as session:
        assert trl_arguments(TwoCards, session, {}).n_gpu == 1  # of more TRL says that it has no DataParallel


def test_on_a_card_before_volta_trl_uses_no_triton(monkeypatch):
    monkeypatch.setattr(chunked_logprob, "_TRITON_AVAILABLE", True)
    assert chunked_logprob._use_triton(torch.device("cuda"))
    trl_seam.use_plain_torch()
    assert not chunked_logprob._use_triton(torch.device("cuda"))


def test_our_classes_lie_where_they_must_between_trl_and_transformers():
    from tinyreason.trainers.grpo import LeafGRPOTrainer
    from tinyreason.trainers.sft import LeafSFTTrainer

    for ours, theirs in ((LeafGRPOTrainer, GRPOTrainer), (LeafSFTTrainer, SFTTrainer)):
        order = ours.__mro__
        before, behind = order.index(trl_seam.CheckpointSeam), order.index(trl_seam.MicroBatchSeam)
        assert before < order.index(theirs) < behind < order.index(Trainer)


def test_no_other_file_touches_a_private_name_of_theirs():
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in PACKAGE.rglob("*.py")}
    ours = {
        name
        for tree in trees.values()
        for node in ast.walk(tree)
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else [node.attr]
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            else []
        )
    }
    ours.add("_replace")  # of a namedtuple, and public
    ours |= {"_linear_pointwise", "_reorder_linear_weight"}  # of torch, which has no other names for them
    theirs = {name for _, name in METHODS} | set().union(*ATTRIBUTES.values()) | {"_CHUNKED_LOGPROB_CHUNK_SIZE"}
    theirs |= {"_TRITON_AVAILABLE", "_n_gpu"}
    for file, tree in trees.items():
        if file == Path(trl_seam.__file__):
            continue
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
        used |= {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("trl", "transformers")
            for alias in node.names
            if alias.name.startswith("_")
        }
        private = {name for name in used if not name.startswith("__")}
        assert not private & theirs, f"{file.name} uses {private & theirs}; it belongs in trl_seam.py"
        assert not private - ours, f"{file.name} uses {private - ours}, which is nobody's of ours"


def test_adamw_is_fused_on_a_card_and_as_it_was_on_a_cpu():
    from types import SimpleNamespace

    from tinyreason.config.model import Model
    from tinyreason.config.recipe import read_recipe
    from tinyreason.config.run_config import Kernels
    from tinyreason.models.hardware import Card
    from tinyreason.models.kernels import choose_compute_settings
    from tinyreason.trainers.loop import trl_arguments

    class Arguments(dict):
        n_gpu = 0

    def optim(card, **kernels):
        compute = choose_compute_settings(Model(name="m"), Kernels(**kernels), card, {"bitsandbytes": "1"}, "qwen2")
        config, context = read_recipe("one_shot_rlvr").resolve("sandbox"), SimpleNamespace(compute=compute)
        folder = SimpleNamespace(checkpoints="checkpoints")
        return trl_arguments(Arguments, SimpleNamespace(config=config, context=context, folder=folder), {})["optim"]

    t4 = Card("Tesla T4", 15.0, (7, 5))
    assert optim(t4) == "adamw_torch_fused"
    assert optim(None) == "adamw_torch"
    assert optim(t4, optimizer="adamw_8bit") == "adamw_8bit"
