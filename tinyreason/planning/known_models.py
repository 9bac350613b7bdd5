"""The shapes of well-known models, from each one's config.json on the hub, so that a plan needs no network.

model_type, hidden_size, num_hidden_layers, intermediate_size, num_attention_heads, num_key_value_heads, head_dim,
vocab_size, tie_word_embeddings.
"""

QWEN_1_5B = ("qwen2", 1536, 28, 8960, 12, 2, 128, 151936)
QWEN_7B = ("qwen2", 3584, 28, 18944, 28, 4, 128, 152064, False)

KNOWN = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("llama", 576, 30, 1536, 9, 3, 64, 49152, True),
    "Qwen/Qwen2.5-0.5B": ("qwen2", 896, 24, 4864, 14, 2, 64, 151936, True),
    "Qwen/Qwen2.5-0.5B-Instruct": ("qwen2", 896, 24, 4864, 14, 2, 64, 151936, True),
    "Qwen/Qwen2.5-1.5B": (*QWEN_1_5B, True),
    "Qwen/Qwen2.5-1.5B-Instruct": (*QWEN_1_5B, True),
    "Qwen/Qwen2.5-Math-1.5B": (*QWEN_1_5B, True),
    "Qwen/Qwen2.5-Math-1.5B-Instruct": (*QWEN_1_5B, True),
    "Qwen/Qwen2.5-3B": ("qwen2", 2048, 36, 11008, 16, 2, 128, 151936, True),
    "Qwen/Qwen2.5-3B-Instruct": ("qwen2", 2048, 36, 11008, 16, 2, 128, 151936, True),
    "Qwen/Qwen2.5-7B": QWEN_7B,
    "Qwen/Qwen2.5-7B-Instruct": QWEN_7B,
    "Qwen/Qwen2.5-Math-7B": QWEN_7B,
    "Qwen/Qwen2.5-Math-7B-Instruct": QWEN_7B,
    "Qwen/Qwen3-0.6B": ("qwen3", 1024, 28, 3072, 16, 8, 128, 151936, True),
    "Qwen/Qwen3-1.7B": ("qwen3", 2048, 28, 6144, 16, 8, 128, 151936, True),
    "Qwen/Qwen3-4B": ("qwen3", 2560, 36, 9728, 32, 8, 128, 151936, True),
    "Qwen/Qwen3-8B": ("qwen3", 4096, 36, 12288, 32, 8, 128, 151936, False),
    "agentica-org/DeepScaleR-1.5B-Preview": (*QWEN_1_5B, False),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": (*QWEN_1_5B, False),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": QWEN_7B,
    "meta-llama/Llama-3.2-1B-Instruct": ("llama", 2048, 16, 8192, 32, 8, 64, 128256, True),
    "meta-llama/Llama-3.2-3B-Instruct": ("llama", 3072, 28, 8192, 24, 8, 128, 128256, True),
}
"""Hub id → the numbers above, in that order."""
