"""The command line by which vLLM serves the base with the adapter on it."""

import shlex
import shutil
from pathlib import Path

from tinyreason.config.inference import RANKS
from tinyreason.config.model import Model
from tinyreason.errors import ModelError
from tinyreason.exporting.gguf_adapter import check_plain_lora
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import source_of

ADAPTER, TEMPLATE, COMMAND = "adapter", "chat_template.jinja", "serve.sh"


def vllm_command(base: Model, adapter: Path, name: str) -> str:
    """Returns the line that serves an adapter folder, typed beside it. Errors: `ModelError`, with what it cannot do."""
    rank = check_plain_lora(adapter, "vllm")["r"]
    largest = next((most for most in RANKS if most >= rank), None)
    if largest is None:
        raise ModelError(f"vllm serves adapters of rank {RANKS[-1]} at most, and this one has {rank}; export merged.")
    if gguf_file(base):
        raise ModelError(f"vllm puts no adapter on the GGUF file {gguf_file(base)}; export merged, and serve that.")
    words = ["vllm", "serve", source_of(base), "--enable-lora", "--lora-modules", f"{name}={ADAPTER}"]
    words += ["--max-lora-rank", str(largest), "--chat-template", TEMPLATE]
    words += ["--quantization", "bitsandbytes"] if base.quantize != "none" else []
    return shlex.join(words)


def write_vllm(base: Model, adapter: Path, tokenizer, name: str, folder: Path) -> str:
    """Writes the adapter, the chat template and the line that serves both; returns the line."""
    line = vllm_command(base, adapter, name)
    shutil.copytree(adapter, folder / ADAPTER)
    (folder / TEMPLATE).write_text(tokenizer.chat_template, encoding="utf-8")
    (folder / COMMAND).write_text(f"{line}\n", encoding="utf-8")
    return line
