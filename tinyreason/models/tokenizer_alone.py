"""The tokenizer of a model without the model, for what counts and shows tokens."""

import json
import os
from pathlib import Path

from tinyreason.config.run_config import Model
from tinyreason.errors import ModelError
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import cannot_load, is_on_this_machine, loading, source_of
from tinyreason.models.token_fit import read_tokenizer

WITHOUT_TORCH = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes of tokenizers that transformers loads without torch, which `AutoTokenizer` imports."""


def load_tokenizer_alone(config: Model):
    """Returns the model's tokenizer, without torch where that can be. Errors: `ModelError` as in `load_tokenizer`."""
    source = source_of(config)
    if config.chat_template or gguf_file(config):
        with loading(config):
            return read_tokenizer(source, config)
    try:
        if gguf_file(config) or config.trust_remote_code or tokenizer_class(source) not in WITHOUT_TORCH:
            return load_tokenizer(source, config)
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast.from_pretrained(source, padding_side="left")
    except (OSError, ValueError, KeyError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(cannot_load(config, error, is_local=is_on_this_machine(config.name))) from None
    if config.chat_template:
        tokenizer.chat_template = read_chat_template(config.chat_template)
    check_chat_template(tokenizer, config)
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
