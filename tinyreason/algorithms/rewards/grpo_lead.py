"""Pays a correct answer the more the shorter it is among the group's correct ones, on an exponential.

Why: GRPO-LEAD (arXiv 2504.09696). Its other half, a weight by difficulty, is `advantage: {kind: grpo_lead}`.
Formula: correct: exp(−α·z), z = (L − mean)/std over the group's correct answers (std of a sample, as released), α =
0.05, 1 unless the group's three shortest completions are longer than `from_tokens` on average; an incorrect answer −1;
no answer 0, or −2 where the completion ends in a loop. It holds correctness already; it stands alone.
Translated: without an answer is here a completion without a box, with thoughts that never end, or truncated; a loop is
one of tokens, as released it is 30 words or fewer ten times in a row, or a word of 120 letters.
Reward hacking: z is relative, so lucky short answers keep gaining in groups that are all short already; and giving no
answer is better than giving an incorrect one.
Example: `rewards: [{kind: grpo_lead}]`
"""

from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.algorithms.rewards._loop import loop_start
from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import never_ends
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor


class GrpoLead(Reward):
    """Gives exp(−α·z) of the length for a correct answer, −1 for an incorrect one, 0 or −2 for none."""

    reads_length: ClassVar[bool] = True

    kind: Literal["grpo_lead"] = "grpo_lead"
    alpha: float = Field(0.05, ge=0)
    """α, how steeply length counts."""
    from_tokens: int = Field(4000, ge=0)
    """Length counts in groups whose three shortest completions are longer than this on average, in tokens."""

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        away, std = batch.deviations(batch.correct_lengths_P_G)
        shortest = batch.lengths_P_G.sort(dim=1).values[:, :3].mean(dim=1, keepdim=True)
        score = (away / std).where((std > 0) & (shortest > self.from_tokens), 0.0)
        loops = batch.correct.new_tensor([loop_start(ids) < len(ids) for ids in batch.ids])
        answered = batch.correct.new_tensor([has_answer(text) for text in batch.texts]).bool() & ~batch.truncated
        incorrect = (-2 * loops).masked_fill(answered, -1.0)
        return batch.where_graded((-self.alpha * score).exp().view(-1).where(batch.correct == 1, incorrect))


def has_answer(text: str) -> bool:
    """Returns whether there is a box, and no thought that is opened and never closed."""
    return "\\boxed{" in text and not never_ends(text)
