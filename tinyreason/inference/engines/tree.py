"""Rollouts as a growing tree: the model reads at once what rows wait for and what earlier rollouts said next.

Rows then walk, each by its own random numbers, as far as the tree has been read. Guesses change how often the model is
called, never a token. Worth it where a call costs more than the places in it: in a model of the sandbox's size.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy
import torch

from tinyreason.inference.engines.fused import FusedEngine
from tinyreason.inference.engines.tokens import BELOW_ONE, TokenRule

MOST_PARAMETERS = 5_000_000
"""Of a base for which it was measured to be faster."""
WINDOW = 3
"""So many steps' rollouts are remembered."""
AHEAD = 32
"""So many tokens are guessed at most behind the last one that a row has said."""
ROOM = 512
"""The tree's keys and values are allocated for so many places at first, and for twice as many when they are full."""

Trie = dict[int, list]
"""Token → [how often it came next, the trie behind it]."""


def is_worth_it(engine: Any) -> bool:
    """Returns whether the engine can grow a tree, of a model so small that this is faster."""
    return isinstance(engine, FusedEngine) and engine.parameters <= MOST_PARAMETERS and engine.device.type == "cpu"


@dataclass
class Drafts:
    """What the rollouts of the last steps said, by prompt."""

    steps: list[list[Any]] = field(default_factory=list)
    """Of each step its number, and [prompt, completion] of every row; as JSON has it."""

    def learn(self, step: int, prompts: list[list[int]], rows: list[list[int]]) -> None:
        """Remembers rollouts of a step, and forgets those of steps before the last few."""
        pairs = [[list(prompt), row] for prompt, row in zip(prompts, rows, strict=True)]
        if self.steps and self.steps[-1][0] == step:
            self.steps[-1][1] += pairs
        else:
            self.steps = [*self.steps, [step, pairs]][-WINDOW:]

    def of(self, step: int) -> list[list[Any]]:
        """Returns [prompt, completion] of every row of the step that was learned last; none where it is another."""
        return self.steps[-1][1] if self.steps and self.steps[-1][0] == step else []

    def replace(self, step: int, pairs: list[list[Any]]) -> None:
        """Puts these in place of what was learned of the last step, if it is this one."""
        if self.of(step):
            self.steps[-1][1] = pairs

    def tries(self) -> dict[tuple[int, ...], Trie]:
        """Returns what came next, by prompt."""
        found: dict[tuple[int, ...], Trie] = {}
        for _, pairs in self.steps:
            for prompt, row in pairs:
                trie = found.setdefault(tuple(prompt), {})
                for token in row:
                    entry = trie.setdefault(token, [0, {}])
                    entry[0] += 1
                    trie = entry[1]
        return found


def likeliest(trie: Trie | None) -> tuple[int, Trie] | None:
    """Returns the token that came next most often, and the trie behind it; None where nothing is known."""
    if not trie:
        return None
    token = max(trie, key=lambda token: trie[token][0])
    return token, trie[token][1]


class Tree:
    """The places that have been, or will be, read: prompts, and what follows them."""

    def __init__(self):
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.parents: list[int] = []
        self.children: dict[tuple[int, int], int] = {}
        self.tries: list[Trie | None] = []
        """What earlier rollouts said behind each place."""

    def child(self, parent: int, token: int, trie: Trie | None = None) -> int:
        """Returns the place of a token behind another, −1 and below being the roots of prompts."""
        place = self.children.setdefault((parent, token), len(self.tokens))
        if place == len(self.tokens):
            self.tokens.append(token)
            self.positions.append(self.positions[parent] + 1 if parent >= 0 else 0)
            self.parents.append(parent)
            known = self.tries[parent] if parent >= 0 else None
            self.tries.append(trie if trie is not None else (known or {}).get(token, (0, None))[1])
        return place

    def guess(self, place: int, ends: set[int], most: int) -> None:
        """Adds what earlier rollouts most often said behind a place, `most` tokens at most."""
        for _ in range(min(AHEAD, most)):
            found = likeliest(self.tries[place])
            if found is None or found[0] in ends:
                return
            place = self.child(place, found[0])

    def mask(self, first: int, known: numpy.ndarray) -> numpy.ndarray:
        """Returns (places, places) which places are before which: `known` of the first ones, made up to the last."""
        size = len(self.tokens)
        mask = numpy.zeros((size, size), dtype=bool)
        mask[:first, :first] = known
        for place in range(first, size):
            if self.parents[place] >= 0:
                mask[place] = mask[self.parents[place]]
            mask[place, place] = True
        return mask


@torch.no_grad()
def grow_rollouts(
    engine: FusedEngine,
    prompts: list[list[int]],
    uniforms_R_T: torch.Tensor,
    rule: TokenRule,
    ends: set[int],
    drafts: dict[tuple[int, ...], Trie],
) -> list[list[int]]:
    """Returns the completions that `roll_out` returns, read with the tries of earlier rollouts."""
    count, limit = uniforms_R_T.shape
    uniforms = uniforms_R_T.numpy()
    tree, ends_of = Tree(), {}
    for prompt in map(tuple, prompts):
        if prompt not in ends_of:
            place = -1 - len(ends_of)
            for number, token in enumerate(prompt):
                place = tree.child(place, token, drafts.get(prompt, {}) if number + 1 == len(prompt) else None)
            ends_of[prompt] = place
    at = [ends_of[tuple(prompt)] for prompt in prompts]
    rows: list[list[int]] = [[] for _ in prompts]
    cumulative: list[numpy.ndarray] = []
    mask, waiting = numpy.zeros((0, 0), dtype=bool), list(range(count))
    engine.begin_tree(ROOM)
    while waiting:
        for row in waiting:
            tree.guess(at[row], ends, limit - 1 - len(rows[row]))
        first, size = len(cumulative), len(tree.tokens)
        mask = tree.mask(first, mask)
        logits = engine.grow(tree.tokens[first:], tree.positions[first:], torch.from_numpy(mask[first:]))
        cumulative += list(rule.cumulative(logits).numpy())
        walking, waiting = waiting, []
        for row in walking:
            place, said, numbers = at[row], rows[row], uniforms[row]
            while place < size:
                steps = cumulative[place]
                aim = numbers[len(said)] * steps[-1] * BELOW_ONE
                token = min(int(steps.searchsorted(aim, side="right")), len(steps) - 1)
                said.append(token)
                if token in ends or len(said) == limit:
                    break
                place = tree.child(place, token)
            else:
                at[row] = place
                waiting.append(row)
    return rows
