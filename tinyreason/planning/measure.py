"""`plan --measure`: two longest-sample steps on this machine, to compare with what was predicted."""

import ctypes
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import training_examples
from tinyreason.console import Console
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.teacher_model import load_teacher
from tinyreason.models.chat_template import render
from tinyreason.models.kernels import ComputeSettings
from tinyreason.models.load import load_model
from tinyreason.planning.plan import Plan
from tinyreason.prompts import chat_messages
from tinyreason.runs.context import RunContext
from tinyreason.runs.folder import RunFolder
from tinyreason.trainers.session import TrainingSession

SECONDS_BETWEEN_LOOKS = 0.002
M_MMAP_THRESHOLD, BLOCK = -3, 2**17


@dataclass(frozen=True)
class StepMeasurement:
    """What two steps took: bytes over the baseline at the worst moment, and seconds of the second step."""

    prompt_tokens: int
    peak: float
    seconds_a_step: float

    def beside(self, plan: Plan) -> dict[str, Any]:
        """Returns what `plan --measure --json` prints: the measured and the predicted figures."""
        card, phase = plan.job.compute.card, plan.training_peak
        predicted = phase.in_torch if card else phase.total
        return {
            "device": card.describe() if card else "CPU",
            "phase": phase.name,
            "prompt_tokens": self.prompt_tokens,
            "row_tokens": plan.job.row_tokens,
            "predicted_peak_bytes": predicted,
            "measured_peak_bytes": self.peak,
            "predicted_seconds_a_step": plan.seconds_a_step,
            "measured_seconds_a_step": self.seconds_a_step,
            "peak_error": predicted / self.peak - 1,
        }


def resident_bytes() -> int:
    """Returns the bytes of this process that are in memory (RSS)."""
    import psutil

    return psutil.Process().memory_info().rss


@dataclass
class Peak:
    """Most memory in use, in bytes: of this process on a CPU, what torch has allocated on a GPU."""

    device: str
    baseline: int = field(default_factory=resident_bytes)
    highest: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Keeps `highest` up to date while its block runs."""
        if self.device == "cuda":
            import torch

            self.baseline = 0
            torch.cuda.reset_peak_memory_stats()
            yield
            self.highest = torch.cuda.max_memory_allocated()
            return
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            thread.join()

    def _look(self) -> None:
        is_last = False
        while not is_last:
            is_last = self.done.wait(SECONDS_BETWEEN_LOOKS)
            self.highest = max(self.highest, resident_bytes())


def return_freed_blocks() -> None:
    """Asks glibc to return blocks of 128 KB and more when they are freed, so that RSS is what is in use.

    It begins so, but raises that limit as it works and then keeps some, other ones each time: 530 to 710 MB for the
    same sandbox run, which needs 420.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, BLOCK)


def longest_sample_overrides(config: RunConfig) -> tuple[str, ...]:
    """Returns the overrides with which each training takes two steps, every completion as long as allowed."""
    sections = ("train", "warmup.train") if config.warmup else ("train",)
    words = tuple(word for section in sections for word in (f"{section}.max_steps=2", f"{section}.schedule=constant"))
    return (*words, *(f"{option}={value}" for option, value in config.train.longest_overrides().items()))


def measure_steps(config: RunConfig, compute: ComputeSettings, console: Console) -> StepMeasurement:
    """Takes the two steps of a config made with `longest_sample_overrides`, in a folder that is thrown away."""
    from tinyreason import trainers

    trainers.import_trainer(config.trainer)
    return_freed_blocks()
    jobs = [config.warmup_config, config] if config.warmup and not config.warmup.adapter else [config]
    times = []

    def watch(step: int, _) -> dict[str, float]:
        times.append(time.monotonic())
        live.advance()
        return {}

    with (
        tempfile.TemporaryDirectory() as beside,
        RunFolder(Path(beside, "run")) as folder,
        Grader() as grader,
        console.live("measuring: step", total=2 * len(jobs)) as live,
    ):
        peak = Peak(compute.device)
        model, tokenizer = load_model(config.model, compute)
        teacher = load_teacher(config, tokenizer)
        model = config.adapter.attach(model, config.seed, tokenizer)
        context = RunContext(Console(quiet=True), compute)
        session = TrainingSession(config, context, model, tokenizer, folder, grader, teacher)
        with peak.watched():  # not the load, which maps the checkpoint's file beside the weights it becomes
            for job in jobs:
                session = replace(session, config=job)
                examples, prompt_tokens = longest_examples(job, tokenizer, training_examples(job))
                trainers.train(session, examples, watch)
    return StepMeasurement(prompt_tokens, peak.highest - peak.baseline, times[-1] - times[-2])


def longest_examples(config: RunConfig, tokenizer, examples: list[Example]) -> tuple[list[Example], int]:
    """Returns the examples with the longest prompts, as many as two steps take, and the tokens of the longest prompt.

    Completions to imitate are lengthened to fill a row, every other one a token less, so that some rows are padded as
    in a run; where there are too few they are repeated.
    """

    def prompt_tokens(example: Example) -> int:
        chat = chat_messages(example, config.prompt)
        (prompt,) = render(tokenizer, [chat], config.template_options)
        return len(tokenizer(prompt, add_special_tokens=False)["input_ids"])

    sizes = {id(example): prompt_tokens(example) for example in examples}
    rows = 2 * config.train.rows_per_step
    chosen = sorted(examples, key=lambda example: -sizes[id(example)])[:rows]
    most = sizes[id(chosen[0])]
    if not config.train.needs_completions:
        return chosen, most
    room = config.train.row_tokens(most) - most - 2
    repeated = enumerate(islice(cycle(chosen), rows))
    return [replace(it, completion=lengthened(it, tokenizer, room - n % 2)) for n, it in repeated], most


def lengthened(example: Example, tokenizer, tokens: int) -> str:
    """Returns the example's completion, or its problem, repeated to about so many tokens and not more."""
    text = f"{example.completion or example.problem}\n"
    count = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    text *= -(-tokens // count)
    while (count := len(tokenizer(text, add_special_tokens=False)["input_ids"])) > tokens:
        text = text[: max(1, int(len(text) * tokens / count) - 1)]
    return text
