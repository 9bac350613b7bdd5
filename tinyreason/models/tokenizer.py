"""The tokenizer of a model without the model, for what counts and shows tokens."""

import json
import os
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.errors import ModelError
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import cannot_load, is_on_this_machine, loading, source_of
from tinyreason.models.token_fit import read_tokenizer

WITHOUT_TORCH = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes of tokenizers that transformers loads without torch, which `AutoTokenizer` imports."""


def load_tokenizer(config: Model):
    """Returns the model's tokenizer. Errors: `ModelError` where there is none, or none with a chat template."""
    source = source_of(config)
    if config.chat_template or gguf_file(config):
        with loading(config):
            return read_tokenizer(source, config)
    try:
        if tokenizer_class(source) in WITHOUT_TORCH and not config.trust_remote_code:
            from transformers import PreTrainedTokenizerFast as Loader
        else:
            from transformers import AutoTokenizer as Loader
        trust = {"trust_remote_code": True} if config.trust_remote_code else {}
        tokenizer = Loader.from_pretrained(source, padding_side="left", **trust)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(cannot_load(config, error, is_local=is_on_this_machine(config.name))) from None
    if tokenizer.chat_template is None:
        raise ModelError(f"the tokenizer of model.name={config.name} has no chat template; choose an instruct model.")
    return tokenizer


def tokenizer_class(source: str) -> str | None:
    """Returns the class that a local folder names for its tokenizer; None where it names none."""
    file = Path(source, "tokenizer_config.json")
    if not os.path.isfile(file):
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8")).get("tokenizer_class")
    except (OSError, ValueError, AttributeError):
        return None
