"""Reads what rewards ask for in tags: `<think>`, `<answer>`, `<confidence>` and the like. Text is data, never run."""

import re
from collections import Counter
from collections.abc import Sequence


def stand_once_in_order(text: str, *names: str, is_thought_open: bool = False) -> bool:
    """Returns whether the tags of these names each open and close exactly once, one after the other.

    `is_thought_open`: the prompt ended in `<think>`, so that the first one is closed only.
    """
    tags = [tag for name in names for tag in (f"<{name}>", f"</{name}>")][int(is_thought_open) :]
    places = [text.find(tag) for tag in tags]
    return all(text.count(tag) == 1 for tag in tags) and places == sorted(places)


def inside_tag(text: str, name: str) -> str | None:
    """Returns what stands in the last tag of a name; None where there is none."""
    before, closed, _ = text.rpartition(f"</{name}>")
    _, opened, content = before.rpartition(f"<{name}>")
    return content.strip() if opened and closed else None


def listed_ids(text: str) -> list[int]:
    """Returns the numbers in square brackets, in their order: `[2] > [5]`, or `[2, 5]`."""
    return [int(number) for group in re.findall(r"\[([\d,\s]+)\]", text) for number in re.findall(r"\d{1,9}", group)]


def repeated_share(items: Sequence, n: int) -> tuple[int, int, int]:
    """Returns how many different n-grams stand there more than once, how many are different, and how many are there."""
    counts = Counter(tuple(items[at : at + n]) for at in range(len(items) - n + 1))
    return sum(count > 1 for count in counts.values()), len(counts), counts.total()
