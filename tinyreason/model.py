"""The base model and its tokenizer, from the package, a local folder or the hub."""

import os
from pathlib import Path

from tinyreason.config import Model
from tinyreason.errors import ModelError
from tinyreason.hardware import Card, device_and_dtype

SANDBOX = Path(__file__).parent / "sandbox" / "base"


def load_model(config: Model, card: Card | None):
    """(model, tokenizer), the model in evaluation mode on its device. Errors: `ModelError`, one sentence."""
    source = str(SANDBOX) if config.name == "sandbox" else config.name
    is_local = os.path.exists(source)
    if is_local:
        check_model_folder(Path(source), config.name)

    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_default_handler()  # what it says goes where all logs go, not to the screen
    logging.enable_propagation()
    device, dtype = device_and_dtype(card)
    trust = {"trust_remote_code": config.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **trust)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype), **trust)
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0].rstrip(".")
        reach = "" if is_local else " Is the id right, the hub reachable, and HF_TOKEN set if the model asks for it?"
        raise ModelError(f"cannot load model.name={config.name}: {first_line}.{reach}") from None
    if tokenizer.chat_template is None:
        raise ModelError(f"the tokenizer of model.name={config.name} has no chat template; choose an instruct model.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to(device).eval(), tokenizer


def end_tokens(model, tokenizer) -> set[int]:
    """Every token that ends a reply: the tokenizer's and those of the model's generation config."""
    ends = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}


def check_model_folder(folder: Path, name: str) -> None:
    """A local model folder has a config, weights and a tokenizer."""
    wanted = {
        "config.json": ("config.json",),
        "weights (*.safetensors)": ("*.safetensors", "*.bin"),
        "a tokenizer (tokenizer.json)": ("tokenizer.json", "tokenizer.model", "vocab.json"),
    }
    for what, patterns in wanted.items():
        if not folder.is_dir() or not any(any(folder.glob(pattern)) for pattern in patterns):
            raise ModelError(
                f"model.name={name} has no {what}; it must be 'sandbox', a model folder as save_pretrained writes it, "
                f"or a hub id."
            )


def peak_memory_gb() -> float:
    """Most memory so far: of the card where there is one, else of this process."""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
