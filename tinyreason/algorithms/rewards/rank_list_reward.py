"""Pays a ranking of texts by several measures at once.

Why: ReasonRank (arXiv 2508.07050): a listwise reranker that is paid by one measure neglects the rest of its list.
Formula: −1 without `<think>` and `<answer>` in order; 0 where the ids in the answer are not as many as those of the
gold answer, or one stands there twice; else NDCG@10 + 0.2·recall@10 + 0.1·RBO. The gold answer lists all ids from the
best, a bar behind the last relevant one: `[2] > [5] | [1] > [3] > [4]`; nan where it has no bar. Relevance is 0 or 1.
RBO is rank-biased overlap with the gold list at p = 0.9, divided by what equal lists get; p and the division are ours.
Reward hacking: the order behind the tenth place counts only in RBO, so hardly at all.
Example: `rewards: [{kind: rank_list_reward}]`
"""

from math import log2
from typing import Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import inside_tag, listed_ids, stand_once_in_order
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

PLACES = 10
PERSISTENCE = 0.9


class RankListReward(Reward):
    """Gives up to 1.3 for a ranking near the gold one, 0 for one that is not whole, −1 without tags."""

    kind: Literal["rank_list_reward"] = "rank_list_reward"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        rows = zip(batch.texts, batch.examples, strict=True)
        return batch.correct.new_tensor([ranking_reward(text, example.answer) for text, example in rows])


def ranking_reward(completion: str, gold_answer: str) -> float:
    """Returns what a completion earns; nan where the gold answer does not say what is relevant."""
    first, bar, rest = gold_answer.partition("|")
    relevant, gold = set(listed_ids(first)), listed_ids(first) + listed_ids(rest)
    if not bar or not relevant:
        return float("nan")
    if not stand_once_in_order(completion, "think", "answer"):
        return -1.0
    ids = listed_ids(inside_tag(completion, "answer") or "")
    if len(ids) != len(gold) or len({*ids}) < len(ids):
        return 0.0
    recall = len(relevant.intersection(ids[:PLACES])) / len(relevant)
    return ndcg(ids, relevant) + 0.2 * recall + 0.1 * rank_overlap(ids, gold)


def ndcg(ids: list[int], relevant: set[int]) -> float:
    """Returns NDCG@10: the relevant ids' 1/log2(place + 1), over that of the best order."""
    gained = sum(1 / log2(place + 2) for place, id in enumerate(ids[:PLACES]) if id in relevant)
    return gained / sum(1 / log2(place + 2) for place in range(min(PLACES, len(relevant))))


def rank_overlap(ids: list[int], gold: list[int]) -> float:
    """Returns rank-biased overlap: the share that the first d have in common, weighted by p^d over all depths d."""
    depths = range(1, len(gold) + 1)
    weights = [PERSISTENCE**depth for depth in depths]
    shares = [len({*ids[:depth]} & {*gold[:depth]}) / depth for depth in depths]
    return sum(weight * share for weight, share in zip(weights, shares, strict=True)) / sum(weights)
