"""What a run computes with: what auto takes on each card, and what is refused."""

import pytest

from tinyreason.config.model import Model
from tinyreason.config.run_config import Kernels
from tinyreason.errors import ConfigError
from tinyreason.models.attention import attentions_of
from tinyreason.models.hardware import Card, Cpu
from tinyreason.models.kernels import LIGER_MODELS, choose_compute_settings, installed_packages


def card(name, memory_mib, major, minor):
    return Card(name, memory_mib / 1024, (major, minor))


ALL = {"bitsandbytes": "0.50.2", "flash-attn": "2.8.3", "liger-kernel": "0.8.5"}


def settings_of(card, packages=ALL, model_type="qwen2", **asked):
    model = Model(name="m", **{option: asked.pop(option) for option in ("quantize", "dtype") if option in asked})
    return choose_compute_settings(model, Kernels(**asked), card, packages, model_type)


# the card, then what auto gives with everything installed: dtype, attention, fused kernels, optimizer
SETTINGS = [
    (None, "float32", "sdpa", "off", "adamw"),  # a CPU, and a Mac: MPS is not used
    (card("Tesla P100-PCIE-16GB", 16384, 6, 0), "float16", "sdpa", "off", "adamw"),
    (card("Tesla V100-SXM2-16GB", 16384, 7, 0), "float16", "sdpa", "off", "adamw"),
    (card("Tesla T4", 15360, 7, 5), "float16", "sdpa", "off", "adamw"),
    (card("NVIDIA GeForce RTX 3060", 12288, 8, 6), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA GeForce RTX 3090", 24576, 8, 6), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA GeForce RTX 4090", 24564, 8, 9), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA L4", 23034, 8, 9), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA A100-SXM4-80GB", 81920, 8, 0), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA H100 80GB HBM3", 81559, 9, 0), "bfloat16", "flash_attention_2", "liger", "adamw"),
    (card("NVIDIA GeForce RTX 5090", 32607, 12, 0), "bfloat16", "sdpa", "liger", "adamw"),
]
T4_CARD, AMPERE, BLACKWELL = SETTINGS[3][0], SETTINGS[5][0], SETTINGS[-1][0]


@pytest.mark.parametrize(
    ("card", "dtype", "attention", "fused", "optimizer"), SETTINGS, ids=[c[0].name if c[0] else "CPU" for c in SETTINGS]
)
def test_auto_takes_what_the_card_allows_and_says_why(card, dtype, attention, fused, optimizer):
    compute = settings_of(card)
    assert [compute.settings()[name].got for name in ("dtype", "attention", "fused", "optimizer")] == [
        *(dtype, attention, fused, optimizer)
    ]
    for setting in compute.settings().values():
        assert setting.why and "\n" not in setting.why


def test_of_pascal_is_said_what_holds():
    pascal = settings_of(card("NVIDIA GeForce GTX 1080 Ti", 11264, 6, 1), quantize="nf4")
    assert (pascal.dtype.got, pascal.quantize.got, pascal.has_triton) == ("float16", "nf4", False)
    assert "not faster than float32" in pascal.dtype.why
    assert settings_of(T4_CARD).has_triton and not settings_of(None).has_triton


@pytest.mark.parametrize("card", [row[0] for row in SETTINGS], ids=[c[0].name if c[0] else "CPU" for c in SETTINGS])
def test_with_nothing_installed_auto_still_finds_a_way(card):
    compute = settings_of(card, packages={})
    assert (compute.attention.got, compute.fused.got, compute.optimizer.got) == ("sdpa", "off", "adamw")


def test_what_auto_misses_for_want_of_a_package_is_named_with_its_install_line():
    compute = settings_of(AMPERE, packages={})
    assert "pip install flash-attn --no-build-isolation" in compute.attention.why
    assert "pip install liger-kernel" in compute.fused.why


@pytest.mark.parametrize(
    ("card", "packages", "asked", "named"),
    [
        (None, ALL, {"attention": "flash_attention_2"}, "needs a CUDA GPU"),
        (None, ALL, {"fused": "liger"}, "need a CUDA GPU"),
        (None, ALL, {"dtype": "bfloat16"}, "model.dtype=float32"),
        (None, ALL, {"optimizer": "paged_adamw_8bit"}, "no GPU"),
        (None, {}, {"quantize": "nf4"}, "pip install bitsandbytes"),
        (AMPERE, {}, {"quantize": "int8"}, "pip install bitsandbytes"),
        (AMPERE, {}, {"optimizer": "adamw_8bit"}, "pip install bitsandbytes"),
        (AMPERE, {}, {"attention": "flash_attention_2"}, "pip install flash-attn"),
        (AMPERE, {}, {"fused": "liger"}, "pip install liger-kernel"),
        (AMPERE, ALL, {"attention": "flash_attention_2", "dtype": "float32"}, "half precision"),
        (T4_CARD, ALL, {"attention": "flash_attention_2"}, "needs compute capability 8.0"),
        (T4_CARD, ALL, {"dtype": "bfloat16"}, "model.dtype=float16"),
        (BLACKWELL, ALL, {"attention": "flash_attention_2"}, "flash-attn>=2.8.3.post1"),
        (SETTINGS[1][0], ALL, {"quantize": "int8"}, "model.quantize=nf4"),
        (SETTINGS[1][0], ALL, {"fused": "liger"}, "7.0"),
        (T4_CARD, ALL, {"attention": "eager"}, "type kernels.attention=sdpa, or model.dtype=float32"),
        (AMPERE, ALL, {"attention": "eager", "dtype": "float16"}, "overflows in float16"),
    ],
)
def test_what_is_asked_for_and_cannot_be_had_is_refused_in_one_sentence(card, packages, asked, named):
    with pytest.raises(ConfigError) as caught:
        settings_of(card, packages, **asked)
    assert named in str(caught.value) and "\n" not in str(caught.value)
    if card:
        assert card.name in str(caught.value) or "pip install" in str(caught.value) or "float32" in str(caught.value)


def test_plain_adamw_is_taken_for_adapters_and_fused_on_a_card():
    on_card, on_cpu = settings_of(AMPERE), settings_of(None)
    assert (on_card.optimizer.got, on_card.fuses_optimizer) == ("adamw", True)
    assert "8 bits" in on_card.optimizer.why
    assert (on_cpu.optimizer.got, on_cpu.fuses_optimizer) == ("adamw", False)
    assert not settings_of(AMPERE, optimizer="paged_adamw_8bit").fuses_optimizer


@pytest.mark.parametrize("row", SETTINGS, ids=[c[0].name if c[0] else "CPU" for c in SETTINGS])
def test_the_reason_of_the_attention_says_where_enable_gqa_is_avoided(row):
    compute = settings_of(row[0])
    is_before_ampere = row[0] is not None and row[0].capability < (8, 0)
    assert compute.avoids_enable_gqa == is_before_ampere
    assert ("enable_gqa" in compute.attention.why) == is_before_ampere
    assert ("enable_gqa" in settings_of(row[0], attention="sdpa").attention.why) == is_before_ampere


@pytest.mark.parametrize(
    ("card", "asked"),
    [
        (T4_CARD, {"quantize": "nf4", "attention": "sdpa", "fused": "liger", "optimizer": "adamw"}),
        (AMPERE, {"quantize": "int8", "dtype": "float16", "attention": "sdpa", "fused": "off"}),
        (AMPERE, {"optimizer": "paged_adamw_8bit", "attention": "eager"}),
        (T4_CARD, {"dtype": "float32", "attention": "eager"}),
        (None, {"quantize": "nf4", "optimizer": "adamw_8bit", "attention": "eager"}),
    ],
)
def test_what_is_asked_for_and_can_be_had_is_on(card, asked):
    settings = settings_of(card, **asked).settings()
    assert {name: settings[name].got for name in asked} == asked


def test_a_model_that_liger_does_not_know_keeps_its_own_layers():
    assert settings_of(AMPERE, model_type="falcon").fused.got == "off"
    with pytest.raises(ConfigError, match="falcon"):
        settings_of(AMPERE, model_type="falcon", fused="liger")


@pytest.mark.parametrize(
    ("card", "packages", "dtype", "attention"),
    [
        (None, ALL, "float32", "eager"),
        (T4_CARD, ALL, "float32", "eager"),
        (AMPERE, {}, "bfloat16", "eager"),
        (AMPERE, ALL, "bfloat16", "flash_attention_2"),
    ],
)
def test_a_model_without_sdpa_is_computed_as_it_can_be_and_never_eager_in_float16(card, packages, dtype, attention):
    compute = settings_of(card, packages, "gemma2")
    assert (compute.dtype.got, compute.attention.got) == (dtype, attention)
    assert attention != "eager" or "transformers has no SDPA for models of type gemma2" in compute.attention.why
    assert not compute.avoids_enable_gqa


@pytest.mark.parametrize(
    ("model_type", "asked", "named"),
    [
        ("gemma2", {"attention": "sdpa"}, "no SDPA for models of type gemma2; type kernels.attention=eager"),
        ("gemma2", {"dtype": "float16"}, "no SDPA for models of type gemma2; type model.dtype=float32"),
        (
            "bloom",
            {"attention": "flash_attention_2"},
            "no FlashAttention-2 for models of type bloom; or type kernels.a",
        ),
    ],
)
def test_an_attention_that_transformers_lacks_for_a_model_is_refused_before_it_is_loaded(model_type, asked, named):
    with pytest.raises(ConfigError) as caught:
        settings_of(AMPERE, {"flash-attn": "2.8.3"} if "attention" in asked else {}, model_type, **asked)
    assert named in str(caught.value)


def test_what_a_model_has_is_read_from_the_installed_transformers():
    import transformers

    for name in ("Gemma2", "Gemma3Text", "Llama", "Qwen3", "Phi3", "Bloom", "GptOss"):
        config = getattr(transformers, f"{name}Config")
        model = getattr(transformers, f"{name.removesuffix('Text')}ForCausalLM")
        has = {"sdpa": model._supports_sdpa, "flash_attention_2": model._supports_flash_attn}
        assert attentions_of(config.model_type) == {kind for kind in has if has[kind]}, name
    assert attentions_of("somebodys_own") == attentions_of(None) == {"sdpa", "flash_attention_2"}


def test_the_models_said_to_be_ligers_are():
    if "liger-kernel" not in installed_packages():
        pytest.skip("liger-kernel is not installed")
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    assert set(MODEL_TYPE_TO_APPLY_LIGER_FN) >= LIGER_MODELS


AMX = Cpu("Xeon", frozenset({"avx512f", "avx512_bf16", "amx_bf16"}))


@pytest.mark.parametrize("cpu", [AMX, Cpu("Zen 4", frozenset({"avx512_bf16"})), Cpu("Zen 2", frozenset({"avx2"}))])
def test_a_cpu_computes_in_float32_and_one_that_multiplies_in_bfloat16_says_so(cpu):
    compute = choose_compute_settings(Model(name="org/model"), Kernels(), None, {}, "llama", cpu)
    assert compute.dtype.got == "float32"
    assert ("model.dtype=bfloat16" in compute.dtype.why) == (cpu.bfloat16_by is not None)


def test_bfloat16_is_allowed_on_a_cpu_that_has_it_and_float16_on_none():
    asked = choose_compute_settings(Model(name="m", dtype="bfloat16"), Kernels(), None, {}, "llama", AMX)
    assert asked.dtype.got == "bfloat16"
    for dtype, cpu in (("float16", AMX), ("bfloat16", Cpu("Zen 2", frozenset({"avx2"})))):
        with pytest.raises(ConfigError, match=f"model.dtype={dtype} is impossible here"):
            choose_compute_settings(Model(name="m", dtype=dtype), Kernels(), None, {}, "llama", cpu)
