"""Two processes that share a training: what they sample, compare and learn is what one process does."""

import os
import shutil
from datetime import timedelta

import pytest
from gradients import assert_close, train
from sessions import context_of
from torch.distributed import TCPStore

from tinyreason import processes, trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError, Stopped
from tinyreason.evaluation.score import Evaluator
from tinyreason.grading.grader import Grader
from tinyreason.models.load import compute_settings_for, load_model
from tinyreason.runs.checkpoint import TRAINED, CheckpointManager, roll_back
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.session import TrainingSession

SMALL = ("train.max_steps=2", "train.rollouts_per_step=16", "train.group_size=4", "train.max_completion_tokens=32")
MICRO = "train.micro_batch_size=4"
KINDS = {
    "grpo": ("rlvr", *SMALL, MICRO, "train.kl=0.01"),
    "history, a sampler and a loss of the batch": (
        *("rlvr", *SMALL, "train.micro_batch_size=8", "train.loss=bnpo", "data.size=4"),
        *("rewards=[{kind: correctness}, {kind: hapo_length}]", "samplers=[{kind: dynamic_sampling}]"),
        "train.oversample=2",
    ),
    "a plan": ("rlvr", *SMALL, MICRO, "rollouts={kind: multi_attempt}"),
    "forced": (
        *("rlvr", *SMALL[:3], MICRO, "rollouts={kind: budget_forcing, budget: 40}"),
        "train.max_completion_tokens=48",
    ),
    "sft": ("reasoning_sft", "train.max_steps=2", "train.batch_size=8", "train.micro_batch_size=2", "data.size=16"),
}


@pytest.fixture(scope="module")
def load():
    config = read_recipe("rlvr").resolve("sandbox", ())
    return lambda: load_model(config.model, compute_settings_for(config.model, config.kernels, None))


def in_two(work):
    """What `work(rank)` returns in the main one of two processes; the other is a fork of this one."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with processes.meeting(at=(TCPStore("127.0.0.1", store.port, is_master=False), 1, 2)):
                work(1)
            code = 0
        finally:
            os._exit(code)
    try:
        with processes.meeting(at=(store, 0, 2)):
            return work(0)
    finally:
        os.waitpid(child, 0)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.stress) if kind in ("a plan", "forced", "sft") else kind for kind in KINDS],
)
def test_two_processes_sample_and_learn_what_one_does(load, tmp_path, kind):
    recipe, *options = KINDS[kind]
    gradients, rollouts, _, _ = train(load, tmp_path / "one", recipe, *options)
    ours, same, _, _ = in_two(lambda rank: train(load, tmp_path / str(rank), recipe, *options, "processes=2"))
    assert same == rollouts
    assert_close(ours, gradients)
    one, two = (RunFolder(tmp_path / name, is_resumed=True).read_rows("metrics.jsonl") for name in ("one", "0"))
    for row, other in zip(one, two, strict=True):
        assert row.keys() == other.keys()
        values = {name: value for name, value in row.items() if not name.startswith("time/")}
        assert {name: other[name] for name in values} == pytest.approx(values, rel=1e-4, abs=1e-6)


def take_steps(load, place, rank: int, last: int, after=lambda step, model: None):
    """Trains with dropout up to a step in the folder `place`/rank, from its last checkpoint on."""
    options = (*SMALL[1:], "train.max_steps=2", MICRO, "adapter.dropout=0.1", "processes=2")
    config = read_recipe("rlvr").resolve("sandbox", options)
    model, tokenizer = load()
    model, folder = config.adapter.attach(model, 0), RunFolder(place / str(rank), is_resumed=True)
    checkpoints = CheckpointManager(folder, last, every_steps=1, resumed_from=roll_back(folder))
    with Grader() as grader:
        session = TrainingSession(config, context_of(config), model, tokenizer, folder, grader)
        trainers.train(session, config.data.load(), lambda step, metrics: after(step, model) or {}, checkpoints)


def test_resumed_by_as_many_processes_a_training_ends_in_the_same_bits(load, tmp_path):
    whole, other = tmp_path / "whole", tmp_path / "other"
    in_two(lambda rank: take_steps(load, whole, rank, 2))
    assert not list((whole / "1").rglob("step-*"))  # the main process alone saves
    for rank in (0, 1):  # a helper begins with a copy of what the main process has
        shutil.copytree(whole / "0", other / str(rank))
        shutil.rmtree(other / str(rank) / "checkpoints" / "step-000002")
    in_two(lambda rank: take_steps(load, other, rank, 2))
    for name in (TRAINED, "optimizer.pt", "rng_state.pth"):
        one, two = (folder / "0" / "checkpoints" / "step-000002" / name for folder in (whole, other))
        assert one.read_bytes() == two.read_bytes(), name
    assert (whole / "0" / "rollouts.jsonl").read_bytes() == (other / "0" / "rollouts.jsonl").read_bytes()


def end_at_once(step, model):
    os._exit(9)


def drift(step, model):
    next(p for p in model.parameters() if p.requires_grad).data.add_(1)


@pytest.mark.parametrize(
    ("harm", "said"),
    [(end_at_once, "has ended"), pytest.param(drift, "hold different weights", marks=pytest.mark.stress)],
)
def test_where_another_process_ends_or_computes_otherwise_training_stops(load, tmp_path, harm, said):
    def work(rank):
        take_steps(load, tmp_path, rank, 2, harm if rank else lambda step, model: None)

    with pytest.raises(Stopped, match=said):
        in_two(work)
    assert processes.count() == 1
    assert (tmp_path / "0" / "checkpoints" / "step-000001" / "state.json").is_file()


def test_an_evaluation_is_shared_out_and_graded_by_the_main_process(load):
    config = read_recipe("rlvr").resolve("sandbox", ("evaluation.max_completion_tokens=32", "evaluation.batch_size=4"))
    model, tokenizer = load()
    examples, told = config.data.load()[:7], []

    def ask(grader):
        evaluator = Evaluator(config, context_of(config), tokenizer, grader)
        return evaluator.sample(model, examples, 3, told.append)

    with Grader() as grader:
        alone, batches = ask(grader), len(told)
        told.clear()
        shared = in_two(lambda rank: ask(processes.ByMain(None if rank else grader)))
    assert shared == alone
    assert sum(told) == 21 and len(told) == 4 < batches  # 11 rows in three batches, and what the other has sampled


def test_with_one_process_nothing_is_shared_and_torch_distributed_is_not_touched(monkeypatch):
    monkeypatch.setattr(processes, "_hearing_of_deaths", None)
    assert processes.by_main(lambda: 3) == 3 and processes.gather(3) == [3] and processes.others([3]) == []
    assert list(processes.share(5)) == list(processes.dealt(range(5))) == [0, 1, 2, 3, 4]


REFUSED = {
    "rows that no two share": ("train.rollouts_per_step=15 train.group_size=5", "15 rows"),
    "a mean of a micro-batch": ("train.loss=bnpo", "train.micro_batch_size=32"),
    "an entropy bonus": ("train.entropy_bonus=0.1", "entropy_bonus=0.1"),
    "rollouts that TRL samples": ("inference.engine=trl", "our own engines"),
    "entropy that adapts": ("trl.use_adaptive_entropy=true train.micro_batch_size=8", "use_adaptive_entropy"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shared_is_refused_in_a_sentence(name):
    options, said = REFUSED[name]
    recipe = read_recipe("rlvr")
    recipe.resolve("sandbox", tuple(options.split()))
    with pytest.raises(ConfigError, match=said):
        recipe.resolve("sandbox", (*options.split(), "processes=2"))


def test_each_process_has_whole_micro_batches():
    options = ("train.rollouts_per_step=24", "train.group_size=8", "processes=2")
    assert read_recipe("rlvr").resolve("sandbox", options).micro_rows == 12
    assert read_recipe("rlvr").resolve("sandbox", (*options, "train.micro_batch_size=8")).micro_rows == 6
