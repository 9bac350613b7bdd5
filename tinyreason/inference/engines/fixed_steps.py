"""The fused engine's steps in batches of fixed shapes, each of which a card replays as one CUDA graph.

A step launches some thousand small kernels. A processor takes longer to launch them than a card to compute them; a
graph is launched as one.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

COLUMNS = 256
"""A shape has a multiple of so many places of the cache."""
SHRINK = 4
"""A shape has all rows of the cache, or that divided by a power of this."""


class FixedSteps:
    """Takes the steps of a `FusedEngine` whose cache has been allocated.

    Slots and places that a shape has beyond those in use are computed too, and seen by nobody.
    """

    def __init__(self, engine: Any):
        _, _, self.most_rows, _, self.most_columns, _ = engine.cache.shape
        self.engine, device = engine, engine.device
        self.tokens, self.pads = (torch.zeros(self.most_rows, dtype=torch.long, device=device) for _ in range(2))
        self.place = torch.zeros(1, dtype=torch.long, device=device)
        self.pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        self.steps: dict[tuple[int, int], Callable[[], Tensor]] = {}

    def __call__(self, tokens_N: Tensor) -> Tensor:
        """Returns (N, V) logits behind one more token in each of the first N slots; the next step writes over them."""
        count, width = len(tokens_N), self.engine.width
        self.tokens[:count], self.pads[:count] = tokens_N, self.engine.pads
        self.place.fill_(width)
        shape = fixed_rows(count, self.most_rows), min(-(-(width + 1) // COLUMNS) * COLUMNS, self.most_columns)
        if shape not in self.steps:
            self.steps[shape] = self._made(*shape)
        logits = self.steps[shape]()
        self.engine.width = width + 1
        return logits[:count]

    def _made(self, rows: int, columns: int) -> Callable[[], Tensor]:
        """Returns what computes a step of this shape from the tensors held here: on a card its graph."""
        if self.pool is None:
            return lambda: self._step(rows, columns)
        self._step(rows, columns)  # libraries begin outside a graph; it writes what the graph will write
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            logits = self._step(rows, columns)

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay

    def _step(self, rows: int, columns: int) -> Tensor:
        """Returns (rows, V) logits; no shape, and nothing that is launched, depends on a value."""
        tokens, pads = self.tokens[:rows, None], self.pads[:rows, None]
        places = torch.arange(columns, device=self.place.device)
        mask = (places >= pads) & (places <= self.place)
        return self.engine.logits(tokens, (self.place - pads).clamp(min=0), mask[:, None, None], self.place, columns)


def fixed_rows(count: int, most: int) -> int:
    """Returns the fewest rows of a shape that hold so many."""
    while most // SHRINK >= count:
        most //= SHRINK
    return most
