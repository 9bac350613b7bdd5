"""Scored batches of a dozen problems of three domains, as samplers see them."""

import torch

from tinyreason.example import Example
from tinyreason.rollout import Batch

PROBLEMS = [
    Example(f"p{n}", ({"role": "user", "content": f"{n}?"},), "2", meta={"domain": f"d{n % 3}"}) for n in range(12)
]


def batch_of(numbers, correct, group_size=4, step=1, reward=None):
    """A scored batch of groups of these problems, with what is correct of each rollout."""
    examples = [PROBLEMS[number] for number in numbers for _ in range(group_size)]
    correct = torch.tensor([float(value) for value in correct])
    count = len(examples)
    there = torch.ones(count, 3, dtype=torch.bool)
    return Batch(
        examples=examples,
        texts=["x"] * count,
        ids=[[1, 2, 3]] * count,
        group=torch.arange(count) // group_size,
        length=torch.full((count,), 3),
        truncated=torch.zeros(count, dtype=torch.bool),
        correct=correct,
        group_size=group_size,
        max_completion_tokens=8,
        step=step,
        reward=correct if reward is None else torch.tensor(reward),
        mask=there,
        logp=-torch.ones(count, 3),
        entropy=torch.full((count, 3), 0.5),
    )
