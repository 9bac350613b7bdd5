"""Does the base do much better without the chat template, or with the other prompt? Then a gain may be one of form."""

from dataclasses import replace

from tinyreason.console import Console
from tinyreason.evaluation.score import Score, evaluate
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import Sampling
from tinyreason.intervals import paired_gain

PROBLEMS = 64
"""so many of the first bench are asked again, once each"""
MUCH_POINTS = 10.0
WAYS = (("chat", "plain"), ("chat", "boxed"), ("none", "plain"), ("none", "boxed"))
"""(template, prompt)"""


def check_template(model, tokenizer, score: Score, sampling: Sampling, grader: Grader, console: Console) -> dict:
    """`{"problems", "asked", "others": [{"template", "prompt", "accuracy", "gain", "verdict"}], "warning"}`.

    Qwen2.5-Math-1.5B goes from 33.0 to 61.8 on MATH500 by leaving its chat template out (arXiv 2503.20783).
    """
    examples = score.examples[:PROBLEMS]
    asked = Score(examples, [replies[:1] for replies in score.completions_P_S[:PROBLEMS]])
    others = [way for way in WAYS if way != (sampling.template, sampling.prompt)]
    found = []
    with console.live("asking the base in other ways", total=len(others) * len(examples)) as live:
        for template, prompt in others:
            way = replace(sampling, template=template, prompt=prompt, samples=1)
            other = evaluate(model, tokenizer, examples, way, grader, live.advance)
            gain = paired_gain(asked.accuracies_P, other.accuracies_P)
            found.append({"template": template, "prompt": prompt, "accuracy": other.accuracy, **gain})
    result = {"problems": len(examples), "asked": asked.accuracy, "others": found}
    return result | {"warning": warning(result)}


def warning(result: dict) -> str | None:
    """One sentence where another way is better by 10 points and more than chance."""
    best = max(result["others"], key=lambda way: way["accuracy"])
    if best["verdict"] != "improved" or best["gain"]["points"] < MUCH_POINTS:
        return None
    return (
        f"the base is right in {best['accuracy']:.0%} of {result['problems']} problems with template "
        f"{best['template']} and prompt {best['prompt']}, in {result['asked']:.0%} as asked here: part of a gain over "
        f"it may be form alone; measure both with --template {best['template']} --prompt {best['prompt']} too."
    )
