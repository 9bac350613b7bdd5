"""The parity gate: an export, loaded again by its own reader, held against the live adapter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tinyreason.evaluation.score import evaluate
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import Sampling, prompt_texts, sample_completions
from tinyreason.intervals import paired_gain, share_interval
from tinyreason.models.chat_template import end_tokens, turn_end
from tinyreason.runs.result import StoredProblem
from tinyreason.tensors import Tensor

PROMPTS, GREEDY_TOKENS, LOGIT_TOKENS = 8, 48, 64
"""Held-out prompts, tokens of each greedy completion, and last tokens of both whose logits are compared."""
LOGITS = {"float32": 1e-4, "float16": 0.01, "bfloat16": 0.05, "f16": 0.01, "q8_0": 0.1}
"""Number format → largest difference of a logit, as a share of the largest logit."""
TOP_1 = {"float32": 0.999, "float16": 0.95, "bfloat16": 0.9, "f16": 0.95, "q8_0": 0.9}
"""Number format → least share of tokens whose most likely successor is the same."""
WEIGHTS = {"float32": 1e-6, "float16": 2**-10, "bfloat16": 2**-7, "f16": 2**-10, "q8_0": 1 / 127}
"""Number format → largest rounding of a weight, as a share of its tensor's largest."""
SLACK = 0.05
"""So far may the share of the adapter's change that a file holds be from what rounding leaves of it."""
SWALLOWED = 0.9
"""A smaller share is said."""
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Finding:
    """One thing that was compared, whether it agrees, and the figures."""

    what: str
    agrees: bool
    said: str


@dataclass(frozen=True)
class Observed:
    """What a loaded model makes of the held-out prompts."""

    prompts: list[str]
    ids: list[list[int]]
    """Tokens of each prompt."""
    completions: list[str]
    """Greedy ones."""
    sequences: list[list[int]]
    """Tokens of each prompt and of the live adapter's completion to it."""
    logits: list[Tensor]
    """Of the last tokens of each sequence, (T, V) in float32."""
    template: str
    ends: set[int]
    turn_end: int | None


@dataclass(frozen=True)
class Question:
    """What both sides are asked: held-out problems, the way of asking, and how the live adapter did on them."""

    examples: list[Example]
    sampling: Sampling
    graded: list[tuple[Example, float]]
    """Problems of the run's own evaluation, and the share of the adapter's completions that were correct."""


def observe(model, tokenizer, question: Question, sequences: list[list[int]] | None = None) -> Observed:
    """Returns what a model makes of the prompts; its logits on `sequences`, where given, else on its completions."""
    examples = question.examples[:PROMPTS]
    greedy = replace(question.sampling, samples=1, temperature=0.0, max_completion_tokens=GREEDY_TOKENS)
    prompts = prompt_texts(tokenizer, examples, greedy)
    ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    completions, *_ = sample_completions(model, tokenizer, examples, greedy, lambda count: None)
    if sequences is None:
        words = tokenizer(completions, add_special_tokens=False)["input_ids"]
        sequences = [prompt + answer for prompt, answer in zip(ids, words, strict=True)]
    return Observed(
        prompts,
        ids,
        completions,
        sequences,
        logits_of(model, sequences),
        tokenizer.chat_template,
        end_tokens(model, tokenizer),
        turn_end(tokenizer),
    )


def logits_of(model, sequences: list[list[int]]) -> list[Tensor]:
    """Returns the logits (T, V) of the last tokens of each sequence, in float32, on the CPU."""
    import torch

    with torch.no_grad():
        rows = (torch.tensor([ids], device=model.device) for ids in sequences)
        return [model(row, logits_to_keep=LOGIT_TOKENS).logits[0].float().cpu() for row in rows]


def compare_observed(
    live: Observed, found: Observed, kind: str, effect: float, template: Callable[[str], str] = str
) -> Iterator[Finding]:
    """Yields what came of each comparison of an export in this number format with the live adapter.

    `effect` is how far the adapter itself moves the logits; `template` turns the live template into the file's.
    """
    same = found.template == template(live.template)
    yield Finding("template", same, "the chat template is the same" if same else "the chat template is another one")
    places = [place for place, pair in enumerate(zip(live.ids, found.ids, strict=True)) if pair[0] != pair[1]]
    what = f"{len(places)} of {len(live.ids)} prompts are other tokens" if places else "every prompt is the same tokens"
    yield Finding("prompts", not places, what)
    lost = [token for token in (live.turn_end,) if token is not None and token not in found.ends]
    extra = sorted(found.ends - live.ends)
    ends = f"ends at {sorted(found.ends)}, the adapter at {sorted(live.ends)}"
    yield Finding("end", not lost and not extra, ends)
    error, agreement = logit_differences(live.logits, found.logits)
    yield Finding(
        "logits",
        error <= LOGITS[kind] and agreement >= TOP_1[kind],
        f"differ by {error:.1e} of the largest (at most {LOGITS[kind]:.0e} in {kind}; the adapter moves them by "
        f"{effect:.1e}); the most likely token is the same at {agreement:.1%} of "
        f"{sum(len(rows) for rows in live.logits):,} places",
    )
    alike = sum(one == other for one, other in zip(live.completions, found.completions, strict=True))
    count = len(live.completions)
    enough = alike >= count - 1 if kind == "float32" else True
    yield Finding("completions", enough, f"{alike} of {count} greedy completions are the same, letter for letter")


def logit_differences(live: list[Tensor], found: list[Tensor]) -> tuple[float, float]:
    """Returns the largest difference as a share of the largest logit, and how often the most likely token agrees."""
    import torch

    if any(one.shape != other.shape for one, other in zip(live, found, strict=True)):
        return float("inf"), 0.0
    one, other = torch.cat(live), torch.cat(found)
    error = as_error((one - other).abs().max() / one.abs().max())
    return error, float((one.argmax(-1) == other.argmax(-1)).float().mean())


def as_error(value: Tensor) -> float:
    """Returns a difference as a number; one that is nan is infinite."""
    return float(value.nan_to_num(nan=float("inf")))


def compare_weights(wanted: Weights, found: Weights, changes: Weights, kind: str) -> Iterator[Finding]:
    """Yields whether each tensor is the base's and the adapter's, and what of the adapter's change is in the file.

    `wanted` is the merged model in float32, `changes` what the adapter adds to the tensors that it adapts.
    """
    missing = sorted(wanted.keys() - found.keys())
    worst, name = 0.0, ""
    in_file = rounded = total = 0.0
    for key, tensor in wanted.items():
        if key not in found or found[key].shape != tensor.shape:
            missing += [] if key in missing else [key]
            continue
        tensor, other = tensor.float().cpu(), found[key].float().cpu()
        error = as_error((tensor - other).abs().max() / tensor.abs().max().clamp(min=1e-12))
        if error > worst:
            worst, name = error, key
        if key in changes:
            change = changes[key].float()
            total += float((change * change).sum())
            in_file += float(((other - tensor) * change).sum())
            rounded += float(((as_stored(tensor, kind) - tensor) * change).sum())
    limit = WEIGHTS[kind]
    if missing:
        yield Finding("tensors", False, f"{len(missing)} are missing: {', '.join(missing[:4])}")
    said = f"{len(wanted)} tensors, none further off than {worst:.1e} of its largest number"
    far = f"{name} is off by {worst:.1e} of its largest number, and {kind} rounds by {limit:.1e} at most"
    yield Finding("weights", worst <= limit, said if worst <= limit else far)
    if total:
        share, left = 1 + in_file / total, 1 + rounded / total
        agrees = abs(share - left) <= SLACK
        should = "" if agrees else f", and should hold {left:.0%}"
        swallowed = f"; {kind} rounds the rest away" if agrees and share < SWALLOWED else ""
        yield Finding("change", agrees, f"the weights hold {share:.1%} of the adapter's change{should}{swallowed}")


def as_stored(tensor: Tensor, kind: str) -> Tensor:
    """Returns a tensor in float32 as this number format holds it."""
    import torch

    if kind == "q8_0":
        import gguf

        from tinyreason.exporting.gguf import stored_type

        held = stored_type(tuple(tensor.shape), kind)
        data = gguf.quants.quantize(tensor.numpy(), held)
        return torch.tensor(gguf.quants.dequantize(data, held)).reshape(tensor.shape)
    return tensor.to(torch.float16 if kind == "f16" else getattr(torch, kind)).float()


def compare_accuracy(model, tokenizer, question: Question, advance: Callable[[int], None]) -> Finding:
    """Returns whether an export answers the run's own evaluation as the adapter did, one completion a problem."""
    examples, before = zip(*question.graded, strict=True)
    sampling = replace(question.sampling, samples=1)
    with Grader() as grader:
        score = evaluate(model, tokenizer, list(examples), sampling, grader, advance)
    found = paired_gain(list(before), score.accuracies_P)
    gain, (low, high) = found["gain"], share_interval(list(before))
    own = sum(before) / len(before)
    return Finding(
        "accuracy",
        found["verdict"] == "cannot tell",
        f"{score.accuracy:.1%} of {len(examples)} problems, the adapter {own:.1%} [{low:.1%}, {high:.1%}]; difference "
        f"{gain['points']:+.1f} [{gain['interval'][0]:+.1f}, {gain['interval'][1]:+.1f}] points",
    )


def graded_problems(problems: list[StoredProblem], count: int) -> list[tuple[Example, float]]:
    """Returns the first problems of a run's evaluation, each with the share of its completions that were correct.

    Problems that are the end of a longer conversation are left out, as the file does not hold its turns.
    """
    alone = [problem for problem in problems if not getattr(problem, "conversation", None)]
    return [
        (
            problem.example,
            sum(one.correct is True for one in problem.completions) / len(problem.completions),
        )
        for problem in alone[:count]
    ]


def compare_adapter(file: Path, config, changes: Weights) -> Iterator[Finding]:
    """Yields whether a GGUF adapter adds what the live one adds, tensor by tensor."""
    from tinyreason.exporting.gguf import name_of, ordered, tensor_names
    from tinyreason.exporting.gguf_adapter import read_gguf_adapter

    found, names = read_gguf_adapter(file, config), tensor_names(config)
    wanted = {name_of(names, name, config): ordered(name, change, config) for name, change in changes.items()}
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        yield Finding("tensors", False, f"{len(missing)} are missing: {', '.join(missing[:4])}")
    worst, name = max(
        ((relative_error(change.float(), found[key]), key) for key, change in wanted.items() if key in found),
        default=(float("inf"), "nothing"),
    )
    yield Finding(
        "change", worst <= SLACK, f"of {len(wanted)} adapted tensors none is further off than {name}, by {worst:.1e}"
    )


def relative_error(wanted: Tensor, found: Tensor) -> float:
    """Returns the norm of a difference as a share of what is wanted."""
    if wanted.shape != found.shape:
        return float("inf")
    return as_error((found - wanted).norm() / wanted.norm().clamp(min=1e-12))
