"""What a server that puts a LoRA on its base has to know of the model that is trained: has it one, and which."""

import hashlib
from pathlib import Path


def adapts(model) -> bool:
    """Returns whether an adapter is on the model and computes in it now."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return any(isinstance(layer, BaseTunerLayer) and not layer.disable_adapters for layer in model.modules())


def trained_sha256(model) -> str:
    """Returns the SHA-256 of the bytes of all that is trained of a model."""
    import torch

    digest = hashlib.sha256()
    for parameter in (one for one in model.parameters() if one.requires_grad):
        digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def write_zeros(adapter, model, folder: Path) -> None:
    """Writes a plain LoRA folder of the shape that `adapter` saves for this bare model, and that changes nothing."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    layers, rank = adapter.layers(model), adapter.plain_rank
    config = adapter.peft_config(sorted({name.rpartition(".")[2] for name in layers}))
    config.r, config.init_lora_weights, config.inference_mode = rank, True, True
    config.save_pretrained(str(folder))
    tensors = {}
    for name, (rows, columns) in layers.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.zeros(rank, columns)
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.zeros(rows, rank)
    save_file(tensors, folder / "adapter_model.safetensors")
