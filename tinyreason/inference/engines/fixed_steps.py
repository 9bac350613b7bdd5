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
    """Takes the steps of a `FusedEngine` whose cache has been allocated; it holds no engine, which holds it.

    Slots and places that a shape has beyond those in use are computed too, and seen by nobody.
    """

    def __init__(self, engine: Any):
        _, _, self.most_rows, _, self.most_columns, _ = engine.cache.shape
        device = engine.device
        self.tokens, self.pads = (torch.zeros(self.most_rows, dtype=torch.long, device=device) for _ in range(2))
        self.place = torch.zeros(1, dtype=torch.long, device=device)
        self.pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        self.shapes: dict[tuple[int, int], Callable[[], Tensor] | None] = {}
        """(rows, places) → what replays the step; None where there are no graphs."""

    def step(self, engine: Any, tokens_N: Tensor) -> Tensor:
        """Returns (N, V) logits behind one more token in each of the first N slots; the next step writes over them."""
        count, width = len(tokens_N), engine.width
        self.tokens[:count], self.pads[:count] = tokens_N, engine.pads
        self.place.fill_(width)
        shape = fixed_rows(count, self.most_rows), min(-(-(width + 1) // COLUMNS) * COLUMNS, self.most_columns)
        if shape not in self.shapes:
            self.shapes[shape] = self._recorded(engine, *shape) if self.pool else None
        replay = self.shapes[shape]
        logits = replay() if replay else self._logits(engine, *shape)
        engine.width = width + 1
        return logits[:count]

    def _recorded(self, engine: Any, rows: int, columns: int) -> Callable[[], Tensor]:
        """Returns what replays the step of this shape on a card."""
        self._logits(engine, rows, columns)  # libraries begin outside a graph; it writes what the graph will write
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            logits = self._logits(engine, rows, columns)

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay

    def _logits(self, engine: Any, rows: int, columns: int) -> Tensor:
        """Returns (rows, V) logits; no shape, and nothing that is launched, depends on a value."""
        tokens, pads = self.tokens[:rows, None], self.pads[:rows, None]
        places = torch.arange(columns, device=self.place.device)
        mask = (places >= pads) & (places <= self.place)
        return engine.logits(tokens, (self.place - pads).clamp(min=0), mask[:, None, None], self.place, columns)


def fixed_rows(count: int, most: int) -> int:
    """Returns the fewest rows of a shape that hold so many."""
    while most // SHRINK >= count:
        most //= SHRINK
    return most
