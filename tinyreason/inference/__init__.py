"""Completions of a model: sampled, streamed, or asked of an adapter by its folder."""
