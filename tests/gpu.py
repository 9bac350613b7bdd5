"""`make gpu`: what one CUDA card does with this package, in at most 8 minutes, without a network.

Each stage is a process with a time limit of its own, and gpu.json is written after each, so that a machine that is
taken away leaves what it has told. What they need is imported once and each is forked from there; one that runs out of
time leaves what it had told by then, and where it stood. Weights of SmolLM2-135M-Instruct are used where they are: a
folder, a .gguf file or the parts of one, `--weights`, by default .model; else random ones of its shape, and gpu.json
says so. `--cpu` tries the stages themselves on a machine without a card, a few steps each on the sandbox.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from stage_process import import_all, say_where_it_stands, take, tell, timing

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 480
LEAST_S = 5
"""No stage is begun with less time left."""
REASON_LINES, FUNCTIONS = 25, 150
"""So many lines are told of why a test failed, and so many functions of a profile."""
GB = 2**30
TRAINED = {"reasoning_sft": "sft", "rlvr": "rlvr", "one_shot_rlvr": "one_shot"}
DTYPES = ("float16", "bfloat16")
CAPPED = {"t4": "t4", "8gb": "2060", "24gb": "3090"}
"""Tier → the card whose memory the process is held to."""
QWEN_1_5B = {
    **{"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "vocab_size": 151936},
    **{"num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True},
}
SMOLLM2 = {
    **{"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "vocab_size": 49152},
    **{"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
}


@dataclass(frozen=True)
class Bench:
    """Where the stages work, and whether on a card."""

    work: Path
    weights: Path
    on_cpu: bool
    is_forking: bool = True
    """Whether CUDA is tried in a fork."""

    @property
    def steps(self) -> int:
        return 4 if self.on_cpu else 12

    def tell(self, **facts: Any) -> None:
        """Says what is known so far, in case that there is no time for more."""
        tell(self.work, **facts)

    def model(self) -> str:
        """What SmolLM2 is here: a folder that transformers reads; of the sandbox's size on a CPU."""
        return "sandbox" if self.on_cpu else str(self.work / "smollm2")

    def card(self):
        from tinyreason.models.hardware import find_card

        return None if self.on_cpu else find_card()


def machine(bench: Bench) -> dict[str, Any]:
    """What there is."""
    import torch

    from tinyreason.runs.environment import versions

    found = {"versions": versions(), "cpu_cores": os.cpu_count(), "card": None}
    if bench.on_cpu:
        return found
    free, total = torch.cuda.mem_get_info()
    card = {"name": torch.cuda.get_device_name(), "memory_gb": total / GB, "free_gb": free / GB}
    return found | {"card": card | {"capability": list(torch.cuda.get_device_capability()), "cuda": torch.version.cuda}}


def weights(bench: Bench) -> dict[str, Any]:
    """Makes SmolLM2's folder from what there is of its weights."""
    if bench.on_cpu:
        return {"weights": "the sandbox's own"}
    folder = bench.work / "smollm2"
    if (bench.weights / "config.json").is_file():
        folder.symlink_to(bench.weights.resolve())
        return {"weights": "a folder"}
    file = whole_gguf(bench)
    if file is None:
        save_random(folder, SMOLLM2)
        return {"weights": "random, of SmolLM2's shape"}
    import torch
    import transformers

    options = {"gguf_file": file.name, "dtype": torch.bfloat16}
    places = {"model_s": (transformers.AutoModelForCausalLM, "from_pretrained")}
    places |= {"tokenizer_s": (transformers.AutoTokenizer, "from_pretrained")}
    from tinyreason.models.gguf import reading_once

    with reading_once(), timing(bench.work, **places):
        model = transformers.AutoModelForCausalLM.from_pretrained(file.parent, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"weights": "SmolLM2-135M-Instruct, dequantised from its GGUF"}


def whole_gguf(bench: Bench) -> Path | None:
    """The .gguf file, put together where it lies in parts; None where there is none."""
    if not bench.weights.is_dir():
        return bench.weights if bench.weights.suffix == ".gguf" and bench.weights.is_file() else None
    whole, parts = sorted(bench.weights.glob("*.gguf")), sorted(bench.weights.glob("*.part-*"))
    if whole or not parts:
        return whole[0] if whole else None
    joined = bench.work / "model.gguf"
    with open(joined, "wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    return joined


def save_random(folder: Path, shape: dict[str, Any]) -> Path:
    """A random Llama or Qwen2 of this shape, with the sandbox's tokenizer."""
    import torch
    import transformers

    from tinyreason.sandbox import BASE

    ids = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.Qwen2Config(**shape, **ids)
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):  # a CPU takes a minute for 1.5 B random numbers
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(BASE).save_pretrained(folder)
    return folder


def gpu_tests(bench: Bench, file: Path = ROOT / "tests" / "test_gpu.py") -> dict[str, Any]:
    """The tests marked `gpu`; where one fails the stage does, and on a CPU all are skipped."""
    import pytest

    os.chdir(ROOT)
    words = ["-v", "-m", "gpu", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-rs", "-s", str(file)]
    if code := pytest.main(words, plugins=[TestTimes(bench)]):
        sys.exit(f"the tests ended with {int(code)}")
    return {}


class TestTimes:
    """Tells of each test how it ended and how long it took."""

    __test__ = False

    def __init__(self, bench: Bench):
        self.bench = bench

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.bench.tell(at=nodeid)

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" or not report.passed or report.duration > 1:
            name = f"{report.nodeid.rpartition('::')[2]} ({report.when})"
            self.bench.tell(tests={name: f"{report.outcome}, {report.duration:.1f} s"})
        if report.failed:
            self.bench.tell(why={report.nodeid.rpartition("::")[2]: report.longreprtext.splitlines()[-REASON_LINES:]})


def sums(first: int, count: int) -> list[dict[str, str]]:
    """Additions of two numbers, each another, with the answer and a solution."""
    pairs = [(10 + n % 83, 10 + (n * 37 + n // 83) % 89) for n in range(first, first + count)]
    return [
        {"problem": f"What is {a} + {b}?", "answer": str(a + b), "completion": f"{a} + {b} = {a + b}"} for a, b in pairs
    ]


def write_rows(file: Path, rows: list[dict[str, str]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def config_of(bench: Bench, recipe: str, dtype: str, *more: str):
    """A recipe on sums: short completions, a hundred test problems before and after."""
    from tinyreason.config.recipe import read_recipe

    train = write_rows(bench.work / "train.jsonl", sums(0, 400))
    test = write_rows(bench.work / "test.jsonl", sums(400, 100))
    kind = {"sft": f"kind: solutions, file: {train}", "rlvr": f"kind: problems, file: {train}"}
    data = kind.get(TRAINED[recipe], f"kind: one_shot, file: {train}, index: 0")
    count = 8 if bench.on_cpu else 100
    overrides = [f"model.name={bench.model()}", f"model.dtype={'float32' if bench.on_cpu else dtype}"]
    overrides += ["model.quantize=none", f"data={{{data}}}", f"evaluation.data={{kind: problems, file: {test}}}"]
    overrides += [f"evaluation.problems={count}", "evaluation.samples=1", "evaluation.batch_size=100"]
    overrides += ["evaluation.max_completion_tokens=32", "evaluation.template_check=false"]
    overrides += ["validation=null", "warmup=null"]
    overrides += ["prompt=plain", f"train.max_steps={bench.steps}", "adapter={kind: lora, rank: 16}"]
    if TRAINED[recipe] == "sft":
        overrides += ["train.batch_size=16", "train.max_tokens=96"]
    else:
        overrides += ["train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=32"]
        overrides += ["train.micro_batch_size=null", "rewards=[{kind: correctness}]"]
    return read_recipe(recipe).resolve("sandbox" if bench.on_cpu else "t4", (*overrides, *more))


def context_of(bench: Bench, config):
    """What surrounds a run on this machine; it tells of each step, and how long each part of the run took."""
    from tinyreason.console import Console
    from tinyreason.models.load import compute_settings_for
    from tinyreason.runs.context import RunContext

    began, steps = time.monotonic(), []

    class Telling(Console):
        def say(self, text: str) -> None:
            print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

        @contextmanager
        def live(self, what: str, total: int, done: int = 0):
            start = time.monotonic()
            bench.tell(at=what)
            self.say(what)
            with super().live(what, total, done) as live:
                yield live
            bench.tell(phases_s={what: round(time.monotonic() - start, 2)})

    last = [began]

    def step_taken(step: int, metrics: dict[str, float]) -> None:
        now = time.monotonic()
        steps.append(metrics.get("time/step_s", now - last[0]))
        last[0] = now
        bench.tell(step_s=[round(steps[-1], 3)], steps=step)
        if len(steps) > 2:  # the first two also build what the others find ready
            bench.tell(seconds_a_step=round(median(steps[2:]), 4))

    compute = compute_settings_for(config.model, config.kernels, bench.card())
    return RunContext(Telling(), compute, callbacks=(step_taken,))


def run_in(bench: Bench, config, folder: Path):
    """Runs a config and tells how long its parts took; returns its result."""
    from tinyreason.pipeline import run as running
    from tinyreason.trainers.rollouts import RolloutSampler

    places = {"load_s": (running, "load_model"), "close_s": (running, "close_run")}
    with timing(bench.work, **places, rollout_s=(RolloutSampler, "sample")):
        return running.run(config, folder, context_of(bench, config))


def outcome(result) -> dict[str, Any]:
    """Returns what a run came to."""
    from tinyreason.models.load import peak_memory_gb

    return {
        "steps": result.training.steps,
        "accuracy": [result.before.accuracy, result.after.accuracy],
        "gain": result.gain.as_json(),
        "verdict": result.verdict,
        "verdict_reason": result.verdict_reason,
        "skipped_steps": result.training.skipped_steps,
        "seconds": result.seconds,
        "peak_gb": peak_memory_gb(),
    }


def trained(recipe: str, dtype: str, *more: str) -> Callable[[Bench], dict[str, Any]]:
    """A stage: a recipe on SmolLM2, measured before and after."""

    def stage(bench: Bench) -> dict[str, Any]:
        config = config_of(bench, recipe, dtype, *more)
        return outcome(run_in(bench, config, bench.work / "-".join((recipe, dtype, *more))))

    return stage


def profile(bench: Bench) -> dict[str, Any]:
    """The functions in which a run of a few steps spends most of its time on the processor."""
    import cProfile
    from pstats import Stats

    config = config_of(bench, "rlvr", "bfloat16", "train.max_steps=6", "evaluation.problems=8")
    watch = cProfile.Profile()
    watch.runcall(run_in, bench, config, bench.work / "profile")
    spent = sorted(Stats(watch).stats.items(), key=lambda one: -one[1][3])[:FUNCTIONS]
    return {
        "functions": [
            f"{whole:.2f} s, {own:.2f} its own, {calls} calls: {Path(file).name}:{line} {name}"
            for (file, line, name), (_, calls, own, whole, _) in spent
        ]
    }


def of_the_cpu_tier(recipe: str, *more: str) -> Callable[[Bench], dict[str, Any]]:
    """A stage: a recipe's cpu tier, whole, on the card, with as many rows at once as a step has."""

    def stage(bench: Bench) -> dict[str, Any]:
        from tinyreason.config.recipe import read_recipe

        fewer = (
            "train.max_steps=2",
            "warmup.train.max_steps=1",
            "evaluation.problems=8",
            "train.max_completion_tokens=16",
        )
        overrides = (
            f"model.name={bench.model()}",
            "train.micro_batch_size=null",
            "warmup.train.micro_batch_size=null",
            "evaluation.batch_size=512",
            *more,
            *(fewer if bench.on_cpu else ()),
        )
        config = read_recipe(recipe).resolve("cpu", overrides)
        result = run_in(bench, config, bench.work / f"{recipe} cpu")
        return outcome(result) | {"command": f"recipe {recipe} --on cpu {' '.join(overrides[1:])}"}

    return stage


def capped(tier: str, quantize: str) -> Callable[[Bench], dict[str, Any]]:
    """A stage: steps of a 1.5 B model in a smaller card's memory, beside what `plan` says of them.

    First the peak of memory of two steps on rows as long as the tier's, made up, as sampling them would take minutes;
    then the seconds of two steps of short completions that are sampled.
    """

    def stage(bench: Bench) -> dict[str, Any]:
        import torch

        from tinyreason.config.recipe import read_recipe
        from tinyreason.models.load import free_memory
        from tinyreason.planning import measure
        from tinyreason.planning.gpus import datasheet, datasheet_of
        from tinyreason.planning.measure import longest_sample_overrides
        from tinyreason.planning.plan import GB, Machine, make_plan
        from tinyreason.trainers.rollouts import RolloutSampler

        shape = QWEN_1_5B | ({"num_hidden_layers": 2, "vocab_size": 512, "hidden_size": 96} if bench.on_cpu else {})
        shape |= {"intermediate_size": 128, "num_attention_heads": 4} if bench.on_cpu else {}
        folder = bench.work / "qwen"
        if not (folder / "tokenizer_config.json").exists():  # saved last
            with timing(bench.work, save_random_s=(sys.modules[__name__], "save_random")):
                save_random(folder, shape)
        train = write_rows(bench.work / "train.jsonl", sums(0, 400))
        overrides = [f"model.name={folder}", f"model.quantize={quantize}", f"data={{kind: problems, file: {train}}}"]
        overrides += ["evaluation.data=null", "rewards=[{kind: format}]"]
        overrides += ["train.rollouts_per_step=8", "train.group_size=8"] if bench.on_cpu else ["model.dtype=float16"]
        recipe, on = read_recipe("rlvr"), "sandbox" if bench.on_cpu else tier
        longest = longest_sample_overrides(recipe.resolve(on, overrides))
        whole = recipe.resolve(on, (*overrides, *longest))
        overrides += ["train.max_completion_tokens=64"]
        overrides += longest_sample_overrides(recipe.resolve(on, overrides))
        config = recipe.resolve(on, overrides)
        sheet, card = datasheet(CAPPED[tier]), bench.card()
        cap = sheet.memory_gb
        if card:
            torch.cuda.set_per_process_memory_fraction(min(1.0, cap / card.memory_gb))
        context, machine = context_of(bench, config), Machine(card, card and datasheet_of(card), cap * GB)
        with timing(bench.work, load_s=(measure, "load_model"), rollout_s=(RolloutSampler, "sample")):
            peak = measured_peak(whole, context, machine)
            bench.tell(held_to_gb=cap, whole_rows=peak)
            free_memory()
            measured = measure.measure_steps(config, context.compute, context.console)
        plan = make_plan(config, machine, measured.prompt_tokens)
        known = {"name": card.name, "memory_gb": card.memory_gb, "capability": list(card.capability)} if card else None
        workload = {"recipe": "rlvr", "tier": on, "overrides": overrides, "shape": vars(plan.job.shape), "card": known}
        return measured.beside(plan) | workload

    return stage


def measured_peak(config, context, machine) -> dict[str, Any]:
    """The most memory of two steps on made-up completions, all as long as allowed, beside what `plan` says."""
    from random import Random

    from tinyreason.planning.measure import measure_steps
    from tinyreason.planning.plan import make_plan
    from tinyreason.trainers.rollouts import RolloutSampler

    def made_up(self, model, prompts, step, first, limit, call):
        return [Random(f"{step} {first + row}").choices(range(10, 200), k=limit) for row in range(len(prompts))]

    with patch.object(RolloutSampler, "sampled", made_up):
        measured = measure_steps(config, context.compute, context.console)
    plan = make_plan(config, machine, measured.prompt_tokens)
    phase = max((phase for phase in plan.phases if phase.name in ("score", "backward")), key=lambda phase: phase.total)
    predicted = phase.in_torch if machine.card else phase.total
    found = {"row_tokens": plan.job.row_tokens, "phase": phase.name, "plan_fits": plan.fits}
    return found | {"predicted_peak_bytes": predicted, "measured_peak_bytes": measured.peak}


def engines(bench: Bench) -> dict[str, Any]:
    """Seconds of the same rollouts by transformers' generate, adapter beside and merged, and by each engine of ours."""
    import torch

    from tinyreason.inference.engines import make_engine
    from tinyreason.inference.engines.loop import roll_out
    from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
    from tinyreason.models.load import load_model

    config = config_of(bench, "rlvr", "bfloat16")
    model, tokenizer = load_model(config.model, context_of(bench, config).compute)
    model = config.adapter.attach(model, seed=0).eval()
    prompts = tokenizer(["What is 12 + 30?"] * 16, return_tensors="pt").to(model.device)
    rows, tokens, said = prompts["input_ids"].tolist(), 32, {}

    def generate() -> None:
        model.generate(**prompts, min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False)

    def by(name: str) -> Callable[[], None]:
        def roll() -> None:
            engine, uniforms = make_engine(model, name, len(rows)), uniforms_of(list(range(len(rows))), tokens)
            said[name] = roll_out(engine, rows, uniforms, TokenRule(), set(), least=tokens).ids

        return roll

    def seconds(work: Callable[[], None]) -> float:
        times = []
        for _ in range(4):
            began = time.monotonic()
            work()
            if not bench.on_cpu:
                torch.cuda.synchronize()
            times.append(time.monotonic() - began)
        return sorted(times[1:])[1]

    bench.tell(rows=len(rows), tokens=tokens, generate_s=seconds(generate))
    for name in ("hf", "fused"):
        bench.tell(**{f"{name}_s": seconds(by(name))})
    bench.tell(rows_with_the_same_tokens=sum(map(list.__eq__, said["hf"], said["fused"])))
    bench.tell(step_ms=milliseconds_of_steps(make_engine(model, "fused", len(rows)), rows))
    model.merge_adapter()
    return {"generate_merged_s": seconds(generate)}


def milliseconds_of_steps(engine, prompts: list[list[int]]) -> dict[str, float]:
    """Milliseconds of one step of the engine, as its graph, and made anew; and of its first, which makes the graph."""
    import torch

    engine.prefill(prompts, len(prompts), 64)
    tokens = torch.tensor([prompt[-1] for prompt in prompts], device=engine.device)

    def milliseconds(count: int) -> float:
        began = time.monotonic()
        for _ in range(count):
            engine.step(tokens)
        if engine.device.type == "cuda":
            torch.cuda.synchronize()
        return round(1000 * (time.monotonic() - began) / count, 2)

    found = {"first": milliseconds(1), "next": milliseconds(20)}
    engine.has_fixed_steps = False
    return found | {"not recorded": milliseconds(20)}


def out_of_memory(bench: Bench) -> dict[str, Any]:
    """A step too large for the memory is taken in parts, with the groups unchanged."""
    import torch

    config = config_of(bench, "rlvr", "float16", "train.max_steps=2", "train.rollouts_per_step=64")
    if not bench.on_cpu:
        torch.cuda.set_per_process_memory_fraction(min(1.0, 2.0 / bench.card().memory_gb))
    folder = bench.work / "oom"
    run_in(bench, config, folder)
    return {"retries": (folder / "log.txt").read_text().count("out of memory at"), "held_to_gb": 2.0}


def killed(bench: Bench) -> dict[str, Any]:
    """A run that is killed with SIGKILL as soon as `first_steps` have been taken."""
    run_in(bench, config_of(bench, "rlvr", "bfloat16", "train.max_steps=5"), bench.work / "killed")
    return {}


def first_steps(bench: Bench) -> dict[str, Any] | None:
    """How many steps the run to be killed has taken, once there are two."""
    metrics = bench.work / "killed" / "metrics.jsonl"
    reached = len(metrics.read_text().splitlines()) if metrics.is_file() else 0
    return {"killed_after_step": reached} if reached >= 2 else None


def resumed(bench: Bench) -> dict[str, Any]:
    """The run that was killed resumes where it was, and ends."""
    if first_steps(bench) is None:
        sys.exit("there is no killed run to resume: it is the stage `killed` before this one that makes it.")
    killed(bench)
    steps = [json.loads(line)["step"] for line in (bench.work / "killed" / "metrics.jsonl").open()]
    return {"in_order": steps == list(range(1, 6))}


@dataclass(frozen=True)
class Stage:
    """What a stage does, seconds that it may take, and, where it is to be killed, what must be there by then."""

    work: Callable[[Bench], dict[str, Any]]
    limit: float
    until: Callable[[Bench], dict[str, Any] | None] | None = None


KEPT = "trl.gradient_checkpointing=false"
STAGES = {
    "machine": Stage(machine, 30),
    "weights": Stage(weights, 50),
    "tests": Stage(gpu_tests, 90),
    "engines": Stage(engines, 60),
    **{f"{name} bfloat16": Stage(trained(recipe, "bfloat16"), 60) for recipe, name in TRAINED.items()},
    "profile": Stage(profile, 60),
    "rlvr bfloat16 kept": Stage(trained("rlvr", "bfloat16", KEPT), 40),
    "killed": Stage(killed, 40, first_steps),
    "resumed": Stage(resumed, 40),
    "t4 nf4": Stage(capped("t4", "nf4"), 60),
    "8gb nf4": Stage(capped("8gb", "nf4"), 60),
    "t4 none": Stage(capped("t4", "none"), 60),
    "rlvr float16": Stage(trained("rlvr", "float16"), 60),
    "sft float16": Stage(trained("reasoning_sft", "float16"), 40),
    "out of memory": Stage(out_of_memory, 40),
    "24gb none": Stage(capped("24gb", "none"), 60),
    "cpu rlvr": Stage(of_the_cpu_tier("rlvr", KEPT), 200),
    "cpu one_shot": Stage(of_the_cpu_tier("one_shot_rlvr", KEPT), 200),
}
"""In this order, as long as the whole has time: what no card has told yet first."""


def arguments_of(bench: Bench) -> list[str]:
    return ["--work", str(bench.work), "--weights", str(bench.weights), *(["--cpu"] if bench.on_cpu else [])]


def begin(bench: Bench, name: str, limit: float) -> None:
    """Does a stage in this fork; in a new process, at the price of its imports, where CUDA does not begin in a fork."""
    if not bench.on_cpu and not (bench.is_forking and card_answers()):
        words = [*arguments_of(bench), "--limit", str(limit), "--stage", name]
        os.execv(sys.executable, [sys.executable, str(Path(__file__)), *words])
    bench.tell(**STAGES[name].work(bench))


def card_answers() -> bool:
    """Whether CUDA begins in this process."""
    import torch

    try:
        return torch.ones(1, device="cuda").item() == 1
    except (RuntimeError, AssertionError) as error:
        print(f"CUDA does not begin in this fork: {error}", flush=True)
        return False


def place_to_work() -> str | None:
    """A folder in memory where there is one with room, as weights of 3 GB are written and read; else the usual one."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 16 * GB else None


def make_ready() -> None:
    """Sets, before torch is imported, that asking for a card does not begin CUDA, and that libraries are silent."""
    from tinyreason.console import quiet_libraries

    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    quiet_libraries(offline=True)


def has_card() -> bool:
    """Whether torch can use a CUDA card here."""
    import torch

    return torch.cuda.is_available()


def missing_packages() -> list[str]:
    """What pyproject.toml asks for and this Python has not, whatever its version."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    have = {canonicalize_name(found.name) for found in metadata.distributions()}
    return sorted(name for name in (Requirement(text).name for text in asked) if canonicalize_name(name) not in have)


def main() -> int:
    """Takes all stages, or the one that is named; returns 0 where none failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--weights", type=Path, default=Path(".model"))
    parser.add_argument("--cpu", action="store_true", help="try the stages without a card")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for all of it")
    parser.add_argument("--only", help="names of stages, with commas between")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    make_ready()
    if asked.stage:
        say_where_it_stands(asked.limit)
        bench = Bench(asked.work, asked.weights, asked.cpu)
        bench.tell(**STAGES[asked.stage].work(bench), in_a_new_process=True)
        return 0
    began, told = time.monotonic(), {}
    if not asked.cpu and not has_card():
        print("make gpu needs a CUDA card that torch can use, and there is none here; --cpu tries the stages without.")
        return 2
    if missing := missing_packages():
        print(f"make gpu needs {', '.join(missing)} beside {sys.executable}'s packages: pip install them.")
        return 2

    def write(name: str, found: dict[str, Any]) -> None:
        told[name] = found
        asked.out.write_text(json.dumps(told, indent=1) + "\n")
        said = "ok" if "result" in found else found["failed"][-1]
        print(f"{name:<24} {found['seconds']:>6} s  {said}", flush=True)

    write("imports", import_all() | {"seconds": round(time.monotonic() - began, 1)})
    with tempfile.TemporaryDirectory(dir=place_to_work()) as work:
        bench = Bench(Path(work), asked.weights.resolve(), asked.cpu)
        for name in asked.only.split(",") if asked.only else STAGES:
            stage, left = STAGES[name], asked.limit - (time.monotonic() - began)
            if left > LEAST_S:
                limit = min(stage.limit, left)
                until = stage.until and partial(stage.until, bench)
                found = take(bench.work, partial(begin, bench, name, limit), limit, until)
                write(name, found)
                if name == "machine" and "failed" in found:  # what does not begin in a fork may also hang there
                    bench = replace(bench, is_forking=False)
            else:
                write(name, {"failed": ["no time was left"], "seconds": 0})
    failed = [name for name, found in told.items() if "failed" in found]
    print(f"{len(told) - len(failed)} of {len(told)} stages told something to the end, in {asked.out}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
