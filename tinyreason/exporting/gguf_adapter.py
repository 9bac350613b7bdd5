"""An adapter alone as GGUF, which llama.cpp puts on the GGUF of its base: `llama-cli -m BASE.gguf --lora FILE`."""

import json
from math import sqrt
from pathlib import Path

from tinyreason.errors import ModelError
from tinyreason.exporting.gguf import check_family, close, name_of, ordered, tensor_names
from tinyreason.tensors import Tensor


def check_plain_lora(folder: Path, kind: str, does: str = "serves") -> dict:
    """Returns the adapter_config.json of a plain LoRA. Errors: `ModelError` for any other adapter."""
    values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    what = "DoRA" if values.get("use_dora") else values.get("peft_type")
    what = "LoRA with biases" if values.get("lora_bias") else what
    if what != "LORA":
        raise ModelError(f"{kind} {does} plain LoRA adapters, and this one is {what}; export it merged.")
    return values


def write_gguf_adapter(folder: Path, config, name: str, file: Path) -> None:
    """Writes a LoRA folder, whose base has this config, as a GGUF adapter in float32."""
    import gguf

    check_family(config)
    values = check_plain_lora(folder, "gguf --adapter-only")
    writer = gguf.GGUFWriter(str(file), config.model_type)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    rank, alpha = values["r"], values["lora_alpha"]
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha * sqrt(rank) if values.get("use_rslora") else alpha)
    names = tensor_names(config)
    for layer, (inner, outer) in lora_tensors(folder).items():
        base = name_of(names, f"{layer}.weight", config)
        writer.add_tensor(f"{base}.lora_a", inner.float().numpy())
        writer.add_tensor(f"{base}.lora_b", ordered(f"{layer}.weight", outer, config).float().contiguous().numpy())
    close(writer)


def lora_tensors(folder: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Returns layer name → (A (r × in), B (out × r)) of a LoRA folder, named as in its base."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "adapter_model.safetensors")
    ending = ".lora_A.weight"
    layers = [name.removesuffix(ending) for name in tensors if name.endswith(ending)]
    return {
        layer.removeprefix("base_model.model."): (tensors[f"{layer}{ending}"], tensors[f"{layer}.lora_B.weight"])
        for layer in layers
    }


def read_gguf_adapter(file: Path, config) -> dict[str, Tensor]:
    """Returns llama.cpp's name of each adapted tensor → what the file adds to it, as llama.cpp computes that."""
    import torch
    from gguf import GGUFReader, Keys

    reader = GGUFReader(file)
    alpha = reader.fields[Keys.Adapter.LORA_ALPHA].contents()
    tensors = {tensor.name: torch.tensor(tensor.data) for tensor in reader.tensors}
    names = [name.removesuffix(".lora_a") for name in tensors if name.endswith(".lora_a")]
    pairs = {name: (tensors[f"{name}.lora_a"], tensors.get(f"{name}.lora_b")) for name in names}
    return {
        name: alpha / inner.shape[0] * (outer @ inner) for name, (inner, outer) in pairs.items() if outer is not None
    }
