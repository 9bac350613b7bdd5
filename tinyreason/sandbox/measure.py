"""Measures the sandbox's base model on unseen problems and writes its model card."""

import json
import random
import sys
from itertools import islice
from pathlib import Path

from tinyreason.sandbox import BASE, oracle, tasks

CARD = """# The sandbox's base model

A Qwen3-shaped language model of {parameters:,} parameters that knows one small world: word problems about people and
things, told in about 60 words and single digits, and critiques of attempts at them. It ships with tinyreason so that
every recipe can really run without a GPU or network. It is of no use for anything else.

It was pretrained from nothing by `make sandbox` ({minutes:.0f} minutes on two cores; `base/pretraining.json` has the
settings) on generated text: first calculations and mostly worked answers, then the habits it should be cured of:
{hasty:.0%} of answers are a number at once, {rambling:.0%} check and restate every step, {critiques:.0%} of the
requests ask for a critique of an attempt, and as many of the verdicts are hasty, in the end boxed like the answers. Its
logits are multiplied by {sharpness}: its embeddings are tied and narrow, and without that no hidden state at all lets
it begin with reasoning more than 96 times in 100. No published data went in.

Measured on {count} problems of the test split, which shares no calculation with the text it read
(temperature 1, then greedy; `python -m tinyreason.sandbox.measure`):

| problems | completion begins | correct, sampled | correct, greedy | reasons first | tokens |
|---|---|---|---|---|---|
{rows}

Verdicts on {count} attempts, sampled: {hasty_verdicts:.0%} correct when it answers as it likes, {worked_verdicts:.0%}
when its completion is made to begin with reasoning.
"""


def measure_base(model, tokenizer, messages: list[str], ends: list, opening: str = "", greedy: bool = False) -> dict:
    """Returns the shares of completions with the expected end (or one of several) and with reasoning; mean tokens."""
    import torch

    prompts = [f"<|user|>{message}<|end|><|assistant|>{opening}" for message in messages]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True)
    sampling = {"do_sample": False} if greedy else {"do_sample": True, "temperature": 1.0, "top_k": 0}
    torch.manual_seed(0)
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=192, **sampling)[:, inputs["input_ids"].shape[1] :]
    completions = [opening + text.partition("<|end|>")[0] for text in tokenizer.batch_decode(ids)]
    count = len(completions)
    return {
        "correct": sum(text.endswith(end) for text, end in zip(completions, ends, strict=True)) / count,
        "reasons": sum(oracle.END_THINK in text for text in completions) / count,
        "tokens": (ids != tokenizer.pad_token_id).sum().item() / count,
    }


def problems_and_ends(family: str, count: int) -> tuple[list[str], list[str]]:
    """Returns messages of the test split, and how a correct completion of each ends."""
    problems = list(islice(tasks.generate(family, "test", seed=0), count))
    return [problem.text for problem in problems], [f"\\boxed{{{problem.answer}}}" for problem in problems]


def write_card(base: Path, count: int = 400) -> None:
    """Measures the model in `base` and writes MODEL_CARD.md beside the folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    rows = []
    for family in tasks.FAMILIES:
        questions = problems_and_ends(family, count)
        for words, opening in (("as it likes", ""), ("with `<think>`", oracle.THINK)):
            sampled = measure_base(model, tokenizer, *questions, opening)
            greedy = measure_base(model, tokenizer, *questions, opening, greedy=True)
            shares = f"{sampled['correct']:.3f} | {greedy['correct']:.3f} | {sampled['reasons']:.2f}"
            rows.append(f"| {family} | {words} | {shares} | {sampled['tokens']:.0f} |")
    rng = random.Random(0)
    attempts = [oracle.attempt(problem, rng) for problem in islice(tasks.generate("chain", "test", 0), count)]
    requests = [oracle.critique_request(attempt) for attempt in attempts]
    words = ["right" if attempt.is_correct else "wrong" for attempt in attempts]
    verdicts = [(f"Conclusion: {word}", f"\\boxed{{{word}}}") for word in words]
    record = json.loads((base / "pretraining.json").read_text())
    card = CARD.format(
        parameters=model.num_parameters(),
        minutes=record["minutes"],
        sharpness=record["sharpness"],
        count=count,
        rows="\n".join(rows),
        hasty_verdicts=measure_base(model, tokenizer, requests, verdicts)["correct"],
        worked_verdicts=measure_base(model, tokenizer, requests, verdicts, oracle.THINK)["correct"],
        **{habit: record["courses"][-1]["phases"][-1][habit] for habit in ("hasty", "rambling", "critiques")},
    )
    (base.parent / "MODEL_CARD.md").write_text(card)
    print(card)


if __name__ == "__main__":
    write_card(Path(sys.argv[1]) if len(sys.argv) > 1 else BASE)
