"""Takes a trained adapter out of its run: merged, as GGUF, for Ollama or vLLM, each held against the live adapter."""
