"""What the page lets a reader browse: rollouts by step and group, completions before and after; thinned to a budget.

Every step keeps its curves; of its groups the first so many of every step are kept, as many as the budget holds.
"""

import base64
import gzip
import json
from collections import defaultdict
from typing import Any

from tinyreason.example import Example
from tinyreason.grading.strict import accepts
from tinyreason.runs.reader import Group, StoredRun, is_number
from tinyreason.runs.result import StoredCompletion

BUDGET_BYTES = 2_400_000
"""Of the packed data: the page with it stays under 3 MB."""
EVALUATION_SHARE = 0.25
"""Of the budget, at most, for the completions before and after."""
TRIAL_GROUPS = 48
"""So many are packed to know what one costs."""


def pack(value: Any) -> str:
    """Returns gzipped JSON in base64, which can close no HTML tag; a browser's own DecompressionStream unpacks it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), 6, mtime=0)).decode("ascii")


def run_payload(run: StoredRun, budget: int) -> dict[str, Any]:
    """Returns what of one run can be browsed in `budget` packed bytes, and how much there was."""
    evaluated = _problems(run)
    problems = _fitting(evaluated, int(budget * EVALUATION_SHARE))
    names = reward_names(run)
    budget -= len(pack(problems))
    kept = _fitting(_in_order_of_worth(run.groups), budget, lambda group: packed_group(run, group, names))
    return {
        "name": run.name,
        "reward_names": names,
        "groups": sorted(kept, key=lambda group: (group["step"], group["group"])),
        "groups_of_run": len(run.groups),
        "rollouts_of_run": sum(group.lines for group in run.groups),
        "problems": problems,
        "problems_of_run": len(evaluated),
    }


def _fitting(items: list, budget: int, form=lambda item: item) -> list:
    """Returns the first so many of `items`, in their packed form, as fit into the budget."""
    if not items:
        return []
    every = -(-len(items) // TRIAL_GROUPS)
    trial = [form(item) for item in items[::every]]
    count = min(len(items), int(budget / (len(pack(trial)) / len(trial))))
    while count:
        kept = [form(item) for item in items[:count]]
        size = len(pack(kept))
        if size <= budget:
            return kept
        count = min(count - 1, int(count * budget / size * 0.97))
    return []


def _in_order_of_worth(groups: list[Group]) -> list[Group]:
    """Orders one group of every step first, then a second of every step; a part of a round covers the whole run."""
    rounds: dict[int, list[Group]] = defaultdict(list)
    seen: dict[int, int] = defaultdict(int)
    for group in groups:
        rounds[seen[group.step]].append(group)
        seen[group.step] += 1
    return [group for number in sorted(rounds) for group in _ever_finer(rounds[number])]


def _ever_finer(items: list) -> list:
    """Orders both ends first, then ever finer between them, so that any beginning of the list covers all of it."""
    order = dict.fromkeys((0, len(items) - 1))
    step = len(items)
    while step > 1:
        step = -(-step // 2)
        order |= dict.fromkeys(range(0, len(items), step))
    return [items[place] for place in order]


def reward_names(run: StoredRun) -> list[str]:
    """Returns the reward terms of its rollouts."""
    names = {name for means in run.rollout_means.values() for name in means if name.startswith("reward/")}
    return [name.removeprefix("reward/") for name in sorted(names)]


def packed_group(run: StoredRun, group: Group, names: list[str]) -> dict[str, Any]:
    """Returns a group with its rollouts, as a page browses it."""
    rows = run.rollouts(group)
    first = rows[0] if rows else {}
    return {
        "step": group.step,
        "group": group.number,
        "id": _text(first.get("problem_id")),
        "prompt": _text(first.get("prompt")),
        "rollouts": [_rollout(row, names) for row in rows],
    }


def _rollout(row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    rewards = row.get("rewards") if isinstance(row.get("rewards"), dict) else {}
    advantage = row.get("advantage")
    if isinstance(advantage, list):  # one per token
        numbers = [value for value in advantage if is_number(value)]
        advantage = sum(numbers) / len(numbers) if numbers else None
    return {
        "text": _text(row.get("completion")),
        "tokens": _number(row.get("tokens")),
        "truncated": bool(row.get("truncated")),
        "correct": row.get("correct") if isinstance(row.get("correct"), bool) else None,
        "rewards": [_number(rewards.get(name)) for name in names],
        "reward": _number(row.get("reward")),
        "advantage": _number(advantage),
        "source": _text(row.get("source")),
    }


def _problems(run: StoredRun) -> list[dict[str, Any]]:
    """Returns the evaluation's problems with their completions on both sides."""
    if run.evaluation is None:
        return []
    before = {problem.id: problem for problem in run.evaluation.before}
    return [
        {
            "id": after.id,
            "problem": after.problem,
            "answer": after.answer,
            "before": [_completion(row, after.example) for row in before[after.id].completions],
            "after": [_completion(row, after.example) for row in after.completions],
        }
        for after in run.evaluation.after
        if after.id in before
    ]


def _completion(row: StoredCompletion, asked: Example) -> dict[str, Any]:
    packed = {"text": row.text, "tokens": row.tokens, "truncated": row.truncated, "correct": row.correct}
    strictly = accepts(row.text, asked.answer, row.truncated, asked.rule)
    is_disputed = row.correct is not None and row.correct != strictly
    return packed | ({"disputed": True} if is_disputed else {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> float | int | None:
    return (round(value, 4) if isinstance(value, float) else value) if is_number(value) else None
