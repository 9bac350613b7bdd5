"""The built-in world: its problems, their oracle, its tokenizer and the base model that ships with the package."""
