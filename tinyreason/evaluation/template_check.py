"""Does the base do much better without the chat template, or with the other prompt? Then a gain may be form alone."""

from collections.abc import Callable
from dataclasses import replace

from tinyreason.config.run_config import CHECKED_PROBLEMS
from tinyreason.console import Console
from tinyreason.evaluation.score import Score, evaluate
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import Sampling
from tinyreason.intervals import paired_gain
from tinyreason.prompts import other_ways
from tinyreason.runs.result import OtherWay, TemplateCheck


def check_template(
    model,
    tokenizer,
    score: Score,
    sampling: Sampling,
    grader: Grader,
    console: Console,
    check_time: Callable[[], None] = lambda: None,
) -> TemplateCheck:
    """Asks the base in the other ways, and warns where one of them is much better; a way that fails is said.

    Qwen2.5-Math-1.5B goes from 33.0 to 61.8 on MATH500 by leaving its chat template out (arXiv 2503.20783).
    `check_time` is called after each batch.
    """
    asked = first_samples(score)
    ways = other_ways(sampling.template, sampling.prompt, has_template=bool(tokenizer.chat_template))
    others = []
    with console.live("asking the base in other ways", total=len(ways) * len(asked.examples)) as live:

        def advance(count: int) -> None:
            live.advance(count)
            check_time()

        for template, prompt in ways:
            way = replace(sampling, template=template, prompt=prompt, samples=1)
            try:
                other = evaluate(model, tokenizer, asked.examples, way, grader, advance)
            except Exception as error:  # a tokenizer or a template can refuse in any type
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                console.say(f"caveat  the base cannot be asked with template {template} and prompt {prompt}: {reason}")
                continue
            gain = paired_gain(asked.accuracies_P, other.accuracies_P)
            correct = "".join(f"{share:.0f}" for share in other.accuracies_P)
            others.append(OtherWay(template=template, prompt=prompt, accuracy=other.accuracy, correct=correct, **gain))
    check = TemplateCheck(problems=len(asked.examples), asked=asked.accuracy, others=others)
    return check.model_copy(update={"warning": template_warning(check)})


def first_samples(score: Score, problems: int = CHECKED_PROBLEMS) -> Score:
    """Returns the first completion to each of the first problems."""
    return Score(score.examples[:problems], [row[:1] for row in score.completions_P_S[:problems]])


def template_warning(check: TemplateCheck) -> str | None:
    """Returns one sentence where another way is better by 10 points and more than chance."""
    best = check.better_way
    return best and (
        f"the base is correct on {best.accuracy:.0%} of {check.problems} problems with template {best.template} and "
        f"prompt {best.prompt}, on {check.asked:.0%} as asked here: part of a gain over it may be form alone; measure "
        f"both with --template {best.template} --prompt {best.prompt} too."
    )


def form_alone(check: TemplateCheck | None, after: Score) -> str | None:
    """Returns why a gain may be form alone: the trained model does not beat the base asked in a better way; else None.

    The two are paired on the problems of the check, one completion each.
    """
    best = check and check.better_way
    if not best:
        return None
    trained = first_samples(after, len(best.correct))
    if paired_gain([float(mark) for mark in best.correct], trained.accuracies_P)["verdict"] == "improved":
        return None
    return (
        f"the base is correct on {best.accuracy:.0%} of {check.problems} problems when asked with template "
        f"{best.template} and prompt {best.prompt}, and the trained model, with {trained.accuracy:.0%}, is not better "
        f"than that beyond chance, so the gain may be form alone"
    )


def unless_form_alone(found: dict, check: TemplateCheck | None, after: Score) -> dict:
    """Returns a comparison's `gain`, `verdict` and more, the verdict "cannot tell" with its reason if of form alone."""
    reason = form_alone(check, after) if found["verdict"] == "improved" else None
    return found | ({"verdict": "cannot tell", "verdict_reason": reason} if reason else {})
