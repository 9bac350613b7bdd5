"""Lets the model say first whether a problem is easy, and pays for brevity only where it said so and is correct.

Why: AdaCtrl (arXiv 2505.18822): the model budgets its own reasoning, and the user can force the tag.
Formula: ±1 for correct or incorrect + 0.5 · r_len + 0.5 · r_tag; r_len = (1 + cos(π·L/L_gmax))/2 if tagged [Easy] and
correct, else 0, L_gmax the group's longest; r_tag = 1 if the tag fits the group (easy where more than 0.625 are
correct), 0 if not, −1 without a tag. The completion begins with `[Easy]` or `[Hard]`, before or after `<think>`; the
paper teaches that by SFT first, and a model that was not taught gets −1 throughout. The paper adds DAPO's penalty near
the limit: that is `soft_overlong`, a second reward of the list. It holds correctness already.
Reward hacking: a group that is mostly correct pays for [Easy] whatever was thought.
Example: `rewards: [{kind: adactrl_tags}]`
"""

import re
from typing import ClassVar, Literal

from tinyreason.algorithms.rewards._reward import Reward
from tinyreason.grading.thought import ANALYSIS, OPEN
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.tensors import Tensor

EASY_ABOVE = 0.625
TAG = re.compile(rf"\s*(?:(?:{OPEN}|{re.escape(ANALYSIS)})\s*)?\[(Easy|Hard)\]")


class AdactrlTags(Reward):
    """Gives ±1 for the outcome, half a point for brevity where tagged [Easy], half a point for the fitting tag."""

    reads_length: ClassVar[bool] = True

    kind: Literal["adactrl_tags"] = "adactrl_tags"

    def __call__(self, batch: Batch, store: Store) -> Tensor:
        import math

        tags = [found[1] if (found := TAG.match(text)) else None for text in batch.texts]
        said_easy = batch.correct.new_tensor([tag == "Easy" for tag in tags]).bool()
        tagged = batch.correct.new_tensor([tag is not None for tag in tags]).bool()
        longest = batch.in_rows(batch.lengths_P_G.amax(dim=1, keepdim=True)).clamp(min=1.0)
        brief = (1 + (math.pi * batch.length / longest).cos()) / 2
        fits = (said_easy == (batch.pass_rate > EASY_ABOVE)).float().where(tagged, -1.0)
        return 2 * batch.correct - 1 + 0.5 * brief.where(said_easy & (batch.correct == 1), 0.0) + 0.5 * fits
