"""Pays a code change by how much its new text resembles that of the gold change, file by file.

Why: SWE-RL (arXiv 2502.18449): a whole repository need not run to say how near a patch is.
Formula: −1 without a readable block, or where a block changes nothing; else the mean, over the files that the change
or the gold one touches, of difflib's `SequenceMatcher(None, new, gold, autojunk=False).ratio()`, 0 where only one of
them touches the file. A block: `### path`, `<<<<<<< SEARCH`, the lines to replace, `=======`, the new lines,
`>>>>>>> REPLACE`; the gold answer is written so too, and is nan where it cannot be read. Of a file's blocks the new
lines are compared, in their order.
Reward hacking: whether the searched lines exist is not looked at, nor whether the result runs; text near the gold earns
nearly 1 with the one token wrong that matters.
Example: `rewards: [{kind: sequence_similarity}]`
"""

import re
from difflib import SequenceMatcher
from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import said
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

BLOCK = re.compile(
    r"^###[ \t]*(\S[^\n]*)\n<<<<<<< SEARCH\n((?:(?!^[<>=]{7}).*\n)*?)=======\n((?:(?!^[<>=]{7}).*\n)*?)>>>>>>> REPLACE",
    re.MULTILINE,
)
LONGEST_CHARS = 4_000
"""Longer texts are compared by their beginnings, as the comparison takes the square of it."""


class SequenceSimilarity(Reward):
    """Gives from 0 to 1 how much the new lines resemble the gold ones, −1 for a change that cannot be read."""

    kind: Literal["sequence_similarity"] = "sequence_similarity"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rows = zip(batch.texts, batch.examples, strict=True)
        return batch.correct.new_tensor([similarity(text, example.answer) for text, example in rows])


def similarity(completion: str, gold_answer: str) -> float:
    """Returns what a completion earns; nan where the gold answer has no block."""
    gold, change = new_lines_of(gold_answer), new_lines_of(said(completion) or "")
    if gold is None:
        return float("nan")
    if change is None:
        return -1.0
    return sum(resemblance(change.get(file), gold.get(file)) for file in {*gold, *change}) / len({*gold, *change})


def new_lines_of(text: str) -> dict[str, str] | None:
    """Returns path → the new lines of its blocks; None without a block, or where one changes nothing."""
    blocks = BLOCK.findall(text)
    if not blocks or any(old == new for _, old, new in blocks):
        return None
    found: dict[str, str] = {}
    for path, _, new in blocks:
        found[path.strip()] = found.get(path.strip(), "") + new
    return found


def resemblance(one: str | None, other: str | None) -> float:
    """Returns the ratio of two texts, 0 where one of them is not there."""
    if one is None or other is None:
        return 0.0
    return SequenceMatcher(None, one[:LONGEST_CHARS], other[:LONGEST_CHARS], autojunk=False).ratio()
