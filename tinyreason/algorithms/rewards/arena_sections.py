"""Pays an answer from given texts for its form, its answer and the texts it cites, and far more for all three.

Why: ARENA (arXiv 2505.13258): an answer that is read off the wrong passage is luck.
Formula: f + e + r, and 10 more where all three are 1. f: `<relevance>`, `<analysis>`, `<answer>` once each, in order;
e: the answer equals the gold one but for case, articles and punctuation; r: 1 where the ids cited, `[1, 3]`, are those
of the gold answer, 0.5 where some are, else 0. The gold answer is written as `<relevance>[1, 3]</relevance>
<answer>Paris</answer>`; nan where it is not.
Reward hacking: citing every text always overlaps.
Example: `rewards: [{kind: arena_sections}]`
"""

import re
from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import inside_tag, listed_ids, stand_once_in_order
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class ArenaSections(Reward):
    """Gives a point each for the sections, the answer and the ids cited, half for some of them, 10 more for all."""

    kind: Literal["arena_sections"] = "arena_sections"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rows = zip(batch.texts, batch.examples, strict=True)
        return batch.correct.new_tensor([sections_reward(text, example.answer) for text, example in rows])


def sections_reward(completion: str, gold_answer: str) -> float:
    """Returns what a completion earns; nan where the gold answer has not both sections."""
    gold, gold_ids = cited_sections(gold_answer)
    if gold is None or not gold_ids:
        return float("nan")
    answer, ids = cited_sections(completion)
    is_formed = stand_once_in_order(completion, "relevance", "analysis", "answer")
    is_equal = answer is not None and without_articles(answer) == without_articles(gold)
    cited = 1.0 if ids == gold_ids else 0.5 if ids & gold_ids else 0.0
    return is_formed + is_equal + cited + 10 * (is_formed and is_equal and cited == 1)


def cited_sections(text: str) -> tuple[str | None, set[int]]:
    """Returns the answer, and the ids that are called relevant."""
    return inside_tag(text, "answer"), set(listed_ids(inside_tag(text, "relevance") or ""))


def without_articles(text: str) -> str:
    """Returns a text in lower case without articles and punctuation."""
    return " ".join(word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the"))
