"""`tinyreason eval`: puts benchmarks to one model or two, keeps every reply, and counts."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyreason.console import Console
from tinyreason.data.files import read_json
from tinyreason.errors import ConfigError, DataError
from tinyreason.evaluation.benchmark_folder import RESULT, EvalFolder
from tinyreason.evaluation.metrics import measure
from tinyreason.evaluation.score import Completion
from tinyreason.evaluation.template_check import check_template
from tinyreason.example import Example
from tinyreason.grading.answers import gold_text
from tinyreason.grading.grader import Grader
from tinyreason.inference.model_reference import ModelReference
from tinyreason.inference.sampling import Sampling, prompt_texts, sample_batches
from tinyreason.intervals import paired_gain
from tinyreason.models.load import is_built_in, max_completion_tokens_of
from tinyreason.sandbox import NAME

USUAL = {"temperature": 0.6, "max_completion_tokens": 3072, "batch_size": 32, "prompt": "boxed"}
"""where nobody says otherwise: 1-shot RLVR's evaluation (arXiv 2504.20571)"""
USUAL_SANDBOX = {
    "temperature": 1.0,
    "max_completion_tokens": max_completion_tokens_of(NAME),
    "batch_size": 256,
    "prompt": "plain",
}


@dataclass(frozen=True)
class BenchmarkRun:
    """Who is asked what, and how; both sides alike."""

    sides: dict[str, ModelReference]
    """`model`, and `against` if there is one"""
    benches: dict[str, list[Example]]
    sampling: Sampling
    check_template: bool = True

    def settings(self) -> dict[str, Any]:
        """What decides the replies."""
        problems = {
            name: {"problems": len(examples), "sha256": fingerprint(examples)}
            for name, examples in self.benches.items()
        }
        sides = {side: reference.identity() for side, reference in self.sides.items()}
        return {"sides": sides, "benches": problems, "sampling": asdict(self.sampling)}


def settle(reference: ModelReference, asked: dict[str, Any]) -> Sampling:
    """The sampling asked for, else that of the subject's run, else the usual. `samples` and `seed` are always asked."""
    known = dict(USUAL_SANDBOX if is_built_in(reference.model.name) else USUAL)
    if reference.run:
        config = reference.run
        known |= {
            "temperature": config.evaluation.temperature or known["temperature"],
            "max_completion_tokens": config.evaluation.max_completion_tokens,
            "batch_size": config.evaluation.batch_size,
            "prompt": config.prompt,
        }
    sampling = Sampling(**known | {name: value for name, value in asked.items() if value is not None})
    if sampling.temperature == 0 and sampling.samples > 1:
        raise ConfigError(f"temperature 0 gives {sampling.samples} times the same reply; type --samples 1.")
    return sampling


def fingerprint(examples: list[Example]) -> str:
    """SHA-256 of the problems and their answers."""
    rows = [[example.id, example.problem, example.answer] for example in examples]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def examine(benchmark_run: BenchmarkRun, folder: EvalFolder, grader: Grader, console: Console) -> dict:
    """Asks what is not answered yet; returns what eval.json holds."""
    templates, checked = {}, None
    known = _known(folder)
    for side, reference in benchmark_run.sides.items():
        missing = folder.missing(side, benchmark_run.sampling.samples)
        is_base = side == "against" or (reference.adapter is None and len(benchmark_run.sides) == 1)
        needs_check = benchmark_run.check_template and is_base and not known.get("template_check")
        if not missing and not needs_check and side in known.get("templates", {}):
            templates[side] = known["templates"][side]
            continue
        model, tokenizer = reference.load()
        templates[side] = describe_template(tokenizer, benchmark_run)
        ask(side, model, tokenizer, missing, benchmark_run, folder, grader, console)
        if needs_check:
            first = folder.score(side, next(iter(benchmark_run.benches)), benchmark_run.sampling.samples)
            checked = check_template(model, tokenizer, first, benchmark_run.sampling, grader, console)
        del model
    result = {
        **count(benchmark_run, folder),
        "templates": templates,
        "template_check": checked or known.get("template_check"),
    }
    folder.write_json(RESULT, result)
    return result


def ask(
    side: str,
    model,
    tokenizer,
    missing,
    benchmark_run: BenchmarkRun,
    folder: EvalFolder,
    grader: Grader,
    console: Console,
) -> None:
    """Draws, judges and writes down the missing replies of one side."""
    asks = [(example, sample) for _, example, sample in missing]
    right = done = 0
    with console.live(f"asking {benchmark_run.sides[side].name}", total=len(missing)) as live:
        for batch in sample_batches(model, tokenizer, asks, benchmark_run.sampling) if missing else ():
            rows = [missing[drawn.row] for drawn in batch]
            verdicts = grader.grade([drawn.text for drawn in batch], [example.answer for _, example, _ in rows])
            graded = [
                ((side, bench, example.id, sample), Completion(d.text, d.tokens, d.truncated, v.correct, v.extracted))
                for (bench, example, sample), d, v in zip(rows, batch, verdicts, strict=True)
            ]
            folder.append(graded)
            right, done = right + sum(v.correct is True for v in verdicts), done + len(batch)
            live.advance(len(batch), f"right {right / done:.0%}")


def count(benchmark_run: BenchmarkRun, folder: EvalFolder) -> dict[str, Any]:
    """Each side's figures on each bench, and the paired gain of the model where it has something to be held against."""
    samples, found = benchmark_run.sampling.samples, {}
    for bench in benchmark_run.benches:
        scores = {side: folder.score(side, bench, samples) for side in benchmark_run.sides}
        found[bench] = {side: measure(score) for side, score in scores.items()}
        if "against" in scores:
            found[bench] |= paired_gain(scores["against"].accuracies_P, scores["model"].accuracies_P)
    names = {side: reference.name for side, reference in benchmark_run.sides.items()}
    return {"sides": names, "sampling": asdict(benchmark_run.sampling), "benches": found}


def describe_template(tokenizer, benchmark_run: BenchmarkRun) -> dict[str, str]:
    """What a prompt looks like: the template's fingerprint and the first problem as the model reads it."""
    first = next(iter(benchmark_run.benches.values()))[:1]
    digest = hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()
    return {"chat_template_sha256": digest, "first_prompt": prompt_texts(tokenizer, first, benchmark_run.sampling)[0]}


def gradable(
    name: str, examples: list[Example], grader: Grader, console: Console, reasons: dict[str, str]
) -> list[Example]:
    """The problems whose gold answers score themselves right; the others are named with the reason."""
    fine = grader.check_gold([example.answer for example in examples])
    for example, is_fine in zip(examples, fine, strict=True):
        if not is_fine:
            answer = gold_text(example.answer)
            why = reasons.get(answer, "it cannot be parsed")
            console.say(f"{name}: problem {example.id} is left out, its gold answer is {answer[:60]}: {why}")
    kept = [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
    if not kept:
        raise DataError(f"{name} has no problem whose gold answer can be graded.")
    return kept


def default_folder(sides: dict[str, ModelReference], benches: list[str], seed: int) -> Path:
    """`evals/NAME[-against-NAME]-BENCHES-seedN`: the same for the same question, so that it goes on."""
    who = "-against-".join(reference.name for reference in sides.values())
    return Path("evals") / f"{who}-{'+'.join(benches)}-seed{seed}"


def _known(folder: EvalFolder) -> dict[str, Any]:
    return read_json(folder.path / RESULT) if (folder.path / RESULT).is_file() else {}
