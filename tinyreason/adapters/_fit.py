"""Checks that an adapter folder fits the adapter that is to start from it: tensor by tensor, and at the same scale."""

import json
from collections.abc import Iterable
from pathlib import Path

from tinyreason.errors import ModelError

OPTIONS = {"r": "rank", "lora_alpha": "alpha", "use_rslora": "rslora", "use_dora": "dora"}
"""PEFT's name of what decides an adapter's function → our option."""
PREFIX = "base_model.model."
"""PEFT writes it before each layer's name."""
SHOWN = 4
"""So many tensors are named in full."""

Shapes = dict[str, tuple[int, ...]]
"""Tensor name → its shape."""


def read_adapter_config(where: str, folder: Path) -> dict:
    """Returns the adapter_config.json of a folder, which `where` names in an error. Errors: `ModelError`."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        raise ModelError(f"{where} is not an adapter folder: it has no adapter_config.json.")
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = None
    if not isinstance(there, dict):
        raise ModelError(f"{where} is not an adapter folder: its adapter_config.json cannot be read.")
    return there


def adapts_embedding(folder: Path) -> bool:
    """Returns whether the adapter of a folder is on the embedding of its base."""
    tensors = folder / "adapter_model.safetensors"
    return tensors.is_file() and any(".lora_embedding_A" in name for name in _names(str(folder), tensors))


def check_folder(where: str, folder: Path, config, layers: Iterable[str]) -> None:
    """Refuses, from its small files alone, a folder whose adapter is not like PEFT's `config` on these layers.

    `where` is what the error calls the folder. Errors: `ModelError`.
    """
    there = read_adapter_config(where, folder)
    names = {name: option for name, option in OPTIONS.items() if hasattr(config, name) and name in there}
    differing = [option for name, option in names.items() if there[name] != getattr(config, name)]
    if differing:
        here = ", ".join(f"adapter.{o}={_word(getattr(config, n))}" for n, o in names.items() if o in differing)
        give = " ".join(f"adapter.{o}={_word(there[n])}" for n, o in names.items() if o in differing)
        raise ModelError(f"{where} is of another shape or scale than {here}; type {give}.")
    tensors = folder / "adapter_model.safetensors"
    if tensors.is_file():
        found, layers = _names(where, tensors), set(layers)
        of_layer = {name: _layer(name, layers) for name in found}
        homeless = [name for name, layer in of_layer.items() if layer is None]
        empty = layers - set(of_layer.values())
        refuse(where, homeless, sorted(empty), len(found), sorted({_word_of(name) for name in found}))


def check_tensors(where: str, given: Shapes, wanted: Shapes) -> None:
    """Refuses tensors that are not, name by name and shape by shape, those that are wanted. Errors: `ModelError`."""
    homeless = [name for name in given if name not in wanted]
    empty = [name for name in wanted if name not in given]
    refuse(where, homeless, empty, len(given), sorted({_word_of(name) for name in given}))
    other = [name for name in given if given[name] != wanted[name]]
    if other:
        raise ModelError(
            f"{where} does not fit: {len(other)} of its {len(given)} tensors have another shape here: "
            f"{_listed(f'{name} {given[name]}, here {wanted[name]}' for name in other)}; give it its own base and rank."
        )


def check_scale(where: str, model) -> None:
    """Refuses a start that computes with another scale as `ref` than as `default`. Errors: `ModelError`."""
    for name, layer in model.named_modules():
        scales = getattr(layer, "scaling", None)
        if isinstance(scales, dict) and "default" in scales and scales.get("ref") != scales["default"]:
            raise ModelError(
                f"{where} scales its update of {name} by {scales.get('ref')}, this adapter by {scales['default']}; "
                f"give it the same adapter.alpha, adapter.rank and adapter.rslora."
            )


def refuse(where: str, homeless: list[str], empty: list[str], count: int, targets: list[str]) -> None:
    """Raises the sentence about tensors without a place, and places without a tensor; none of either is fine."""
    if not homeless and not empty:
        return
    found = []
    if homeless:
        found.append(f"{len(homeless)} of its {count} tensors have no place here: {_listed(homeless)}")
    if empty:
        found.append(f"it has nothing for {len(empty)} that are trained here: {_listed(empty)}")
    raise ModelError(
        f"{where} does not fit this model and adapter: {'; '.join(found)}; its layers are "
        f"adapter.targets=[{','.join(targets)}]."
    )


def _listed(names: Iterable[str]) -> str:
    """Returns the first names in full; of the others which layers they are of, and how many."""
    names = list(names)
    more = names[SHOWN:]
    kinds = ", ".join(sorted({_word_of(name) for name in more}))
    return ", ".join(names[:SHOWN]) + (f" and {len(more)} more (of {kinds})" if more else "")


def _names(where: str, file: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            return list(tensors.keys())
    except (OSError, SafetensorError):
        raise ModelError(f"{where} is not an adapter folder: its {file.name} cannot be read.") from None


def _layer(tensor: str, layers: set[str]) -> str | None:
    """Returns the layer that a tensor is of, the longest head of its name that is one."""
    parts = tensor.removeprefix(PREFIX).split(".")
    heads = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((head for head in heads if head in layers), None)


def _word_of(tensor: str) -> str:
    """Returns the last word of the layer's name: `q_proj` of `….self_attn.q_proj.lora_A.weight`."""
    parts = tensor.split(" ")[0].split(".")
    ends = [at for at, part in enumerate(parts) if part.startswith(("lora_", "miss_"))]
    return parts[ends[0] - 1] if ends and ends[0] else parts[-1]


def _word(value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
