"""Tiny random models of six architectures, as folders, float or quantised; and every adapter with its switches."""

import logging

import pytest
import torch

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
TOKENS = {"vocab_size": 512, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}
ARCHITECTURES = {  # grouped-query heads everywhere but Phi-3, which fuses its layers instead; two tie their embeddings
    "Qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "Qwen3": {"num_key_value_heads": 2, "head_dim": 32},
    "Llama": {"num_key_value_heads": 1},
    "Mistral": {"num_key_value_heads": 2},
    "Gemma": {"num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": True},
    "Phi3": {"num_key_value_heads": 4},
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A function: architecture → folder of a tiny random model of it, with the sandbox's tokenizer."""
    import transformers

    from tinyreason.sandbox import BASE

    tokenizer = transformers.AutoTokenizer.from_pretrained(BASE)
    made = {}

    def folder(architecture):
        if architecture not in made:
            made[architecture] = tmp_path_factory.mktemp(architecture)
            config = getattr(transformers, f"{architecture}Config")(**SHAPE, **TOKENS, **ARCHITECTURES[architecture])
            torch.manual_seed(0)
            transformers.AutoModelForCausalLM.from_config(config).save_pretrained(made[architecture])
            tokenizer.save_pretrained(made[architecture])
        return made[architecture]

    return folder
