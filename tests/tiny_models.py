"""Tiny random models with tokenizers of their own, as folders and as GGUF files; nothing here needs a network."""

import json
from pathlib import Path

SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ARCHITECTURES = ("Qwen2", "Llama", "Gemma", "Gemma2", "Phi3", "SmolLM3")
TEXT = ["Ann has 11 pens. Reason step by step, then give the final answer inside \\boxed{2}. user system assistant"] * 4


def tiny_tokenizer(special=SPECIAL, template=CHATML, eos="<|im_end|>", pad="<|endoftext|>", plain=()):
    """A byte-level tokenizer in which these tokens are special, and those of `plain` whole but not special."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=list(special), initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos, pad_token=pad)
    fast.chat_template = template
    return fast


def tiny_model(folder: Path, architecture="Qwen2", tokenizer=None, rows=None, **config) -> Path:
    """Writes a random model with `rows` embeddings, by default one a token of its tokenizer; returns its folder."""
    import torch
    import transformers

    tokenizer = tokenizer or tiny_tokenizer()
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    shape = SHAPE | {"num_key_value_heads": 1, "vocab_size": rows or len(tokenizer)} | ends
    if architecture.startswith("Gemma"):
        shape["head_dim"] = 32
    torch.manual_seed(0)
    values = getattr(transformers, f"{architecture}Config")(**(shape | config))
    transformers.AutoModelForCausalLM.from_config(values).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_gguf(folder: Path, file: Path) -> Path:
    """Writes the qwen2 model of a folder as a GGUF file, its matrices in Q8_0; returns the file."""
    import gguf
    import numpy
    from safetensors.numpy import load_file
    from transformers import AutoConfig, AutoTokenizer

    config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    writer = gguf.GGUFWriter(str(file), "qwen2")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    special = set(tokenizer.added_tokens_decoder)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words)
    writer.add_token_types([3 if n in special else 1 for n in range(len(words))])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config.num_hidden_layers)
    for name, tensor in load_file(folder / "model.safetensors").items():
        kind = gguf.GGMLQuantizationType.Q8_0 if tensor.ndim == 2 else gguf.GGMLQuantizationType.F32
        stored = gguf.quants.quantize(tensor.astype(numpy.float32), kind)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
