"""A policy whose tokens are characters and whose answers are written beforehand, as plans of rollouts see one."""

from random import Random

import torch

from tinyreason.algorithms.rollouts import Rollout
from tinyreason.example import Example
from tinyreason.store import Store

END = "."
PROBLEMS = [
    Example(f"p{n}", ({"role": "user", "content": f"{n}+1?"},), str(n + 1), completion=f"{n} and 1 is {n + 1}")
    for n in range(4)
]


class FakePolicy:
    """Says `answers[i]` at the i-th rollout that it is asked for; whatever ends in the gold answer is correct."""

    def __init__(self, answers, group_size=2, limit=40, step=1, log_prob=-1.0):
        self.answers, self.group_size, self.limit, self.step = iter(answers), group_size, limit, step
        self.problems = {example.id: example for example in PROBLEMS}
        self.rng, self.store, self.log_prob, self.read = Random(0), Store(), log_prob, []
        self.opens_thought, self.by_base = False, 0

    def sample(self, rollouts, contexts=(), by_base=False):
        self.by_base += by_base * len(rollouts)
        for rollout, context in zip(rollouts, contexts or [one.prompt for one in rollouts], strict=True):
            self.read.append(as_text(context + rollout.tokens))
            rollout.add(self.encode(next(self.answers))[: self.limit - len(rollout.tokens)])

    def values(self, rollouts, contexts=()):
        log_probs = [torch.full((len(rollout.tokens),), self.log_prob) for rollout in rollouts]
        return log_probs, [torch.arange(len(rollout.tokens)).float() for rollout in rollouts]

    def grade(self, rollouts):
        return [self.text(rollout).removesuffix(END).endswith(rollout.example.answer) for rollout in rollouts]

    def text(self, rollout):
        return as_text(rollout.tokens[rollout.answered_from :])

    def answer(self, rollout):
        return self.text(rollout).removesuffix(END)

    def feedback(self, example, text):
        return self.encode(f"|{text}|")

    def has_ended(self, rollout):
        return self.text(rollout).endswith(END)

    def encode(self, text):
        return [ord(letter) for letter in text]

    def prompt(self, example, added="", turns=()):
        return self.encode("|".join([example.problem + added, *turns, ""]))

    def solution(self, example):
        return example.completion and self.encode(example.completion + END)[: self.limit]


def as_text(tokens):
    return "".join(map(chr, tokens))


def rollouts_of(policy, *numbers):
    """Groups of unwritten rollouts of these problems."""
    examples = [PROBLEMS[number] for number in numbers for _ in range(policy.group_size)]
    return [Rollout(example, policy.prompt(example)) for example in examples]


def told(rollouts):
    """(what it says, its source) of each rollout."""
    return [(as_text(rollout.tokens), rollout.source) for rollout in rollouts]
