"""The merged folder: base and adapter in one set of weights, in the base's number format, for transformers to load."""

import json
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import read_model_config

DTYPES = ("float32", "float16", "bfloat16")


def own_dtype(base: Model) -> tuple[str, str]:
    """Returns the number format that a base's files hold, and the reason in words; of a GGUF file it is float16."""
    if gguf_file(base):
        return "float16", "the base is a GGUF file, which is dequantised"
    values = read_model_config(base)
    found = str(values.get("dtype") or values.get("torch_dtype") or "float32").removeprefix("torch.")
    dtype = found if found in DTYPES else "float32"
    return dtype, f"the base's own, dequantised from {base.quantize}" if base.quantize != "none" else "the base's own"


def write_merged(model, tokenizer, dtype: str, folder: Path) -> None:
    """Writes a merged model, its tokenizer, chat template and end tokens, as `save_pretrained` does."""
    import torch

    kind, written = getattr(torch, dtype), {}
    tensors = {
        name: written.setdefault(tensor.data_ptr(), tensor.to(kind)) for name, tensor in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=tensors)
    tokenizer.save_pretrained(folder)
    file = folder / "config.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values = {name: value for name, value in values.items() if name not in ("_name_or_path", "_model_name_or_path")}
    file.write_text(json.dumps(values | {"dtype": dtype}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
