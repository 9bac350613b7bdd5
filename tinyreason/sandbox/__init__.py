"""Holds the built-in world: its problems, their oracle, its tokenizer, and the base model in the package."""

from pathlib import Path

NAME = "sandbox"
"""What `model.name` and `data.name` call it."""
BASE = Path(__file__).parent / "base"
"""The folder of its base model."""
MAX_COMPLETION_TOKENS = 160
"""Completions of its base are this long at most, where nobody says how long."""
