"""`tinyreason eval`: puts benchmarks to one model or two, keeps every completion, and counts."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tinyreason.console import Console
from tinyreason.data.files import read_json
from tinyreason.errors import ConfigError, DataError
from tinyreason.evaluation.benchmark_folder import RESULT, EvalFolder
from tinyreason.evaluation.boundary import Boundary, boundary
from tinyreason.evaluation.metrics import BenchmarkMetrics, benchmark_metrics
from tinyreason.evaluation.score import Completion
from tinyreason.evaluation.second_opinion import believed_comparison
from tinyreason.evaluation.template_check import check_template, unless_form_alone
from tinyreason.evaluation.voting import VoteScore, vote_scores
from tinyreason.example import Example
from tinyreason.grading.answers import gold_text
from tinyreason.grading.grader import Grader
from tinyreason.inference.model_reference import ModelReference
from tinyreason.inference.sampling import Sampling, prompt_texts, sample_batches
from tinyreason.models.chat_template import opens_thought, turn_end_caveat
from tinyreason.models.load import is_built_in, max_completion_tokens_of
from tinyreason.runs.result import Gain, SecondOpinion, Stored, TemplateCheck
from tinyreason.sandbox import NAME

USUAL = {"temperature": 0.6, "max_completion_tokens": 3072, "batch_size": 32, "prompt": "boxed"}
"""Where nobody says otherwise: 1-shot RLVR's evaluation (arXiv 2504.20571)."""
USUAL_SANDBOX = {
    "temperature": 1.0,
    "max_completion_tokens": max_completion_tokens_of(NAME),
    "batch_size": 256,
    "prompt": "plain",
}


class BenchScores(Stored):
    """Each side's figures on one bench, and the model's gain where there is something to compare it with."""

    model: BenchmarkMetrics
    against: BenchmarkMetrics | None = None
    gain: Gain | None = None
    verdict: str | None = None
    verdict_reason: str | None = None
    """Why nothing can be told, where it is not the interval that includes 0."""
    second_opinion: SecondOpinion | None = None
    template_check: TemplateCheck | None = None
    boundary: Boundary | None = None
    """Where there are two sides with several samples: `against` is the base."""
    votes: dict[str, dict[str, VoteScore]] | None = None
    """Side → vote → what it reaches, where votes were asked for."""


class PromptTemplate(Stored):
    """What a prompt looks like: the fingerprint of the chat template and its options, and the first problem in it."""

    chat_template_sha256: str
    first_prompt: str


class BenchmarkResult(Stored):
    """What eval.json holds."""

    sides: dict[str, str]
    """`model`, and `against` if there is one → its name."""
    sampling: dict[str, Any]
    benches: dict[str, BenchScores]
    templates: dict[str, PromptTemplate]
    template_check: TemplateCheck | None
    """Of the first bench."""


@dataclass(frozen=True)
class BenchmarkRun:
    """Who is asked what, and how; both sides alike."""

    sides: dict[str, ModelReference]
    """`model`, and `against` if there is one."""
    benches: dict[str, list[Example]]
    sampling: Sampling
    check_template: bool = True
    votes: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Returns what decides the completions."""
        problems = {
            name: {"problems": len(examples), "sha256": fingerprint(examples)}
            for name, examples in self.benches.items()
        }
        sides = {side: reference.identity() for side, reference in self.sides.items()}
        return {"sides": sides, "benches": problems, "sampling": asdict(self.sampling)}


def settle(reference: ModelReference, asked: dict[str, Any]) -> Sampling:
    """Returns the sampling asked for, else that of the model's run, else the usual; `samples`, `seed` are always given.

    Errors: `ConfigError` for several greedy samples.
    """
    known = dict(USUAL_SANDBOX if is_built_in(reference.model.name) else USUAL)
    if reference.run:
        config = reference.run
        known |= {
            "temperature": config.evaluation.temperature or known["temperature"],
            "max_completion_tokens": config.evaluation.max_completion_tokens,
            "batch_size": config.evaluation.batch_size,
            "prompt": config.prompt,
            "template_options": config.template_options,
        }
    known["thought_budget"] = reference.thought_budget(asked.get("thinking_budget"))
    given = {name: value for name, value in asked.items() if value is not None and name != "thinking_budget"}
    sampling = Sampling(**known | given)
    if sampling.temperature == 0 and sampling.samples > 1:
        raise ConfigError(f"temperature 0 gives {sampling.samples} times the same completion; type --samples 1.")
    return sampling


def fingerprint(examples: list[Example]) -> str:
    """Returns the SHA-256 of the problems, their answers, and their graders where these are not `math`."""
    rows = [[one.id, one.identity, one.answer, *([one.rule] if one.rule else [])] for one in examples]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def run_benchmarks(
    benchmark_run: BenchmarkRun, folder: EvalFolder, grader: Grader, console: Console
) -> BenchmarkResult:
    """Asks what is not answered yet; returns what eval.json holds.

    Errors: `FolderError` where a vote needs a certainty that the completions there were sampled without.
    """
    folder.check_certainty(benchmark_run.sampling.keeps_certainty)
    known = _known(folder)
    templates, checks = {}, _checks(known)
    for side, reference in benchmark_run.sides.items():
        missing = folder.missing(side, benchmark_run.sampling.samples)
        is_base = side == "against" or (reference.adapter is None and len(benchmark_run.sides) == 1)
        needs_check = benchmark_run.check_template and is_base and len(checks) < len(benchmark_run.benches)
        if known and side in known.templates and not missing and not needs_check:
            templates[side] = known.templates[side]
            continue
        model, tokenizer = reference.load(needs_template=benchmark_run.sampling.template == "chat")
        templates[side] = describe_template(tokenizer, benchmark_run)
        if caveat := turn_end_caveat(tokenizer):
            console.say(f"caveat    {reference.name}: {caveat}")
        ask(side, model, tokenizer, missing, benchmark_run, folder, grader, console)
        for bench in benchmark_run.benches if needs_check else ():
            score = folder.score(side, bench, benchmark_run.sampling.samples)
            checks[bench] = check_template(model, tokenizer, score, benchmark_run.sampling, grader, console)
        del model
    result = BenchmarkResult(
        sides={side: reference.name for side, reference in benchmark_run.sides.items()},
        sampling=asdict(benchmark_run.sampling),
        benches={
            bench: bench_scores(bench, benchmark_run, folder, checks.get(bench)) for bench in benchmark_run.benches
        },
        templates=templates,
        template_check=checks.get(next(iter(benchmark_run.benches))),
    )
    folder.write_json(RESULT, result.as_json())
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
    """Samples, grades and writes down the missing completions of one side."""
    asks = [(example, sample) for _, example, sample in missing]
    sampling = benchmark_run.sampling
    is_thought_open = sampling.template == "chat" and opens_thought(tokenizer, sampling.template_options)
    correct = done = 0
    with console.live(f"asking {benchmark_run.sides[side].name}", total=len(missing)) as live:
        for batch in sample_batches(model, tokenizer, asks, sampling) if missing else ():
            rows = [missing[sampled.row] for sampled in batch]
            verdicts = grader.grade_examples(
                [sampled.text for sampled in batch],
                [example for _, example, _ in rows],
                [sampled.truncated for sampled in batch],
                is_thought_open,
            )
            graded = [
                (
                    (side, bench, example.id, sample),
                    Completion(s.text, s.tokens, s.truncated, v.correct, v.extracted, s.certainty),
                )
                for (bench, example, sample), s, v in zip(rows, batch, verdicts, strict=True)
            ]
            folder.append(graded)
            correct, done = correct + sum(v.correct is True for v in verdicts), done + len(batch)
            live.advance(len(batch), f"correct {correct / done:.0%}")


def bench_scores(
    bench: str, benchmark_run: BenchmarkRun, folder: EvalFolder, check: TemplateCheck | None
) -> BenchScores:
    """Returns each side's figures on a bench, and the paired gain of the model over what it is compared with."""
    scores = {side: folder.score(side, bench, benchmark_run.sampling.samples) for side in benchmark_run.sides}
    metrics = {side: benchmark_metrics(score) for side, score in scores.items()}
    if "against" in scores:
        found = believed_comparison([scores["against"]], [scores["model"]])
        metrics |= unless_form_alone(found, check, scores["model"])
        if benchmark_run.sampling.samples > 1:
            metrics["boundary"] = boundary(scores["against"], scores["model"])
    if benchmark_run.votes:
        metrics["votes"] = {side: vote_scores(score, benchmark_run.votes) for side, score in scores.items()}
    return BenchScores(**metrics, **({"template_check": check} if check else {}))


def describe_template(tokenizer, benchmark_run: BenchmarkRun) -> PromptTemplate:
    """Returns what a prompt looks like to the model."""
    first = next(iter(benchmark_run.benches.values()))[:1]
    options = benchmark_run.sampling.template_options
    written = str(tokenizer.chat_template) + (json.dumps(options, sort_keys=True) if options else "")
    digest = hashlib.sha256(written.encode()).hexdigest()
    prompt = prompt_texts(tokenizer, first, benchmark_run.sampling)[0]
    return PromptTemplate(chat_template_sha256=digest, first_prompt=prompt)


def gradable_problems(
    name: str, examples: list[Example], grader: Grader, console: Console, reasons: dict[str, str]
) -> list[Example]:
    """Returns the problems whose gold answers grade themselves correct; the others are named with the reason."""
    fine = grader.check_gold(examples)
    for example, is_fine in zip(examples, fine, strict=True):
        if not is_fine:
            answer = gold_text(example.answer)
            why = reasons.get(answer, "it cannot be parsed")
            console.say(f"{name}: problem {example.id} is left out, its gold answer is {answer[:60]}: {why}")
    kept = [example for example, is_fine in zip(examples, fine, strict=True) if is_fine]
    if not kept:
        raise DataError(f"{name} has no problem whose gold answer can be graded.")
    return kept


def default_evaluation_folder(sides: dict[str, ModelReference], benches: list[str], seed: int) -> Path:
    """Returns `evals/NAME[-against-NAME]-BENCHES-seedN`: the same for the same question, so that it is resumed."""
    who = "-against-".join(reference.name for reference in sides.values())
    return Path("evals") / f"{who}-{'+'.join(benches)}-seed{seed}"


def _known(folder: EvalFolder) -> BenchmarkResult | None:
    """Returns what an earlier call concluded, if it got so far."""
    if not (folder.path / RESULT).is_file():
        return None
    try:
        return BenchmarkResult.model_validate(read_json(folder.path / RESULT))
    except ValidationError:
        return None


def _checks(known: BenchmarkResult | None) -> dict[str, TemplateCheck]:
    """Returns bench → how the base does when asked otherwise, as far as an earlier call asked it."""
    benches = known.benches.items() if known else ()
    return {bench: scores.template_check for bench, scores in benches if scores.template_check}
