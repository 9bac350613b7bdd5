"""What a run's figures warn of, in plain words: each rule looks at one thing and says nothing where all is well."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tinyreason.grading.answers import gold_text
from tinyreason.runs.reader import StoredRun, is_number

ENDS = 10
"""The first and the last so many steps are compared."""


@dataclass(frozen=True)
class RunWarning:
    """One thing that stands out."""

    title: str
    text: str
    """what it means and what to try"""


def run_warnings(record: StoredRun) -> list[RunWarning]:
    """All that stands out, what spoils a result before what only wastes time."""
    return [RunWarning(*found) for rule in RULES for found in rule(record)]


Found = Iterator[tuple[str, str]]


def not_a_number(record: StoredRun) -> Found:
    """A loss, gradient or reward that is nan or infinite."""
    for name in ("loss", "gradient/norm", "reward/mean", "kl/mean"):
        steps = [row["step"] for row in record.metrics if _is_nan(row.get(name))]
        if steps:
            yield (
                f"{name} is not a number from step {steps[0]} on",
                "Training has broken down there: lower train.learning_rate, or compute in model.dtype=float32.",
            )
            return


def reward_without_gain(record: StoredRun) -> Found:
    """The reward rises while held-out accuracy falls: by the validation curve, or by the evaluation."""
    reward = record.curve("reward/mean")
    checks = [
        (row["step"], row["validation/accuracy"]) for row in record.metrics if is_number(row.get("validation/accuracy"))
    ]
    ends = min(ENDS, len(reward) // 2)
    rise = fmean(reward[-ends:]) - fmean(reward[:ends]) if ends else 0.0
    if len(checks) > 1 and rise > 0:
        best_step, best = max(checks, key=lambda check: check[1])
        last_step, last = checks[-1]
        if best - last > _noise(best, record.config):
            yield (
                "The reward rises while held-out accuracy falls",
                f"Held-out accuracy was {best:.0%} at step {best_step} and is {last:.0%} at step {last_step}, beyond "
                f"chance, while the training reward went up by {rise:.2f}. It learns its training problems by heart, "
                f"or games the reward: fewer steps, a stronger leash (train.kl), a smaller adapter.",
            )
            return
    result = record.result
    if result and rise > 0.1 and result["verdict"] != "improved" and not _saves_tokens(result):
        yield (
            "The training reward rose, other problems gained nothing",
            f"The reward went up by {rise:.2f} in training, but the gain on problems it was not trained on is "
            f"{result['gain']['points']:+.1f} points. Look at the rollouts below for what earned the reward.",
        )


def memorised_answer(record: StoredRun) -> Found:
    """Wrong replies to many different problems give one and the same answer."""
    before, after = (_wrong_answers(record, side) for side in ("before", "after"))
    if len(after) < 10:
        return
    answer, count = Counter(after).most_common(1)[0]
    share, base_share = count / len(after), before.count(answer) / max(1, len(before))
    if share >= 0.25 and share > 2 * base_share:
        yield (
            f"One answer is memorised: {answer[:40]}",
            f"{share:.0%} of the wrong replies after training give this answer, to different problems; before it "
            f"were {base_share:.0%}. Train on more problems, for fewer steps, or with a stronger leash (train.kl).",
        )


def format_effect(record: StoredRun) -> Found:
    """A control that is not rewarded for being right gains much of what the run gains."""
    if not record.result:
        return
    points = record.result["gain"]["points"]
    for control in record.controls["runs"][1:] if record.controls else ():
        name, gain = control["reward"], control["gain"]["points"]
        if points > 0 and gain >= points / 2:
            yield (
                f"A {name} reward gains half as much, or more",
                f"The same budget with a {name} reward gained {gain:+.1f} points, the run {points:+.1f}: much of the "
                f"gain does not come from being rewarded for right answers.",
            )


def no_gradient(record: StoredRun) -> Found:
    """Groups in which every rollout earned the same reward teach nothing."""
    shares = record.curve("group/share_zero_variance")
    share = fmean(shares) if shares else 0.0
    if share < 0.5:
        return
    kinds = Counter(group.outcome for group in record.groups)
    right, wrong = kinds["all right"], kinds["all wrong"]
    if right > wrong:
        why = "Mostly all replies of a group were right: harder problems, or fewer steps."
    else:
        why = "Mostly no reply of a group was right: easier problems, larger groups (train.group_size), a better base."
    yield (
        f"No gradient in {share:.0%} of groups",
        f"All replies of such a group earned the same reward, so nothing was learned from them. {why}",
    )


def hits_the_limit(record: StoredRun) -> Found:
    """Replies are cut by the token limit, in training or in the evaluation."""
    shares = record.curve("length/share_truncated")
    share = fmean(shares[-ENDS:]) if shares else 0.0
    if share >= 0.1:
        yield (
            f"Replies hit the limit: {share:.0%} of the last rollouts were cut",
            "A cut reply has no answer and counts as wrong, so length is punished, not error: raise "
            "train.max_completion_tokens, or reward shorter replies.",
        )
    cut = (record.result or {}).get("after", {}).get("truncated")
    if is_number(cut) and cut >= 0.05:
        yield (
            f"{cut:.0%} of the evaluated replies were cut short",
            "The accuracy counts them as wrong; with a higher evaluation.max_completion_tokens it may be higher.",
        )


def never_right(record: StoredRun) -> Found:
    """No rollout at all was right, or none could be judged."""
    graded, right = sum(group.graded for group in record.groups), sum(group.right for group in record.groups)
    lines = sum(group.lines for group in record.groups)
    if graded and not right:
        yield (
            "No rollout was right",
            f"Of {graded:,} rollouts none gave the right answer, so a reward for right answers had nothing to teach.",
        )
    if lines and graded < lines / 2:
        yield (
            f"{1 - graded / lines:.0%} of the rollouts could not be judged",
            "Their gold answers cannot be parsed, and such rollouts teach nothing: correct the answers.",
        )


def too_few_problems(record: StoredRun) -> Found:
    """An interval so wide that hardly any gain could have been told from none."""
    result = record.result
    if result and result["verdict"] == "cannot tell":
        low, high = result["gain"]["interval"]
        if high - low > 10:
            yield (
                "Too few problems to tell",
                f"The interval of the gain is {high - low:.0f} points wide with {result['after']['problems']} "
                f"problems; four times as many (evaluation.problems) halve it.",
            )


def no_room(record: StoredRun) -> Found:
    """The base already solves nearly everything, and its replies did not get shorter either."""
    if record.result and record.result["before"]["accuracy"] >= 0.95 and not _saves_tokens(record.result):
        yield (
            "The base was already right nearly always",
            "These problems leave no room for a gain; evaluate on harder ones (evaluation.data).",
        )


RULES = (
    *(not_a_number, reward_without_gain, memorised_answer, format_effect, no_gradient),
    *(hits_the_limit, never_right, too_few_problems, no_room),
)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _saves_tokens(result: dict[str, Any]) -> bool:
    """Whether replies take fewer tokens, beyond chance, and are no worse: what a reward that reads length is for."""
    high = ((result.get("tokens") or {}).get("interval") or [0.0])[-1]
    return result["verdict"] != "worse" and is_number(high) and high < 0


def _noise(accuracy: float, config: dict[str, Any]) -> float:
    """Twice the standard error of the difference of two such accuracies, each of one reply a problem."""
    problems = (config.get("validation") or {}).get("problems") or 64
    return 2 * math.sqrt(2 * max(accuracy * (1 - accuracy), 0.01) / problems)


def _wrong_answers(record: StoredRun, side: str) -> list[str]:
    """The final answers of the evaluation's wrong replies; those that give none are left out."""
    return [
        answer
        for problem in (record.evaluation or {}).get(side) or ()
        for reply in problem["replies"]
        if reply.get("correct") is False and len(answer := gold_text(reply["text"])) <= 40
    ]
