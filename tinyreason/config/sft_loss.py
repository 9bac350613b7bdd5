"""What fine-tuning imitates of its rows, and by which loss: a section of `train:` for trainer sft."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.schema import Schema


class SftLoss(Schema):
    """What of each row is trained on, and how much it counts."""

    truncate_ratio: float = Field(1.0, gt=0, le=1)
    """Share of each completion's tokens that is trained on, from its beginning (Distilling the Essence)."""
    packing: bool = False
    """Puts several rows in one sequence of max_tokens, each attending to itself alone; all rows must weigh the same."""
    mask_rate: float = Field(0.0, ge=0, le=1)
    """Share of each completion's tokens that the model reads replaced, the loss on the true ones (Masked Thought)."""
    mask_warmup: float = Field(0.667, ge=0, le=1)
    """Share of the steps over which mask_rate grows from 0."""
    mask_with: Literal["random", "pad"] = "random"
    """What stands in their place: any token of the tokenizer, or the one that pads."""
    loss: Literal["nll", "dft", "topr"] = "nll"
    """A token's −log p; that times p (dft); or −log p, in negative rows times their ratio to when sampled (topr)."""
    normalize: Literal["tokens", "sequence"] = "tokens"
    """What is averaged over: all trained tokens of a step, or its rows, each the mean of its own tokens (sequence)."""

    @model_validator(mode="after")
    def rows_are_apart(self) -> Self:
        if self.packing and self.mask_rate:
            raise ValueError(
                f"mask_rate={self.mask_rate:g} masks by the row, and packing puts several in one; type "
                f"train.packing=false or train.mask_rate=0"
            )
        if self.packing and (self.loss, self.normalize) != ("nll", "tokens"):
            by = f"loss={self.loss}" if self.loss != "nll" else f"normalize={self.normalize}"
            raise ValueError(f"{by} counts by the row, and packing puts several in one; type train.packing=false")
        if self.loss == "topr" and (self.truncate_ratio < 1 or self.mask_rate):
            part = "truncate_ratio=1" if self.truncate_ratio < 1 else "mask_rate=0"
            raise ValueError(f"loss=topr compares whole completions as they were sampled; type train.{part}")
        return self

    def check_rows(self, examples: Sequence[Example]) -> None:
        """Refuses rows that this loss cannot be computed of. Errors: `ConfigError`, `DataError`."""
        if self.packing and not weigh_alike(examples):
            raise ConfigError(
                "train.packing=true wants rows of one weight above 0 without spans, and these differ; type "
                "train.packing=false."
            )
        unknown = [one.id for one in examples if one.weight < 0 and one.meta.get("mu_logp") is None]
        if self.loss == "topr" and unknown:
            raise DataError(
                f"train.loss=topr needs 'mu_logp' of every row of negative weight, and row {unknown[0]} has none "
                f"({len(unknown):,} of {len(examples):,}); sample them with train.record_logp=true, or type "
                f"train.loss=nll."
            )


def weigh_alike(examples: Sequence[Example]) -> bool:
    """Returns whether all rows count the same, towards their completion, in each of its tokens."""
    return all(one.weight == examples[0].weight > 0 and not one.spans for one in examples)
