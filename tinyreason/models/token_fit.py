"""The tokenizer of a base: its chat template, and an end and a padding token that the model has embeddings for."""

import logging
import os
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.errors import ModelError
from tinyreason.models.chat_template import probe, turn_end
from tinyreason.models.gguf import gguf_options

LOG = logging.getLogger(__name__)


def read_tokenizer(source: str, config: Model, needs_template: bool = True):
    """Returns the tokenizer, with the config's chat template where it names one.

    Errors: `ModelError` for a template that is missing or cannot be rendered; whatever transformers raises at files.
    """
    from transformers import AutoTokenizer

    trust = {"trust_remote_code": config.trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left", **gguf_options(config), **trust)
    if config.chat_template:
        tokenizer.chat_template = read_chat_template(config.chat_template)
    if needs_template:
        check_chat_template(tokenizer, config)
    return tokenizer


def read_chat_template(file: str) -> str:
    """Returns the text of the file that model.chat_template or --chat-template names. Errors: `ModelError`."""
    try:
        text = Path(os.path.expanduser(file)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ModelError(f"cannot read the chat template {file}: {reason}; give the path of a .jinja file.") from None
    if not text.strip():
        raise ModelError(f"the chat template {file} is empty; give one in Jinja.")
    return text


def check_chat_template(tokenizer, config: Model) -> None:
    """Refuses a tokenizer without a chat template, or with one that cannot be rendered. Errors: `ModelError`."""
    if not tokenizer.chat_template:
        raise ModelError(
            f"the tokenizer of model.name={config.name} has no chat template; choose an instruct model, or name a "
            f"template with model.chat_template=FILE, to eval and chat with --chat-template FILE; eval asks "
            f"without one with --template none."
        )
    try:
        probe(tokenizer)
    except Exception as error:  # jinja raises its own types, and a template what it likes
        reason = " ".join(str(error).split()) or type(error).__name__
        what = config.chat_template or f"of model.name={config.name}"
        raise ModelError(f"the chat template {what} cannot be rendered: {reason.rstrip('.')}.") from None


def fit_to_model(tokenizer, model, config: Model) -> None:
    """Gives the tokenizer the end and padding token that it lacks, of those that the model has embeddings for.

    Tokens that it has no embedding for are said where nothing needs them. Errors: `ModelError` where something does.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.eos_token_id is None or tokenizer.eos_token_id >= rows:
        tokenizer.eos_token = end_token_of(tokenizer, model, rows, config)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = tokenizer.eos_token
    if len(tokenizer) <= rows:
        return
    homeless = f"the tokenizer of model.name={config.name} has {len(tokenizer):,} tokens, the model embeddings for"
    if tokenizer.chat_template and any(
        token >= rows for token in tokenizer(probe(tokenizer), add_special_tokens=False)["input_ids"]
    ):
        raise ModelError(
            f"{homeless} {rows:,}, and its chat template writes some of the others; choose the tokenizer's own model, "
            f"or name another template with model.chat_template=FILE."
        )
    LOG.warning(f"{homeless} {rows:,} alone: the others cannot be read or written")


def end_token_of(tokenizer, model, rows: int, config: Model) -> str:
    """Returns the end token where the tokenizer has none: the template's, else the model's. Errors: `ModelError`."""
    of_model = model.generation_config.eos_token_id
    candidates = (turn_end(tokenizer), *(of_model if isinstance(of_model, list) else [of_model]))
    for token in candidates:
        if token is not None and 0 <= token < min(rows, len(tokenizer)):
            return tokenizer.convert_ids_to_tokens(token)
    raise ModelError(
        f"the tokenizer of model.name={config.name} has no end token, and neither its chat template nor its "
        f"generation_config.json names one, so that no completion would end; set eos_token in tokenizer_config.json."
    )
