"""ThinkEdit: the attention heads that write most towards short thoughts no longer write along that direction.

Why: arXiv 2503.22048; short thoughts of a reasoning model are its worst, and how long it thinks is one direction of the
residual stream. No training: one direction a layer, out of a few heads.
Formula: v_l = the mean residual stream after layer l's attention over long thoughts, less that over short ones, at unit
length. A head's score is the mean over short thoughts of what it writes along −v_l. Of the best 5 % of all heads
W_h ← W_h (I − v v'), so that ΔW_o = −v (v' W_o) on their columns: an exact LoRA of rank 1 on o_proj.
How it fails: v is the difference of two sets of problems too, as long thoughts are of hard ones; a model that does not
think has nothing to edit. Truncated completions are left out.
Translated: a completion without a thought counts with all its tokens.
Example: `tinyreason edit runs/first --with thinkedit longer_than=60 shorter_than=20`
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tinyreason.adapters.edits._edit import Edit, LayerChange, States, Trace
from tinyreason.errors import DataError
from tinyreason.tensors import Tensor

SHOWN = 8
"""So many heads are named."""


class Thinkedit(Edit):
    """Takes out of a few attention heads what they write towards short thoughts."""

    kind: Literal["thinkedit"] = "thinkedit"
    heads: float = Field(0.05, gt=0, le=1)
    """Share of all attention heads that are edited; one at least."""
    longer_than: int = Field(1000, ge=1)
    """Tokens that a long thought exceeds."""
    shorter_than: int = Field(100, ge=2)
    """Tokens that a short thought stays below."""

    def sides(self, traces: Sequence[Trace]) -> tuple[list[Trace], list[Trace]]:
        long = [trace for trace in traces if trace.tokens > self.longer_than]
        short = [trace for trace in traces if trace.tokens < self.shorter_than]
        if not long or not short:
            lengths = sorted(trace.tokens for trace in traces)
            fifth = len(lengths) // 5
            raise DataError(
                f"{len(long)} of {len(lengths)} thoughts have more than {self.longer_than} tokens and {len(short)} "
                f"fewer than {self.shorter_than}, and both are needed; for the longest and the shortest fifth type "
                f"longer_than={max(1, lengths[-1 - fifth] - 1)} shorter_than={lengths[fifth] + 1}."
            )
        return long[: self.traces], short[: self.traces]

    def change(self, sides: tuple[States, States], outputs: Sequence[Tensor], heads: int) -> LayerChange:
        import torch

        long, short = sides
        directions = torch.nn.functional.normalize(long.residual.mean(dim=0) - short.residual.mean(dim=0), dim=-1)
        along = torch.stack([v @ weight.cpu() for v, weight in zip(directions, outputs, strict=True)])  # (L, in)
        scores = -(along * short.mixed.mean(dim=0)).view(len(outputs), heads, -1).sum(dim=-1)  # (L, heads)
        best = scores.flatten().topk(max(1, round(self.heads * scores.numel()))).indices.tolist()
        kept = torch.zeros_like(scores).flatten()
        kept[best] = 1.0
        columns = kept.view_as(scores).repeat_interleave(along.shape[1] // heads, dim=1)
        chosen = sorted({place // heads for place in best})
        factors = {layer: ((columns * along)[layer, None], -directions[layer, :, None]) for layer in chosen}
        named = ", ".join(f"{place // heads}.{place % heads}" for place in best[:SHOWN])
        more = f" and {len(best) - SHOWN} more" if len(best) > SHOWN else ""
        return LayerChange(
            factors, said=(f"heads   {len(best)} of {scores.numel()} edited (layer.head): {named}{more}",)
        )
