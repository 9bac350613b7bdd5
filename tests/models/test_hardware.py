"""Which tier and which dtype a machine means, as a table of cards."""

import pytest

from tinyreason.config.run_config import Kernels, Model
from tinyreason.config.tiers import TIERS
from tinyreason.errors import ConfigError
from tinyreason.models.hardware import Card, check_tier, choose_tier, find_card
from tinyreason.models.kernels import LIGER_MODELS, choose_compute_settings, installed_packages


def card(name, memory_mib, major, minor):
    return Card(name, memory_mib / 1024, (major, minor))


# the memory that nvidia-smi reports, the largest tier, the device and dtype
MACHINES = [
    (None, "sandbox", "cpu", "float32"),
    (card("NVIDIA GeForce GTX 1050", 4096, 6, 1), "sandbox", "cuda", "float16"),
    (card("NVIDIA GeForce RTX 3060", 12288, 8, 6), "sandbox", "cuda", "bfloat16"),
    (card("Tesla T4", 15360, 7, 5), "t4", "cuda", "float16"),
    (card("Tesla P100-PCIE-16GB", 16384, 6, 0), "t4", "cuda", "float16"),
    (card("Tesla V100-SXM2-16GB", 16384, 7, 0), "t4", "cuda", "float16"),
    (card("NVIDIA GeForce RTX 4060 Ti", 16380, 8, 9), "t4", "cuda", "bfloat16"),
    (card("NVIDIA L4", 23034, 8, 9), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA A10G", 23028, 8, 6), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA GeForce RTX 3090", 24576, 8, 6), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA GeForce RTX 4090", 24564, 8, 9), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA A100-SXM4-40GB", 40960, 8, 0), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA L40S", 46068, 8, 9), "24gb", "cuda", "bfloat16"),
    (card("NVIDIA A100-SXM4-80GB", 81920, 8, 0), "80gb", "cuda", "bfloat16"),
    (card("NVIDIA H100 80GB HBM3", 81559, 9, 0), "80gb", "cuda", "bfloat16"),
    (card("NVIDIA H200", 143771, 9, 0), "80gb", "cuda", "bfloat16"),
]
each_machine = pytest.mark.parametrize(
    ("card", "tier", "device", "dtype"), MACHINES, ids=[card.name if card else "no GPU" for card, *_ in MACHINES]
)
SMALL = card("NVIDIA GeForce RTX 3060", 12288, 8, 6)
LARGE = card("NVIDIA A100-SXM4-80GB", 81920, 8, 0)


@each_machine
def test_a_machine_gets_the_largest_tier_it_holds(card, tier, device, dtype):
    chosen, why = choose_tier(TIERS, card)
    assert chosen == tier
    assert (card.name if card else "no CUDA GPU") in why


@each_machine
def test_a_machine_computes_in_what_its_arithmetic_is_made_for(card, tier, device, dtype):
    compute = means_of(card)
    assert (compute.device, compute.dtype.got) == (device, dtype)


@each_machine
def test_a_tier_is_allowed_on_the_machines_that_hold_it_and_no_others(card, tier, device, dtype):
    for asked in TIERS:
        if list(TIERS).index(asked) <= list(TIERS).index(tier):
            check_tier(asked, card)
            continue
        with pytest.raises(ConfigError, match="--on") as caught:
            check_tier(asked, card)
        assert asked in str(caught.value) and "\n" not in str(caught.value)
        assert (card.name if card else "none was found") in str(caught.value)


def test_every_tier_but_the_sandbox_says_how_much_memory_it_needs():
    assert [name for name, tier in TIERS.items() if tier.needs_gpu] == [name for name in TIERS if name != "sandbox"]
    needed = [tier.memory_gb for tier in TIERS.values()]
    assert needed == sorted(set(needed)) and needed[0] == 0


def test_the_choice_is_among_the_tiers_of_the_recipe():
    assert choose_tier(["sandbox", "t4"], LARGE)[0] == "t4"
    assert choose_tier(["80gb", "sandbox"], SMALL)[0] == "sandbox"
    assert choose_tier(["24gb", "80gb", "t4"], LARGE)[0] == "80gb"  # whatever their order
    assert choose_tier(["sandbox"], LARGE)[0] == "sandbox"


@pytest.mark.parametrize("card", [None, SMALL], ids=["no GPU", "12 GB"])
def test_a_recipe_that_no_tier_of_fits_is_refused_and_not_moved_to_a_tier_it_lacks(card):
    with pytest.raises(ConfigError, match="24gb") as caught:
        choose_tier(["24gb", "80gb"], card)
    assert (card.name if card else "none was found") in str(caught.value)


# What a run computes with

ALL = {"bitsandbytes": "0.50.2", "flash-attn": "2.8.3", "liger-kernel": "0.8.5"}


def means_of(card, packages=ALL, model_type="qwen2", **asked):
    model = Model(name="m", **{option: asked.pop(option) for option in ("quantize", "dtype") if option in asked})
    return choose_compute_settings(model, Kernels(**asked), card, packages, model_type)


# the card, then what auto gives with everything installed: dtype, attention, fused kernels, optimizer
CHOICES = [
    (None, "float32", "sdpa", "off", "adamw"),  # a CPU, and a Mac: MPS is not used
    (card("Tesla P100-PCIE-16GB", 16384, 6, 0), "float16", "sdpa", "off", "paged_adamw_8bit"),
    (card("Tesla V100-SXM2-16GB", 16384, 7, 0), "float16", "sdpa", "off", "paged_adamw_8bit"),
    (card("Tesla T4", 15360, 7, 5), "float16", "sdpa", "off", "paged_adamw_8bit"),
    (card("NVIDIA GeForce RTX 3060", 12288, 8, 6), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA GeForce RTX 3090", 24576, 8, 6), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA GeForce RTX 4090", 24564, 8, 9), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA L4", 23034, 8, 9), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA A100-SXM4-80GB", 81920, 8, 0), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA H100 80GB HBM3", 81559, 9, 0), "bfloat16", "flash_attention_2", "liger", "paged_adamw_8bit"),
    (card("NVIDIA GeForce RTX 5090", 32607, 12, 0), "bfloat16", "sdpa", "liger", "paged_adamw_8bit"),
]
T4_CARD, AMPERE, BLACKWELL = CHOICES[3][0], CHOICES[5][0], CHOICES[-1][0]


@pytest.mark.parametrize(
    ("card", "dtype", "attention", "fused", "optimizer"), CHOICES, ids=[c[0].name if c[0] else "CPU" for c in CHOICES]
)
def test_auto_takes_what_the_card_allows_and_says_why(card, dtype, attention, fused, optimizer):
    compute = means_of(card)
    assert [compute.settings()[name].got for name in ("dtype", "attention", "fused", "optimizer")] == [
        *(dtype, attention, fused, optimizer)
    ]
    for choice in compute.settings().values():
        assert choice.why and "\n" not in choice.why


@pytest.mark.parametrize("card", [row[0] for row in CHOICES], ids=[c[0].name if c[0] else "CPU" for c in CHOICES])
def test_with_nothing_installed_auto_still_finds_a_way(card):
    compute = means_of(card, packages={})
    assert (compute.attention.got, compute.fused.got, compute.optimizer.got) == ("sdpa", "off", "adamw")


def test_what_auto_misses_for_want_of_a_package_is_named_with_its_install_line():
    compute = means_of(AMPERE, packages={})
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
        (CHOICES[1][0], ALL, {"quantize": "int8"}, "model.quantize=nf4"),
        (CHOICES[1][0], ALL, {"fused": "liger"}, "7.0"),
    ],
)
def test_what_is_asked_for_and_cannot_be_had_is_refused_in_one_sentence(card, packages, asked, named):
    with pytest.raises(ConfigError) as caught:
        means_of(card, packages, **asked)
    assert named in str(caught.value) and "\n" not in str(caught.value)
    if card:
        assert card.name in str(caught.value) or "pip install" in str(caught.value) or "float32" in str(caught.value)


@pytest.mark.parametrize(
    ("card", "asked"),
    [
        (T4_CARD, {"quantize": "nf4", "attention": "eager", "fused": "liger", "optimizer": "adamw"}),
        (AMPERE, {"quantize": "int8", "dtype": "float16", "attention": "sdpa", "fused": "off"}),
        (None, {"quantize": "nf4", "optimizer": "adamw_8bit", "attention": "eager"}),
    ],
)
def test_what_is_asked_for_and_can_be_had_is_on(card, asked):
    choices = means_of(card, **asked).settings()
    assert {name: choices[name].got for name in asked} == asked


def test_a_model_that_liger_does_not_know_keeps_its_own_layers():
    assert means_of(AMPERE, model_type="falcon").fused.got == "off"
    with pytest.raises(ConfigError, match="falcon"):
        means_of(AMPERE, model_type="falcon", fused="liger")


def test_the_models_said_to_be_ligers_are():
    if "liger-kernel" not in installed_packages():
        pytest.skip("liger-kernel is not installed")
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    assert set(MODEL_TYPE_TO_APPLY_LIGER_FN) >= LIGER_MODELS


# What the driver says

T4 = "Tesla T4, 15360, 7.5"
A100 = "NVIDIA A100-SXM4-80GB, 81920, 8.0"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts an nvidia-smi on the path that lists these cards, or only the one that -i asks for."""

    def install(*lines: str, exit_code: int = 0):
        listing = tmp_path / "cards.csv"
        listing.write_text("".join(line + "\n" for line in lines))
        program = tmp_path / "nvidia-smi"
        program.write_text(
            f"""#!/bin/sh
pick=
while [ $# -gt 0 ]; do
    case $1 in
        -i) pick=$2; shift;;
        -i=*|--id=*) pick=${{1#*=}};;
    esac
    shift
done
case $pick in -*) echo "No devices were found"; exit 6;; esac
n=0
while read -r line; do
    case ",${{pick:-$n}}," in *",$n,"*) echo "$line";; esac
    n=$((n + 1))
done < {listing}
exit {exit_code}
"""
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


def test_the_first_card_is_found(driver):
    driver(T4, A100)
    assert find_card() == Card("Tesla T4", 15.0, (7, 5))


@pytest.mark.parametrize(
    ("visible", "name"),
    [("0", "Tesla T4"), ("1", "NVIDIA A100-SXM4-80GB"), ("0,1", "Tesla T4"), ("", None), ("-1", None)],
)
def test_a_card_that_is_hidden_from_cuda_is_not_found(driver, monkeypatch, visible, name):
    driver(T4, A100)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert getattr(find_card(), "name", None) == name


def test_without_a_driver_there_is_no_card(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_card() is None


@pytest.mark.parametrize(
    ("lines", "exit_code"),
    [
        (["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."], 9),
        (["No devices were found"], 6),
        (["No devices were found"], 0),
        ([], 0),
        (["Field 'compute_cap' is not a valid field to query."], 2),
        (["NVIDIA GB10, [N/A], 12.1"], 0),
        (["Tesla K10, 3584, [N/A]"], 0),
    ],
)
def test_a_driver_that_cannot_say_what_it_has_is_no_reason_to_fall_over(driver, lines, exit_code):
    driver(*lines, exit_code=exit_code)
    assert find_card() is None
