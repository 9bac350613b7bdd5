"""What the page lets a reader browse: rollouts by step and group, replies before and after; thinned to a budget.

Every step keeps its curves; of its groups the first so many of every step are kept, as many as the budget holds.
"""

import base64
import gzip
import json
from collections import defaultdict
from typing import Any

from tinyreason.runs.reader import Group, StoredRun, is_number

BUDGET_BYTES = 2_400_000
"""Of the packed data: the page with it stays under 3 MB."""
REPLIES_SHARE = 0.25
"""Of the budget, at most, for the replies before and after."""
TRIAL_GROUPS = 48
"""So many are packed to know what one costs."""


def pack(value: Any) -> str:
    """Gzipped JSON in base64, which can close no HTML tag; a browser's own DecompressionStream unpacks it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), 6, mtime=0)).decode("ascii")


def browsable(record: StoredRun, budget: int) -> dict[str, Any]:
    """What of one run can be browsed in `budget` packed bytes, and how much there was."""
    problems = _problems(record)
    replies = _fitting(problems, int(budget * REPLIES_SHARE))
    names = sorted({name for means in record.rollout_means.values() for name in means if name.startswith("reward/")})
    names = [name.removeprefix("reward/") for name in names]
    order = _in_order_of_worth(record.groups)
    budget -= len(pack(replies))
    kept = _fitting(order, budget, lambda group: _packed_group(record, group, names))
    return {
        "name": record.name,
        "reward_names": names,
        "groups": sorted(kept, key=lambda group: (group["step"], group["group"])),
        "groups_of_run": len(record.groups),
        "rollouts_of_run": sum(group.lines for group in record.groups),
        "replies": replies,
        "problems_of_run": len(problems),
    }


def _fitting(items: list, budget: int, form=lambda item: item) -> list:
    """The first so many of `items`, in their packed form, as fit into the budget."""
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
    """First one group of every step, then a second of every step; a round that is cut short is spread over the run."""
    rounds: dict[int, list[Group]] = defaultdict(list)
    seen: dict[int, int] = defaultdict(int)
    for group in groups:
        rounds[seen[group.step]].append(group)
        seen[group.step] += 1
    return [group for number in sorted(rounds) for group in _spread(rounds[number])]


def _spread(items: list) -> list:
    """Both ends first, then ever finer between them, so that any beginning of the list covers all of it."""
    order = dict.fromkeys((0, len(items) - 1))
    step = len(items)
    while step > 1:
        step = -(-step // 2)
        order |= dict.fromkeys(range(0, len(items), step))
    return [items[place] for place in order]


def _packed_group(record: StoredRun, group: Group, names: list[str]) -> dict[str, Any]:
    rows = record.rollouts(group)
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
    if isinstance(advantage, list):  # one a token
        numbers = [value for value in advantage if is_number(value)]
        advantage = sum(numbers) / len(numbers) if numbers else None
    return {
        "text": _text(row.get("completion")),
        "tokens": _number(row.get("tokens")),
        "cut": bool(row.get("truncated")),
        "right": row.get("correct") if isinstance(row.get("correct"), bool) else None,
        "rewards": [_number(rewards.get(name)) for name in names],
        "reward": _number(row.get("reward")),
        "advantage": _number(advantage),
    }


def _problems(record: StoredRun) -> list[dict[str, Any]]:
    """The evaluation's problems with their replies on both sides."""
    if record.evaluation is None:
        return []
    before = {problem["id"]: problem for problem in record.evaluation["before"]}
    return [
        {
            "id": _text(after["id"]),
            "problem": _text(after.get("problem", "")),
            "answer": _text(after.get("answer", "")),
            "before": [_reply(reply) for reply in before[after["id"]]["replies"]],
            "after": [_reply(reply) for reply in after["replies"]],
        }
        for after in record.evaluation["after"]
        if after["id"] in before
    ]


def _reply(reply: dict[str, Any]) -> dict[str, Any]:
    return {
        "text": _text(reply.get("text")),
        "tokens": _number(reply.get("tokens")),
        "cut": bool(reply.get("truncated")),
        "right": reply.get("correct") if isinstance(reply.get("correct"), bool) else None,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> float | int | None:
    return (round(value, 4) if isinstance(value, float) else value) if is_number(value) else None
