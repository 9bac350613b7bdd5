"""The built-in world: its problems, their oracle, its tokenizer and the base model that ships with the package."""

from pathlib import Path

NAME = "sandbox"
"""What is typed as `model.name` or `data.name`."""
BASE = Path(__file__).parent / "base"
"""Folder of the base model."""
MAX_COMPLETION_TOKENS = 160
"""Longest completion that the base model needs."""
