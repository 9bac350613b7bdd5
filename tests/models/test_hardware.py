"""Which tier and which dtype a machine gets, as a table of cards."""

import pytest

from tinyreason.config.run_config import Kernels, Model
from tinyreason.config.tiers import TIERS
from tinyreason.errors import ConfigError
from tinyreason.models.hardware import Card, check_tier, choose_tier, find_card
from tinyreason.models.kernels import choose_compute_settings


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
    compute = choose_compute_settings(Model(name="m"), Kernels(), card, {}, "qwen2")
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
