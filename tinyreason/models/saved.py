"""What is saved beside an adapter so that its base is loaded as it was: the GGUF file's name, the chat template."""

import json
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.models.gguf import gguf_file

BASE_FACTS, CHAT_TEMPLATE = "base_model.json", "chat_template.jinja"
"""Files in an adapter's folder; the second has the name that transformers gives it."""


def save_base_facts(config: Model, tokenizer, folder: Path) -> None:
    """Writes into an adapter's folder what PEFT does not, where the base has it."""
    if file := gguf_file(config):
        (folder / BASE_FACTS).write_text(json.dumps({"gguf_file": file}) + "\n", encoding="utf-8")
    if config.chat_template:
        (folder / CHAT_TEMPLATE).write_text(tokenizer.chat_template, encoding="utf-8")
