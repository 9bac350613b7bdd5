"""Keeps PyTorch's attention on a fast kernel where queries share keys (GQA) and the card is before Ampere."""

from tinyreason.tensors import Tensor


def avoid_enable_gqa(is_avoided: bool) -> None:
    """Has transformers never pass `enable_gqa` to PyTorch's attention, or choose by itself as it was written to.

    It passes it wherever no mask is needed. Below compute capability 8.0 that leaves only the math kernel, which works
    in float32 on keys and values repeated for every query head. Otherwise it packs the query heads that share a key,
    or repeats keys and values, as it does beside a mask, and the memory-efficient kernel runs. Holds for this process.
    """
    from transformers.integrations import sdpa_attention

    chosen = getattr(sdpa_attention.use_gqa_in_sdpa, "instead_of", sdpa_attention.use_gqa_in_sdpa)

    def never(mask: Tensor | None, key: Tensor, value: Tensor) -> bool:
        return False

    never.instead_of = chosen
    sdpa_attention.use_gqa_in_sdpa = never if is_avoided else chosen
