"""Packs rows that share prompts and beginnings into one sequence, for `models.shared_attention`.

The rows of a prompt follow it in whichever way costs less: each distinct row by itself, or as a tree in which every
distinct beginning stands once. On a card, where launching kernels costs more than computing a short sequence, all trees
are attended to at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from tinyreason.models.shared_attention import Share, Whole

MOST_AT_ONCE = 3e9
"""Tokens² × width of the model up to which a card attends to all trees at once: an estimate, not measured."""
MULTIPLE = 16
"""Such a sequence is filled up to a multiple of so many tokens, which attention kernels want of a mask."""


@dataclass(frozen=True)
class Packed:
    """Rows in one sequence, each distinct token once."""

    tokens: Tensor
    """(1, tokens)."""
    positions: Tensor
    """(1, tokens), each counted from the beginning of its row."""
    shares: list[Share] | Whole
    sources: Tensor
    """(targets) → place of the token before."""
    targets: Tensor
    """(targets): the tokens whose log-probabilities are asked for."""
    found: Tensor
    """(rows, completion tokens) → number of the target; -1 where there is none."""


def pack_rows(ids: Tensor, mask: Tensor, keep: int, hidden: int, way: str | None = None) -> Packed | None:
    """Packs rows (rows, width) whose last `keep` tokens are the completion; None where nothing is asked for.

    `hidden` is the width of the model, by which a token's cost is weighed against attention's; `way` names one of
    `trees` and `rows` for every prompt, in place of the cheaper, or `whole`: all trees at once, as on a card where they
    are short. Every prompt has tokens.
    """
    kept = ids.shape[1] - keep
    prompts: dict[tuple, dict[tuple, list[int]]] = {}
    for row, (tokens, is_there) in enumerate(zip(ids.tolist(), mask.bool().tolist(), strict=True)):
        prompt, completion = (
            tuple(t for t, there in zip(tokens[part], is_there[part], strict=True) if there)
            for part in (slice(kept), slice(kept, None))
        )
        if completion:
            prompts.setdefault(prompt, {}).setdefault(completion, []).append(row)
    if not prompts:
        return None
    found = np.full((len(ids), keep), -1)
    if way == "whole" or (way is None and ids.device.type == "cuda"):
        build = Packing(found, hidden, "trees").filled(prompts)
        if way == "whole" or is_taken_whole(len(build.tokens), hidden):
            return build.packed_whole(ids.device)
    return Packing(found, hidden, way).filled(prompts).packed(ids.device)


def is_taken_whole(tokens: int, hidden: int) -> bool:
    """Returns whether a card attends to so many tokens of a model of a width at once."""
    return tokens**2 * hidden <= MOST_AT_ONCE


class Packing:
    """Builds a packed sequence, prompt after prompt."""

    def __init__(self, found: np.ndarray, hidden: int, way: str | None):
        self.found, self.hidden, self.way = found, hidden, way
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.sources: list[int] = []
        self.targets: list[int] = []
        self.shares: list[Share] = []

    def filled(self, prompts: dict[tuple, dict[tuple, list[int]]]) -> "Packing":
        """Appends all prompts, each with its completions, and returns itself."""
        for prompt, completions in prompts.items():
            self.add(prompt, completions)
        return self

    def add(self, prompt: tuple[int, ...], completions: dict[tuple[int, ...], list[int]]) -> None:
        """Appends a prompt and its distinct completions, each with the rows that it stands for."""
        start, length = len(self.tokens), len(prompt)
        tree = Beginnings(completions)
        longest, whole = max(map(len, completions)), sum(map(len, completions))
        self.tokens += prompt
        self.positions += range(length)
        cost_of_tree = self.cost(len(tree.tokens), length, len(tree.tokens))
        cost_of_rows = self.cost(whole, length, longest, len(completions))
        if (self.way or ("trees" if cost_of_tree <= cost_of_rows else "rows")) == "trees":
            mask, places, back, paths = tree.mask(length), None, None, tree.paths
            self.append(tree.tokens, tree.depths, tree.parents, start, length)
        else:
            mask = np.concatenate([np.ones((longest, length), bool), np.tri(longest, dtype=bool)], axis=1)
            places, back, paths = rows_in_branches(list(completions))
            for completion, path in zip(completions, paths, strict=True):
                self.append(completion, range(len(completion)), [-1, *path[:-1]], start, length)
        first = len(self.targets) - (len(self.tokens) - start - length)
        for rows, path in zip(completions.values(), paths, strict=True):
            self.found[rows, : len(path)] = np.asarray(path) + first
        share = Share(start, length, len(self.tokens) - start - length, mask, places, back)
        self.shares.append(share)

    def cost(self, tokens: int, prompt: int, longest: int, branches: int = 1) -> float:
        """Returns the cost of a way: what a token costs outside attention, and its attention to keys."""
        return tokens * 4 * self.hidden + branches * longest * (prompt + longest)

    def append(self, tokens: Sequence[int], depths: Sequence[int], parents: Sequence[int], start: int, prompt: int):
        """Appends tokens behind a prompt of a length; `parents` are places behind it, -1 = the prompt itself."""
        self.tokens += tokens
        self.targets += tokens
        self.positions += (prompt + depth for depth in depths)
        self.sources += (start + prompt + parent for parent in parents)

    def packed(self, device) -> Packed:
        """Returns what was built, as tensors on the device."""

        def tensor(values) -> Tensor:
            return torch.as_tensor(values, device=device)

        shares = [
            Share(
                s.start,
                s.prompt,
                s.tokens,
                tensor(s.mask),
                *(None if x is None else tensor(x) for x in (s.places, s.back)),
            )
            for s in self.shares
        ]
        return self.as_packed(device, shares)

    def packed_whole(self, device) -> Packed:
        """Returns the trees that were built under one mask, filled up with tokens that attend to themselves."""
        more = -len(self.tokens) % MULTIPLE
        mask = np.eye(len(self.tokens) + more, dtype=bool)
        for s in self.shares:
            first, last = s.start + s.prompt, s.start + s.prompt + s.tokens
            mask[s.start : first, s.start : first] = np.tri(s.prompt, dtype=bool)
            mask[first:last, s.start : last] = s.mask
        self.tokens += [0] * more
        self.positions += [0] * more
        return self.as_packed(device, Whole(torch.as_tensor(mask, device=device)))

    def as_packed(self, device, shares: list[Share] | Whole) -> Packed:
        """Returns the sequence with what its attention is told."""
        numbers = (self.sources, self.targets, self.found)
        sources, targets, found = (torch.as_tensor(values, device=device) for values in numbers)
        tokens, positions = (torch.as_tensor(values, device=device)[None] for values in (self.tokens, self.positions))
        return Packed(tokens, positions, shares, sources, targets, found)


class Beginnings:
    """The distinct beginnings of completions: each node's token, depth and parent, and each completion's path."""

    def __init__(self, completions: Sequence[tuple[int, ...]]):
        self.tokens: list[int] = []
        self.depths: list[int] = []
        self.parents: list[int] = []
        self.paths: list[list[int]] = []
        children: dict[tuple[int, int], int] = {}
        for completion in completions:
            node, path = -1, []
            for depth, token in enumerate(completion):
                child = children.get((node, token))
                if child is None:
                    child = children[node, token] = len(self.tokens)
                    self.tokens.append(token)
                    self.depths.append(depth)
                    self.parents.append(node)
                node = child
                path.append(node)
            self.paths.append(path)

    def mask(self, prompt: int) -> np.ndarray:
        """Returns (nodes, prompt + nodes): each node attends to the prompt, its ancestors and itself."""
        count = len(self.tokens)
        mask = np.zeros((count, prompt + count), bool)
        mask[:, :prompt] = True
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                mask[node] = mask[parent]
            mask[node, prompt + node] = True
        return mask


def rows_in_branches(completions: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray, list[range]]:
    """Returns (places, back) of a `Share` whose branches are rows one behind the other, and the path of each."""
    longest = max(map(len, completions))
    ends = np.cumsum([0, *map(len, completions)])
    paths = [range(first, last) for first, last in pairwise(ends)]
    places = np.array([[*path, *[path[0]] * (longest - len(path))] for path in paths]).reshape(-1)
    back = np.concatenate([branch * longest + np.arange(len(path)) for branch, path in enumerate(paths)])
    return places, back, paths
