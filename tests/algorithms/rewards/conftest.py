"""Scored batches from lengths and verdicts, for rewards that read lengths."""

import pytest

from tinyreason.example import Example
from tinyreason.rollout import Batch


@pytest.fixture
def rollouts():
    """A scored batch from its lengths in tokens and what is correct; groups side by side, limit 100."""
    import torch

    def build(
        lengths,
        correct,
        group_size=None,
        *,
        texts=None,
        ids=None,
        problems=None,
        limit=100,
        step=1,
        truncated=(),
        answers=None,
        gold="2",
    ):
        count = len(lengths)
        size = group_size or count
        problems = problems or [str(n // size) for n in range(count)]
        return Batch(
            examples=[Example(problem, ({"role": "user", "content": "1+1?"},), gold) for problem in problems],
            texts=texts or ["<think>1+1=2</think>\\boxed{2}"] * count,
            ids=ids or [list(range(length)) for length in lengths],
            group=torch.arange(count) // size,
            length=torch.tensor(lengths),
            truncated=torch.tensor([n in truncated for n in range(count)]),
            correct=torch.tensor([float(c) for c in correct]),
            group_size=size,
            max_completion_tokens=limit,
            step=step,
            answers=answers or ["2"] * count,
        )

    return build
