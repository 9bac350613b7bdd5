"""Adapters: one kind a file. `attach`, `save`, and a learning rate of its own; the only home of peft."""

from tinyreason.adapters.lora import Lora

ADAPTERS = {"lora": Lora}
