"""Pays for the phrases that reasoning is made of, whatever the answer is; it reads no gold answer.

Why: RPR, the reasoning pattern reward (arXiv 2505.22653): paying for "first, I need to" alone came near what correct
answers bring, and beside a noisy reward it mends what that takes for incorrect. `incorrect_only` is for that. The noise
of the same study is an option of correctness: `{kind: correctness, flip: 0.4}`.
Formula: 0 without a box or an `<answer>`; else max(0, min(1, n/20) − r − u), n how many of the phrases occur (each
counts once), r the different sequences of 20 words that occur more than once, over all sequences of 20 words, u how
often "user: " occurs. The phrases are ours: 40 usual ones; the authors' list is not copied here.
Reward hacking: a list of the phrases earns full marks without a thought.
Example: `rewards: [{kind: correctness}, {kind: rpr_phrases, weight: 0.5, incorrect_only: true}]`
"""

from typing import Literal

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.algorithms.rewards._tags import repeated_share
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

PHRASES = (
    *("first, i need to", "first, let's", "let's start", "to solve this", "we need to find", "we are given"),
    *("we know that", "let me", "let's denote", "let x", "suppose", "assume that", "consider", "recall that"),
    *("next,", "then,", "now,", "after that", "step 1", "step 2", "because", "since", "which means", "this means"),
    *("so we have", "so that makes", "therefore", "thus", "hence", "if we", "substitut", "simplify", "for example"),
    *("wait", "alternatively", "however", "let me check", "double-check", "verify", "finally"),
)


class RprPhrases(Reward):
    """Gives up to 1 for how many phrases of reasoning occur, less what is repeated."""

    kind: Literal["rpr_phrases"] = "rpr_phrases"
    phrases: tuple[str, ...] = Field(PHRASES, min_length=1)
    """What is looked for, upper and lower case alike."""
    enough: int = Field(20, ge=1)
    """How many of them earn 1."""
    incorrect_only: bool = False
    """Whether only completions that are graded incorrect earn it: beside correctness."""

    @property
    def reads_gold(self) -> bool:
        """Returns whether it looks at what is correct: only to pay the others."""
        return self.incorrect_only

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        values = batch.correct.new_tensor([self.of_text(text.lower()) for text in batch.texts])
        return batch.where_graded(values.masked_fill(batch.correct == 1, 0.0)) if self.incorrect_only else values

    def of_text(self, text: str) -> float:
        """Returns what a completion in lower case earns."""
        if "\\boxed{" not in text and "<answer>" not in text:
            return 0.0
        words = text.split()
        repeated, _, count = repeated_share(words, 20)
        present = sum(phrase.lower() in text for phrase in self.phrases)
        return max(0.0, min(1.0, present / self.enough) - repeated / max(1, count) - text.count("user: "))
