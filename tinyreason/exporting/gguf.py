"""A GGUF file for llama.cpp and what is built on it: a merged model in f16 or q8_0, or an adapter alone."""

import re
from collections.abc import Iterator
from pathlib import Path

from tinyreason.errors import ModelError
from tinyreason.exporting.vocabulary import read_vocabulary
from tinyreason.models.chat_template import turn_end
from tinyreason.tensors import Tensor

TYPES = ("f16", "q8_0")
FAMILIES = ("llama", "qwen2", "qwen3")
"""Whose tensors are written here as llama.cpp names them, and read back by transformers."""
INSTEAD = "export merged, and convert that with llama.cpp's convert_hf_to_gguf.py"
GENERATION = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")
"""Tags that only transformers knows; they mark what is trained on."""


def check_family(config) -> None:
    """Refuses a model that this does not write as GGUF. Errors: `ModelError`, with the family."""
    family, rope = config.model_type, (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    odd = [name for name in ("attention_bias", "mlp_bias", "use_sliding_window") if getattr(config, name, False)]
    reason = f"with rope_type {rope}" if rope != "default" else f"with {odd[0]}" if odd else ""
    if family not in FAMILIES or reason:
        raise ModelError(
            f"gguf cannot be made here of the {family} family{reason and ' '}{reason}; it can of "
            f"{', '.join(FAMILIES)}: {INSTEAD}."
        )


def gguf_template(template: str) -> str:
    """Returns a chat template without the tags that only transformers knows."""
    return GENERATION.sub("", template)


def write_gguf(model, tokenizer, kind: str, name: str, file: Path) -> None:
    """Writes a merged model (float32) as a GGUF file of this type, with tokenizer and chat template inside."""
    import gguf

    check_family(model.config)
    config = model.config
    writer = gguf.GGUFWriter(str(file), config.model_type)
    file_types = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_file_type(file_types[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_shape(writer, config)
    add_tokenizer(writer, tokenizer, config)
    for tensor_name, weight in named_tensors(model.state_dict(), config):
        data = weight.detach().float().cpu().numpy()
        held = stored_type(data.shape, kind)
        writer.add_tensor(tensor_name, gguf.quants.quantize(data, held), raw_dtype=held)
    close(writer)


def stored_type(shape: tuple[int, ...], kind: str):
    """Returns how a tensor is held: vectors in float32, a matrix whose rows are not whole blocks in float16."""
    from gguf import GGMLQuantizationType as Held

    if len(shape) == 1:
        return Held.F32
    return Held.Q8_0 if kind == "q8_0" and shape[-1] % 32 == 0 else Held.F16


def add_shape(writer, config) -> None:
    """Writes the numbers of a model's config.json that llama.cpp builds it from."""
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer(writer, tokenizer, config) -> None:
    """Writes the vocabulary, the special tokens and the chat template."""
    vocabulary = read_vocabulary(tokenizer, config.vocab_size, config.model_type)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    if tokenizer.unk_token_id is not None:
        writer.add_unk_token_id(tokenizer.unk_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if (end := turn_end(tokenizer)) is not None:
        writer.add_eot_token_id(end)
    first = tokenizer("a")["input_ids"][:1]
    writer.add_add_bos_token(tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id])
    writer.add_chat_template(gguf_template(tokenizer.chat_template))


def named_tensors(tensors: dict[str, Tensor], config) -> Iterator[tuple[str, Tensor]]:
    """Yields llama.cpp's name of each tensor, and the tensor as llama.cpp orders its rows."""
    names = tensor_names(config)
    for name, tensor in tensors.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        yield name_of(names, name, config), ordered(name, tensor, config)


def tensor_names(config):
    """Returns the package's map from transformers' names of a family's tensors to llama.cpp's."""
    import gguf

    family = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == config.model_type)
    return gguf.get_tensor_name_map(family, config.num_hidden_layers)


def name_of(names, name: str, config) -> str:
    """Returns llama.cpp's name of a tensor. Errors: `ModelError` for one that it has none for."""
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise ModelError(f"gguf cannot be made here of the {config.model_type} family with a tensor {name}; {INSTEAD}.")
    return found


def ordered(name: str, tensor: Tensor, config) -> Tensor:
    """Returns a tensor with its rows in llama.cpp's order: of the llama family queries and keys are interleaved."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    layer = name.split(".")[-2]
    return interleaved(tensor, heads[layer]) if config.model_type == "llama" and layer in heads else tensor


def interleaved(rows: Tensor, heads: int) -> Tensor:
    """Returns rows (heads · width, …) with the two halves of each head's rows taken in turn."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def close(writer) -> None:
    """Writes what a writer was given, and closes its file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
