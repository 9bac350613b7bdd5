"""Which attention transformers has for a model, and how PyTorch's is kept on a fast kernel before Ampere."""

from functools import cache
from importlib import util
from pathlib import Path

from tinyreason.tensors import Tensor

SUPPORTS = {"sdpa": "_supports_sdpa", "flash_attention_2": "_supports_flash_attn"}
"""Our word for an attention → how a model's class in transformers says that it has it."""


@cache
def attentions_of(model_type: str | None) -> frozenset[str]:
    """Returns which of `SUPPORTS` models of this type have, by the installed source of transformers; eager all have.

    All of them where that source is not found, as of a model that brings its own code.
    """
    module = (model_type or "").replace("-", "_")
    places = util.find_spec("transformers").submodule_search_locations
    for name in filter(None, (module, module.removesuffix("_text"))):
        file = Path(places[0], "models", name, f"modeling_{name}.py")
        if file.is_file():
            source = file.read_text(encoding="utf-8")
            return frozenset(kind for kind, switch in SUPPORTS.items() if f"{switch} = True" in source)
    return frozenset(SUPPORTS)


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
