"""What a run's figures warn of, in plain words: each rule looks at one thing and says nothing where all is well."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.grading.answers import gold_text
from tinyreason.grading.hacking_signs import SIGNS, alarming_signs, is_alarming
from tinyreason.runs.reader import StoredRun, is_number
from tinyreason.runs.result import GRADERS_DISAGREE, RunResult, StoredProblem

ENDS = 10
"""The first and the last so many steps are compared."""
LARGEST_FALL = 0.5
"""Of a token's log-probability, natural, in completions that are imitated."""
LARGEST_DISTANCE = 0.2
"""Mean distance in nats a token; a ratio is clipped from about there on."""


@dataclass(frozen=True)
class RunWarning:
    """One warning."""

    title: str
    text: str
    """What it means and what to try."""


def run_warnings(run: StoredRun) -> list[RunWarning]:
    """Returns all warnings, what spoils a result before what only wastes time."""
    return [RunWarning(*found) for rule in RULES for found in rule(run)]


Found = Iterator[tuple[str, str]]


def not_a_number(run: StoredRun) -> Found:
    """Warns of a loss, gradient or reward that is nan or infinite to the end.

    A gradient that is finite again later overflowed in float16, and its step was skipped.
    """
    for name in ("loss", "gradient/norm", "reward/mean", "kl/mean"):
        rows = [row for row in run.metrics if name in row]
        steps = [row["step"] for row in rows if _is_nan(row[name])]
        if steps and (name != "gradient/norm" or _is_nan(rows[-1][name])):
            yield (
                f"{name} is not a number from step {steps[0]} on",
                "Training has broken down there: lower train.learning_rate, or compute in model.dtype=float32.",
            )
            return


def imitated_fall(run: StoredRun) -> Found:
    """Warns of fine-tuning away from completions that makes those it should imitate less likely too."""
    logp = run.curve("logp/positive")
    ends = min(ENDS, len(logp) // 2)
    then, now = (fmean(logp[:ends]), fmean(logp[-ends:])) if ends else (0.0, 0.0)
    if then - now > LARGEST_FALL:
        yield (
            "What is imitated became less likely",
            f"The log-probability of a token in the completions to imitate went from {then:.2f} to {now:.2f}: moving "
            f"away from the others has no lower bound. Lower train.learning_rate or train.max_steps, weigh the others "
            f"less, or type train.loss=topr.",
        )


def sampled_elsewhere(run: StoredRun) -> Found:
    """Warns of rollouts from a policy that is not the one that is trained, whatever the ratio makes of them."""
    distances = run.curve("sampling/logp_difference")
    if distances and (mean := fmean(distances)) > LARGEST_DISTANCE:
        yield (
            f"The rollouts come from another policy, {mean:.2f} nats a token away",
            "Where a server samples, it may hold another base or an earlier adapter: start it anew, as docs/server.md "
            "says. Where they are sampled in bfloat16, leave train.rollout_dtype out.",
        )


def reward_without_gain(run: StoredRun) -> Found:
    """Warns of a reward that rises while accuracy falls: on the validation set, or in the evaluation."""
    reward = run.curve("reward/mean")
    checks = [
        (row["step"], row["validation/accuracy"]) for row in run.metrics if is_number(row.get("validation/accuracy"))
    ]
    ends = min(ENDS, len(reward) // 2)
    rise = fmean(reward[-ends:]) - fmean(reward[:ends]) if ends else 0.0
    if len(checks) > 1 and rise > 0:
        best_step, best = max(checks, key=lambda check: check[1])
        last_step, last = checks[-1]
        if best - last > _noise(best, run.config):
            yield (
                "The reward rises while validation accuracy falls",
                f"Validation accuracy was {best:.0%} at step {best_step} and is {last:.0%} at step {last_step}, beyond "
                f"chance, while the training reward went up by {rise:.2f}. The model memorises its training problems, "
                f"or hacks the reward: fewer steps, a stronger KL penalty (train.kl), a smaller adapter.",
            )
            return
    result = run.result
    if result and rise > 0.1 and result.verdict not in ("improved", GRADERS_DISAGREE) and not _saves_tokens(result):
        yield (
            "The training reward rose, other problems gained nothing",
            f"The reward went up by {rise:.2f} in training, but the gain on problems it was not trained on is "
            f"{result.gain.points:+.1f} points. Look at the rollouts below for what earned the reward.",
        )


def graders_disagree(run: StoredRun) -> Found:
    """Warns where a stricter grader, which training never sees, finds another gain."""
    if run.result and run.result.verdict == GRADERS_DISAGREE:
        low, high = run.result.second_opinion.gain.interval
        yield (
            "Another grader finds another gain",
            f"A stricter grader, which training never sees, finds {run.result.second_opinion.gain.points:+.1f} points "
            f"[{low:+.1f}, {high:+.1f}] where the training's finds {run.result.gain.points:+.1f}. Read the completions "
            f"below that only one of them accepts: the model may have found a hole in the grader.",
        )


def hacking_signs(run: StoredRun) -> Found:
    """Warns of a sign of reward hacking among correct completions, in training or in the evaluation."""
    found = {f"in training {SIGNS[sign]}": shares for sign, shares in alarming_signs(run.metrics).items()}
    opinion = run.result.second_opinion if run.result else None
    before, after = opinion.signs if opinion else ({}, {})
    for sign, now in after.items():
        if sign in SIGNS and is_alarming(sign, before.get(sign, 0.0), now):
            found[f"after training {SIGNS[sign]}"] = (before.get(sign, 0.0), now)
    if found:
        shares = "; ".join(f"{now:.0%} {what}, {then:.0%} before" for what, (then, now) in found.items())
        yield (
            "A sign of reward hacking",
            f"Of the correct completions {shares}. Read them below: the model may be rewarded for something else than "
            f"solving problems.",
        )


def memorised_answer(run: StoredRun) -> Found:
    """Warns where incorrect completions to many different problems give one and the same answer."""
    if run.evaluation is None:
        return
    before, after = _incorrect_answers(run.evaluation.before), _incorrect_answers(run.evaluation.after)
    if len(after) < 10:
        return
    answer, count = Counter(after).most_common(1)[0]
    share, base_share = count / len(after), before.count(answer) / max(1, len(before))
    if share >= 0.25 and share > 2 * base_share:
        yield (
            f"One answer is memorised: {answer[:40]}",
            f"{share:.0%} of the incorrect completions after training give this answer, to different problems; before "
            f"it were {base_share:.0%}. Train on more problems, for fewer steps, or with a stronger KL penalty "
            f"(train.kl).",
        )


def format_effect(run: StoredRun) -> Found:
    """Warns of a control that is not rewarded for being correct and gains much of what the run gains."""
    if not run.result:
        return
    points = run.result.gain.points
    for control in run.controls.runs[1:] if run.controls else ():
        if points > 0 and control.gain.points >= points / 2:
            yield (
                f"A {control.reward} reward gains half as much, or more",
                f"The same budget with a {control.reward} reward gained {control.gain.points:+.1f} points, the run "
                f"{points:+.1f}: much of the gain does not come from being rewarded for correct answers.",
            )


def no_gradient(run: StoredRun) -> Found:
    """Warns where many groups teach nothing because every rollout of them earned the same reward.

    Not where an advantage has another baseline than the group: then they do teach.
    """
    advantages = run.config.get("advantage") or {}
    kinds = [one.get("kind") for one in (advantages if isinstance(advantages, list) else [advantages])]
    if any(kind in ADVANTAGES and not ADVANTAGES[kind].has_baseline for kind in kinds):
        return
    shares = run.curve("group/share_zero_variance")
    share = fmean(shares) if shares else 0.0
    if share < 0.5:
        return
    kinds = Counter(group.outcome for group in run.groups)
    if run.groups and not any(group.graded for group in run.groups):
        why = "Without gold answers nothing says whether they were correct; the validation and the evaluation do."
    elif kinds["all correct"] > kinds["all incorrect"]:
        why = "Mostly all completions of a group were correct: harder problems, or fewer steps."
    else:
        why = (
            "Mostly no completion of a group was correct: easier problems, larger groups (train.group_size), a better "
            "base."
        )
    yield (
        f"No gradient in {share:.0%} of groups",
        f"All completions of such a group earned the same reward, so nothing was learned from them. {why}",
    )


def hits_the_limit(run: StoredRun) -> Found:
    """Warns of completions truncated by the token limit, in training or in the evaluation."""
    shares = run.curve("length/share_truncated")
    share = fmean(shares[-ENDS:]) if shares else 0.0
    if share >= 0.1:
        yield (
            f"Completions hit the limit: {share:.0%} of the last rollouts were truncated",
            "A truncated completion has no answer and counts as incorrect, so length is punished, not error: raise "
            "train.max_completion_tokens, or reward shorter completions.",
        )
    truncated = run.result.after.truncated if run.result else None
    if truncated is not None and truncated >= 0.05:
        yield (
            f"{truncated:.0%} of the evaluated completions were truncated",
            "The accuracy counts them as incorrect; with a higher evaluation.max_completion_tokens it may be higher.",
        )


def never_correct(run: StoredRun) -> Found:
    """Warns where no rollout at all was correct, or many could not be graded."""
    graded, correct = sum(group.graded for group in run.groups), sum(group.correct for group in run.groups)
    lines, lost = sum(group.lines for group in run.groups), sum(group.unrewarded for group in run.groups)
    if graded and not correct:
        yield (
            "No rollout was correct",
            f"Of {graded:,} rollouts none gave the correct answer, so a reward for correct answers had nothing to "
            f"teach.",
        )
    if lost > lines / 2:
        yield (
            f"{lost / lines:.0%} of the rollouts could not be graded",
            "Their gold answers cannot be parsed, and such rollouts teach nothing: correct the answers.",
        )


def too_few_problems(run: StoredRun) -> Found:
    """Warns of an interval so wide that hardly any gain could have been told from none."""
    result = run.result
    if result and result.verdict == "cannot tell" and not result.verdict_reason:
        low, high = result.gain.interval
        if high - low > 10:
            yield (
                "Too few problems to tell",
                f"The interval of the gain is {high - low:.0f} points wide with {result.after.problems} "
                f"problems; {_more_problems(result)}",
            )


def no_room(run: StoredRun) -> Found:
    """Warns where the base already solves nearly everything, and its completions did not get shorter either."""
    if run.result and run.result.before.accuracy >= 0.95 and not _saves_tokens(run.result):
        yield (
            "The base was already correct nearly always",
            "These problems leave no room for a gain; evaluate on harder ones (evaluation.data).",
        )


RULES = (
    *(not_a_number, graders_disagree, hacking_signs, reward_without_gain, memorised_answer, format_effect),
    *(no_gradient, imitated_fall, sampled_elsewhere),
    *(hits_the_limit, never_correct, too_few_problems, no_room),
)


def _more_problems(result: RunResult) -> str:
    """Returns what can narrow the interval: more problems where the source holds them, else another source."""
    count, available = result.after.problems, result.available_problems
    if available is None or available >= 4 * count:
        held = "" if available else ", where the data holds them,"
        return f"four times as many (evaluation.problems){held} halve it."
    if available > count:
        return f"the data holds only {available} for it (evaluation.problems); for more give evaluation.data."
    return "the data holds no more for it; give more in evaluation.data."


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _saves_tokens(result: RunResult) -> bool:
    """Returns whether completions take fewer tokens, beyond chance, and are no worse: the aim of length rewards."""
    return result.verdict != "worse" and result.tokens is not None and result.tokens.interval[1] < 0


def _noise(accuracy: float, config: dict[str, Any]) -> float:
    """Returns twice the standard error of the difference of two such accuracies, each of one completion per problem."""
    problems = (config.get("validation") or {}).get("problems") or 64
    return 2 * math.sqrt(2 * max(accuracy * (1 - accuracy), 0.01) / problems)


def _incorrect_answers(side: list[StoredProblem]) -> list[str]:
    """Returns the final answers of a side's incorrect completions; those that give none are left out."""
    return [
        answer
        for problem in side
        for completion in problem.completions
        if completion.correct is False and len(answer := gold_text(completion.text)) <= 40
    ]
