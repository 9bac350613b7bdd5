"""`make gpu`: what one CUDA card does with this package, in at most 8 minutes, without a network.

Each stage is a process with a time limit of its own, and gpu.json is written after each, so that a machine that is
taken away leaves what it has told. Weights of SmolLM2-135M-Instruct are used where they are: a folder, a .gguf file or
the parts of one, `--weights`, by default .model; else random ones of its shape, and gpu.json says so. `--cpu` tries
the stages themselves on a machine without a card, a few steps each on the sandbox.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 480
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

    @property
    def steps(self) -> int:
        return 2 if self.on_cpu else 40

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

    options = {"gguf_file": file.name, "dtype": torch.float32}
    model = transformers.AutoModelForCausalLM.from_pretrained(file.parent, **options)
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
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
    with torch.device("cpu"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(BASE).save_pretrained(folder)
    return folder


def gpu_tests(bench: Bench) -> dict[str, Any]:
    """The tests marked `gpu`; where one fails the stage does, and on a CPU all are skipped."""
    words = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "-rs", "-s"]
    done = subprocess.run([*words, "tests/test_gpu.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()[-12:]
    if done.returncode:
        sys.exit("\n".join(said))
    return {"said": said}


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
    overrides += ["evaluation.max_completion_tokens=32", "evaluation.template_check=false", "validation=null"]
    overrides += ["prompt=plain", f"train.max_steps={bench.steps}", "adapter={kind: lora, rank: 16}"]
    if TRAINED[recipe] == "sft":
        overrides += ["train.batch_size=16", "train.max_tokens=96"]
    else:
        overrides += ["train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=32"]
        overrides += ["train.micro_batch_size=null", "rewards=[{kind: correctness}]"]
    return read_recipe(recipe).resolve("sandbox" if bench.on_cpu else "t4", (*overrides, *more))


def context_of(bench: Bench, config):
    """What surrounds a run on this machine, silent."""
    from tinyreason.console import Console
    from tinyreason.models.load import compute_settings_for
    from tinyreason.runs.context import RunContext

    return RunContext(Console(quiet=True), compute_settings_for(config.model, config.kernels, bench.card()))


def trained(recipe: str, dtype: str) -> Callable[[Bench], dict[str, Any]]:
    """A stage: a recipe on SmolLM2, measured before and after."""

    def stage(bench: Bench) -> dict[str, Any]:
        from tinyreason.models.load import peak_memory_gb
        from tinyreason.pipeline.run import run

        config, folder = config_of(bench, recipe, dtype), bench.work / f"{recipe}-{dtype}"
        result = run(config, folder, context_of(bench, config))
        return {
            "steps": result.training.steps,
            "seconds_a_step": result.seconds["train"] / result.training.steps,
            "accuracy": [result.before.accuracy, result.after.accuracy],
            "gain": result.gain.as_json(),
            "verdict": result.verdict,
            "verdict_reason": result.verdict_reason,
            "skipped_steps": result.training.skipped_steps,
            "seconds": result.seconds,
            "peak_gb": peak_memory_gb(),
        }

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
        from tinyreason.planning.gpus import datasheet, datasheet_of
        from tinyreason.planning.measure import longest_sample_overrides, measure_steps
        from tinyreason.planning.plan import GB, Machine, make_plan

        shape = QWEN_1_5B | ({"num_hidden_layers": 2, "vocab_size": 512, "hidden_size": 96} if bench.on_cpu else {})
        shape |= {"intermediate_size": 128, "num_attention_heads": 4} if bench.on_cpu else {}
        folder = bench.work / "qwen"
        if not folder.exists():
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
        peak = measured_peak(whole, context, machine)
        free_memory()
        measured = measure_steps(config, context.compute, context.console)
        plan = make_plan(config, machine, measured.prompt_tokens)
        known = {"name": card.name, "memory_gb": card.memory_gb, "capability": list(card.capability)} if card else None
        workload = {"recipe": "rlvr", "tier": on, "overrides": overrides, "shape": vars(plan.job.shape), "card": known}
        return measured.beside(plan) | workload | {"held_to_gb": cap, "whole_rows": peak}

    return stage


def measured_peak(config, context, machine) -> dict[str, Any]:
    """The most memory of two steps on made-up completions, all as long as allowed, beside what `plan` says."""
    from random import Random
    from unittest.mock import patch

    from tinyreason.planning.measure import measure_steps
    from tinyreason.planning.plan import make_plan
    from tinyreason.trainers.rollouts import RolloutSampler

    def made_up(self, model, prompts, step, first, limit):
        return [Random(f"{step} {first + row}").choices(range(10, 200), k=limit) for row in range(len(prompts))]

    with patch.object(RolloutSampler, "sample", made_up):
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

    found = {"rows": len(rows), "tokens": tokens, "generate_s": seconds(generate)}
    found |= {f"{name}_s": seconds(by(name)) for name in ("hf", "fused")}
    found["rows_with_the_same_tokens"] = sum(map(list.__eq__, said["hf"], said["fused"]))
    model.merge_adapter()
    return found | {"generate_merged_s": seconds(generate)}


def out_of_memory(bench: Bench) -> dict[str, Any]:
    """A step too large for the memory is taken in parts, with the groups unchanged."""
    import torch

    from tinyreason.pipeline.run import run

    config = config_of(bench, "rlvr", "float16", "train.max_steps=2", "train.rollouts_per_step=64")
    if not bench.on_cpu:
        torch.cuda.set_per_process_memory_fraction(min(1.0, 2.0 / bench.card().memory_gb))
    folder = bench.work / "oom"
    result = run(config, folder, context_of(bench, config))
    log = (folder / "log.txt").read_text()
    return {"steps": result.training.steps, "retries": log.count("out of memory at"), "held_to_gb": 2.0}


def killed(bench: Bench) -> dict[str, Any]:
    """A run that is killed with SIGKILL resumes where it was and ends."""
    from tinyreason.pipeline.run import run

    folder, metrics = bench.work / "killed", bench.work / "killed" / "metrics.jsonl"
    child = subprocess.Popen([sys.executable, __file__, *arguments_of(bench), "--stage", "to be killed"], cwd=ROOT)
    while child.poll() is None and not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 2):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reached = len(metrics.read_text().splitlines())
    config = config_of(bench, "rlvr", "bfloat16", "train.max_steps=5")
    result = run(config, folder, context_of(bench, config))
    steps = [json.loads(line)["step"] for line in metrics.open()]
    return {"killed_after_step": reached, "steps": result.training.steps, "in_order": steps == list(range(1, 6))}


def to_be_killed(bench: Bench) -> dict[str, Any]:
    from tinyreason.pipeline.run import run

    config = config_of(bench, "rlvr", "bfloat16", "train.max_steps=5")
    run(config, bench.work / "killed", context_of(bench, config))
    return {}


STAGES: dict[str, tuple[Callable[[Bench], dict[str, Any]], int]] = {
    "machine": (machine, 40),
    "weights": (weights, 60),
    "tests": (gpu_tests, 120),
    "killed": (killed, 60),
    "out of memory": (out_of_memory, 40),
    "engines": (engines, 40),
    **{f"{name} {dtype}": (trained(recipe, dtype), 75) for recipe, name in TRAINED.items() for dtype in DTYPES},
    **{f"{tier} {quantize}": (capped(tier, quantize), 60) for quantize in ("none", "nf4") for tier in CAPPED},
}
"""Name → (what it does, seconds that it may take); in this order, as long as the whole has time."""
HELPERS = {"to be killed": to_be_killed}


def arguments_of(bench: Bench) -> list[str]:
    return ["--work", str(bench.work), "--weights", str(bench.weights), *(["--cpu"] if bench.on_cpu else [])]


def take(bench: Bench, name: str, limit: float) -> dict[str, Any]:
    """Runs a stage in a process of its own; what it says, or why it said nothing.

    It says it into a file: of a pipe the end comes only when no process that a stage has left behind holds it open.
    """
    words = [sys.executable, __file__, *arguments_of(bench), "--stage", name]
    began, file, is_late = time.monotonic(), bench.work / "said.txt", False
    with open(file, "wb") as opened:
        options = {"stdout": opened, "stderr": subprocess.STDOUT, "start_new_session": True}
        child = subprocess.Popen(words, cwd=ROOT, **options)
        try:
            child.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            is_late = True
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    lines = file.read_text(errors="replace").strip().splitlines() or [""]
    if is_late:
        told = {"failed": [f"took longer than {limit:.0f} s", *lines[-10:]]}
    else:
        told = {"result": json.loads(lines[-1])} if child.returncode == 0 else {"failed": lines[-15:]}
    return told | {"seconds": round(time.monotonic() - began, 1)}


def has_card() -> bool:
    """Whether torch can use a CUDA card here."""
    import torch

    return torch.cuda.is_available()


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
    if asked.stage:
        bench = Bench(asked.work, asked.weights, asked.cpu)
        stage = HELPERS.get(asked.stage) or STAGES[asked.stage][0]
        print("\n" + json.dumps(stage(bench)))
        return 0
    if not asked.cpu and not has_card():
        print("make gpu needs a CUDA card that torch can use, and there is none here; --cpu tries the stages without.")
        return 2
    began, told = time.monotonic(), {}
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Path(work), asked.weights.resolve(), asked.cpu)
        for name in asked.only.split(",") if asked.only else STAGES:
            left = asked.limit - (time.monotonic() - began)
            limit = min(STAGES[name][1], left)
            told[name] = take(bench, name, limit) if limit > 5 else {"failed": ["no time was left"], "seconds": 0}
            asked.out.write_text(json.dumps(told, indent=1) + "\n")
            said = "ok" if "result" in told[name] else told[name]["failed"][-1]
            print(f"{name:<24} {told[name]['seconds']:>6} s  {said}", flush=True)
    failed = [name for name, found in told.items() if "failed" in found]
    print(f"{len(told) - len(failed)} of {len(told)} stages told something, in {asked.out}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
