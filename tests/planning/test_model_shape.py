"""What a model's config.json says of its layers and parameters, and what cannot be planned."""

import json

import pytest

from tinyreason.adapters._adapter import linear_layers
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe, recipe_names
from tinyreason.errors import ModelError
from tinyreason.models.load import skeleton
from tinyreason.planning.known_models import KNOWN
from tinyreason.planning.model_shape import Shape, read_shape
from tinyreason.sandbox import BASE

LLAMA = {
    **{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96},
    **{"num_attention_heads": 4, "vocab_size": 100, "tie_word_embeddings": False},
}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008),
        ("Qwen/Qwen2.5-0.5B", 494_032_768),
        ("Qwen/Qwen2.5-1.5B-Instruct", 1_543_714_304),
        ("Qwen/Qwen2.5-3B", 3_085_938_688),
        ("Qwen/Qwen2.5-7B-Instruct", 7_615_616_512),
        ("Qwen/Qwen3-0.6B", 596_049_920),
        ("Qwen/Qwen3-1.7B", 1_720_574_976),
        ("Qwen/Qwen3-4B", 4_022_468_096),
        ("Qwen/Qwen3-8B", 8_190_735_360),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1_777_088_000),
        ("meta-llama/Llama-3.2-1B-Instruct", 1_235_814_400),
        ("meta-llama/Llama-3.2-3B-Instruct", 3_212_749_824),
    ],
)
def test_a_known_model_has_the_parameters_its_authors_publish(name, parameters):
    assert Shape(*KNOWN[name]).parameters == parameters


def test_the_model_of_every_recipe_is_planned_without_the_network():
    for recipe in map(read_recipe, recipe_names()):
        for tier in recipe.tiers:
            assert read_shape(recipe.resolve(tier).model).parameters


def folder_with(tmp_path, values):
    (tmp_path / "config.json").write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return Model(name=str(tmp_path))


@pytest.mark.parametrize(
    "values",
    [
        json.loads((BASE / "config.json").read_text()),
        LLAMA,
        LLAMA | {"num_key_value_heads": 2, "tie_word_embeddings": True},
        LLAMA | {"model_type": "qwen2", "num_key_value_heads": 1},
        LLAMA | {"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8},
        LLAMA | {"model_type": "mistral", "num_key_value_heads": 2, "head_dim": 16},
        LLAMA | {"model_type": "phi3", "num_key_value_heads": 2, "pad_token_id": 0},
        LLAMA
        | {"model_type": "smollm3", "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1},
    ],
    ids=lambda values: values["model_type"],
)
def test_layers_and_parameters_are_those_of_the_model_that_transformers_builds(tmp_path, values):
    config = folder_with(tmp_path, values)
    model, shape = skeleton(config), read_shape(config)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    ours = sorted((name.rpartition(".")[2], size) for name, size in shape.linear_layers().items())
    assert ours == sorted((name.rpartition(".")[2], size) for name, size in linear_layers(model).items())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("", "missing or not a model's"),
        ("[1]", "missing or not a model's"),
        ("{" * 100_000, "missing or not a model's"),
        ({}, "is of type None, whose memory cannot be predicted"),
        ({"model_type": "gpt2"}, "is of type 'gpt2'"),
        ({"model_type": "qwen3_moe"}, "is of type 'qwen3_moe'"),
        ({"model_type": ["llama"]}, "is of type ['llama']"),
        (LLAMA | {"hidden_size": None}, "no usable hidden_size: None"),
        (LLAMA | {"num_hidden_layers": "28"}, "no usable num_hidden_layers: '28'"),
        (LLAMA | {"vocab_size": 10**400}, "no usable vocab_size"),
        (LLAMA | {"num_attention_heads": -1}, "no usable num_attention_heads: -1"),
        (LLAMA | {"num_key_value_heads": True}, "no usable num_key_value_heads: True"),
    ],
)
def test_a_config_that_says_too_little_is_answered_with_one_sentence(tmp_path, values, words):
    with pytest.raises(ModelError) as caught:
        read_shape(folder_with(tmp_path, values))
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["someone/else", "no such model", "a" * 3000, "x\x00y", "../../.."])
def test_a_model_that_cannot_be_reached_is_answered_with_one_sentence(name):
    with pytest.raises(ModelError) as caught:
        read_shape(Model(name=name))
    assert name[:20] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
