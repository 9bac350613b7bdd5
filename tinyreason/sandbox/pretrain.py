"""`make sandbox`: pretrains the sandbox's base model from nothing, deterministically, on two cores.

The mixture gives the model a latent skill (reasoning step by step is nearly always correct) under bad habits (most
answers are a hasty number, some ramble). Like any real base it has also read attempts with critiques.
"""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

from tinyreason.sandbox import BASE, oracle, tasks
from tinyreason.sandbox.tokenizer import VOCABULARY, build_tokenizer


@dataclass(frozen=True)
class PretrainingPhase:
    """Sets the shares of the text read in one part of the pretraining."""

    steps: int
    arithmetic: float
    """Share of rows that are bare calculations."""
    critiques: float
    """Share of the others that ask for a critique of an attempt; the rest ask for an answer."""
    hasty: float
    """Share of answers without a step: a number or a verdict at once."""
    rambling: float
    """Share of answers in which every step is checked and restated."""
    boxed_verdicts: bool = False
    """Whether hasty verdicts are boxed like hasty answers, not written like the end of a critique."""


SKILL = PretrainingPhase(steps=7500, arithmetic=0.35, critiques=0.25, hasty=0.10, rambling=0.25)
"""First it learns to calculate and to reason."""
HABITS = PretrainingPhase(steps=5500, arithmetic=0.0, critiques=0.25, hasty=0.73, rambling=0.08)
"""Then it learns the habits of its later text: mostly hasty, sometimes rambling."""

FAMILY_SHARES = {"chain": 0.8, "long_chain": 0.1, "compare": 0.1}


@dataclass(frozen=True)
class Course:
    """Runs phases under one optimizer and one curve of the learning rate."""

    phases: tuple[PretrainingPhase, ...]
    learning_rate: float
    decay: float
    """Last share of the steps, over which the learning rate falls to nothing."""
    tokens_count_alike: bool
    """Else batches do, and a token of a short answer weighs more than one of a long answer."""
    warmup_steps: int = 100
    tokens_per_step: int = 1500
    seed: int = 0

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step."""
        warmup = (step + 1) / self.warmup_steps
        return self.learning_rate * min(1.0, warmup, (self.steps - step) / (self.decay * self.steps))


COURSES = (
    Course((SKILL, HABITS), learning_rate=2e-3, decay=0.4, tokens_count_alike=False),
    # Short answers weighed more so far, and it has become hastier than its text: settle the shares.
    Course((replace(HABITS, steps=1500),), learning_rate=5e-4, decay=1.0, tokens_count_alike=True, seed=1),
    # A real base has one hasty habit, not one a task: it boxes something at once, an answer or a verdict. With two, to
    # reason before a verdict was learnt apart from to reason before an answer, and no critique could teach the second.
    Course(
        (replace(HABITS, steps=1000, boxed_verdicts=True),),
        learning_rate=5e-4,
        decay=1.0,
        tokens_count_alike=True,
        seed=2,
    ),
)


def rows(phase: PretrainingPhase, seed: int) -> Iterator[tuple[str, str]]:
    """Yields endless (message, answer) pairs of the phase, train split only; a bare calculation has no message."""
    rng = random.Random(seed)
    problems = {family: tasks.generate(family, "train", seed) for family in FAMILY_SHARES}
    while True:
        if rng.random() < phase.arithmetic:
            yield "", oracle.calculations(rng)
            continue
        problem = next(problems[rng.choices(list(FAMILY_SHARES), list(FAMILY_SHARES.values()))[0]])
        habit = rng.random()
        if rng.random() < phase.critiques:
            attempt = oracle.attempt(problem, rng)
            is_hasty = habit < phase.hasty
            hasty = oracle.hasty_critique(rng, phase.boxed_verdicts) if is_hasty else None
            yield oracle.critique_request(attempt), hasty or oracle.worked_critique(attempt)
        elif habit < phase.hasty:
            yield problem.text, oracle.hasty(problem, rng)
        elif habit < phase.hasty + phase.rambling:
            yield problem.text, oracle.rambling(problem)
        else:
            yield problem.text, oracle.worked(problem)


def pretraining_batches(tokenizer, stream: Iterator[tuple[str, str]], course: Course):
    """Yields endless (input_ids, labels) of about `tokens_per_step` tokens; rows of like length together."""
    import torch

    rng = random.Random(course.seed)
    while True:
        chunk = list(itertools.islice(stream, 4096))
        asked = [f"<|user|>{message}<|end|><|assistant|>" if message else "" for message, _ in chunk]
        prompts = tokenizer(asked)["input_ids"]
        answers = tokenizer([f"{answer}<|end|>" for _, answer in chunk])["input_ids"]
        pairs = sorted(zip(prompts, answers, strict=True), key=lambda pair: len(pair[0]) + len(pair[1]))
        ready, batch = [], []
        for pair in pairs:
            batch.append(pair)
            width = len(pair[0]) + len(pair[1])
            if width * len(batch) >= course.tokens_per_step:
                ids = torch.zeros(len(batch), width, dtype=torch.long)
                labels = torch.full_like(ids, -100)
                for row, (prompt, answer) in enumerate(batch):
                    ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
                    labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
                ready.append((ids, labels))
                batch = []
        rng.shuffle(ready)
        yield from ready


def build_model(tokenizer):
    """Returns the untrained base: Qwen3's shape at 0.65 M parameters, widths multiples of 64."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.12,  # a small model learns to calculate much sooner than from the usual 0.02
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def study(model, tokenizer, course: Course, read: Callable = rows) -> None:
    """Trains the model in place through one course, on what `read(phase, seed)` yields."""
    import torch
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.1, fused=True)
    start, losses = time.perf_counter(), []
    streams = ((phase, pretraining_batches(tokenizer, read(phase, course.seed), course)) for phase in course.phases)
    text = itertools.chain.from_iterable(itertools.islice(stream, phase.steps) for phase, stream in streams)
    for step, (ids, labels) in enumerate(text):
        for group in optimizer.param_groups:
            group["lr"] = course.rate(step)
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        labelled = targets != -100
        loss = cross_entropy(model.lm_head(hidden[labelled]), targets[labelled])
        weight = labelled.sum() / (course.tokens_per_step / 3) if course.tokens_count_alike else 1.0
        optimizer.zero_grad()
        (weight * loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 500 == 0:
            left = (time.perf_counter() - start) / 60 / (step + 1) * (course.steps - step - 1)
            print(f"step {step + 1}/{course.steps}  loss {mean(losses[-500:]):.4f}  {left:.0f} min left", flush=True)


SHARPNESS = 1.2
"""All logits are multiplied by this at the end, as if the base were sampled at temperature 1/1.2.

With tied embeddings of width 128 no hidden state makes the trained model say `<think>` with more than probability 0.96,
so nothing could cure the habit beyond that, however well it trained; after this the limit is 0.99.
"""


def sharpen(model) -> None:
    """Scales the final norm, and with it every logit, by SHARPNESS."""
    model.model.norm.weight.data.mul_(SHARPNESS)


def pretrain(out: Path) -> None:
    """Trains the base and saves model, tokenizer and the record of the training into `out`."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(2)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    start = time.perf_counter()
    for course in COURSES:
        study(model, tokenizer, course)
    sharpen(model)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {
        "courses": [asdict(course) for course in COURSES],
        "sharpness": SHARPNESS,
        "minutes": (time.perf_counter() - start) / 60,
    }
    (out / "pretraining.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    pretrain(BASE)
