"""The `model` section: the base, where it is read from, and how it is held. No torch."""

import os
from typing import Literal

from tinyreason.config.tiers import CPU_TIER
from tinyreason.sandbox import NAME as SANDBOX
from tinyreason.schema import Schema


def is_gguf_name(name: str) -> bool:
    """Returns whether a model's name is the path of a GGUF file."""
    return name.lower().endswith(".gguf")


class Model(Schema):
    """The base model."""

    name: str
    """`sandbox`, a local folder, a GGUF file, or a hub id."""
    gguf_file: str | None = None
    """Name of the GGUF file in that folder or hub id to read instead of safetensors; it is dequantised."""
    chat_template: str | None = None
    """File of a chat template (Jinja) in place of the tokenizer's; it is saved beside the adapter."""
    quantize: Literal["none", "nf4", "int8"] = "none"
    """How bitsandbytes holds the frozen weights: NF4 with double quantisation, LLM.int8, or as they are."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Number format that the base computes in; auto = what card or CPU is made for: `tinyreason doctor` says it."""
    trust_remote_code: bool = False
    """Runs Python code that comes with the model; off unless you trust its author."""

    @property
    def is_built_in(self) -> bool:
        """Whether it is the sandbox model, which comes with the package."""
        return self.name == SANDBOX

    def check(self, run, path: str) -> None:
        if is_gguf_name(self.name) and not os.path.exists(self.name):
            raise ValueError(f"there is no file {path}.name={self.name}; a relative path starts at the current folder")
        if run.is_offline and not self.is_built_in and not os.path.exists(self.name):
            raise ValueError(
                f"the {run.tier} tier never uses the network, and {path}.name={self.name} is neither 'sandbox' nor a "
                f"local folder; without a GPU type --on {CPU_TIER}, with one its tier"
            )
        if (self.gguf_file or is_gguf_name(self.name)) and self.quantize != "none":
            raise ValueError(
                f"{path}.quantize={self.quantize} cannot hold a base from a GGUF file, which is dequantised; type "
                f"{path}.quantize=none"
            )
        if self.gguf_file and os.path.basename(self.gguf_file) != self.gguf_file:
            raise ValueError(f"{path}.gguf_file={self.gguf_file} must be the name of a file in that folder or hub id")
        if self.gguf_file and (is_gguf_name(self.name) or self.is_built_in):
            raise ValueError(f"{path}.gguf_file is of a folder or hub id, and {path}.name={self.name} is neither")
