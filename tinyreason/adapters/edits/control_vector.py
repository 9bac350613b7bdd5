"""A control vector: what tells correct thoughts from incorrect ones in the middle layers is added to their states.

Why: representation engineering for reasoning, arXiv 2504.19483; no training, and strength is one number.
Formula: of pairs of completions to the same problem, d_l = the difference of their mean residual streams after layer
l's attention. v_l is the first principal axis of the d's, not centred, its sign that of their mean projection, or with
`direction: mean` their mean; a · v_l is added there in each middle layer, with v_l as long as the d's are along it.
Written as the bias of a LoRA on o_proj, which PEFT has (`lora_bias`) and llama.cpp and vLLM have not.
How it fails: what tells the pairs apart may be their length; too much strength and the model babbles (the sandbox from
0.6 on).
Not checked against the paper: the middle third, and the place after the attention.
Example: `tinyreason edit runs/first --with control_vector strength=0.5`
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from tinyreason.adapters.edits._edit import Edit, LayerChange, States, Trace
from tinyreason.errors import DataError
from tinyreason.tensors import Tensor


class ControlVector(Edit):
    """Adds to the middle layers what tells one kind of completions to a problem from the other."""

    kind: Literal["control_vector"] = "control_vector"
    contrast: Literal["correct", "longer"] = "correct"
    """What the pairs differ in: a correct and an incorrect completion, or the longest and the shortest."""
    direction: Literal["axis", "mean"] = "axis"
    """The first principal axis of the differences, or their mean."""
    strength: float = 0.1
    """a: 1 moves the states by the difference of the pairs, which breaks the sandbox; below 0 the other way."""
    first: float = Field(0.33, ge=0, lt=1)
    """Share of the depth from which on layers are moved."""
    last: float = Field(0.67, gt=0, le=1)
    """Share of the depth up to which they are."""

    @model_validator(mode="after")
    def layers_are_in_order(self) -> Self:
        if self.first >= self.last:
            raise ValueError(f"first={self.first:g} is not below last={self.last:g}; there is no layer between them")
        return self

    def sides(self, traces: Sequence[Trace]) -> tuple[list[Trace], list[Trace]]:
        problems: dict[str, list[Trace]] = defaultdict(list)
        for trace in traces:
            problems[trace.problem].append(trace)
        pairs = [pair for its in problems.values() if (pair := self.pair(its))]
        if not pairs:
            what = "both a correct and an incorrect completion" if self.contrast == "correct" else "two lengths"
            raise DataError(f"none of {len(problems)} problems has {what}; give completions with more --samples.")
        return [pair[0] for pair in pairs[: self.traces]], [pair[1] for pair in pairs[: self.traces]]

    def pair(self, traces: list[Trace]) -> tuple[Trace, Trace] | None:
        """Returns the two completions to one problem that are compared, or None."""
        if self.contrast == "longer":
            most, least = (choose(traces, key=lambda trace: trace.tokens) for choose in (max, min))
            return (most, least) if most.tokens > least.tokens else None
        for_it, against = ([trace for trace in traces if trace.correct is value] for value in (True, False))
        return (for_it[0], against[0]) if for_it and against else None

    def change(self, sides: tuple[States, States], outputs: Sequence[Tensor], heads: int) -> LayerChange:
        differences = sides[0].residual - sides[1].residual  # (P, L, hidden)
        count = len(outputs)
        layers = [layer for layer in range(count) if self.first <= (layer + 0.5) / count < self.last]
        if not layers:
            raise DataError(f"no layer of {count} lies between {self.first:g} and {self.last:g} of the depth.")
        find = first_axis if self.direction == "axis" else lambda rows: rows.mean(dim=0)
        vectors = {layer: self.strength * find(differences[:, layer]) for layer in layers}
        norms = sides[1].residual.norm(dim=-1).mean(dim=0)
        share = sum(float(vectors[layer].norm() / norms[layer]) for layer in layers) / len(layers)
        where = f"layers {layers[0]} to {layers[-1]} of {count}"
        return LayerChange(biases=vectors, said=(f"vector  {where} move by {share:.1%} of a state's length",))


def first_axis(differences: Tensor) -> Tensor:
    """Returns the first principal axis of differences (P, hidden), as long as their mean projection on it."""
    import torch

    axis = torch.linalg.svd(differences, full_matrices=False).Vh[0]
    return (differences @ axis).mean() * axis  # whatever the sign of the axis
