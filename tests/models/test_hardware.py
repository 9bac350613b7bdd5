"""Which tier and which dtype a machine gets, as a table of cards."""

import os
import types

import pytest
from fake_driver import MIB, install, uuid

from tinyreason.config.model import Model
from tinyreason.config.run_config import Kernels
from tinyreason.config.tiers import TIERS
from tinyreason.errors import ConfigError
from tinyreason.models import hardware
from tinyreason.models.hardware import Card, check_tier, choose_tier, find_card, find_cpu, take_card, usable_cores
from tinyreason.models.kernels import choose_compute_settings


def card(name, memory_mib, major, minor):
    return Card(name, memory_mib / 1024, (major, minor))


# the memory that nvidia-smi reports, the largest tier, the device and dtype
MACHINES = [
    (None, "sandbox", "cpu", "float32"),
    (card("NVIDIA GeForce GTX 1050", 4096, 6, 1), "sandbox", "cuda", "float16"),
    (card("NVIDIA GeForce RTX 2060", 6144, 7, 5), "8gb", "cuda", "float16"),
    (card("NVIDIA GeForce RTX 4060 Laptop GPU", 8188, 8, 9), "8gb", "cuda", "bfloat16"),
    (card("NVIDIA GeForce GTX 1080 Ti", 11264, 6, 1), "8gb", "cuda", "float16"),
    (card("NVIDIA GeForce RTX 3060", 12288, 8, 6), "t4", "cuda", "bfloat16"),
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


@pytest.fixture(autouse=True)
def same_choice_of_cards_as_before(monkeypatch):
    """A card that a test takes is not hidden from the next."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


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
        if asked == "cpu" or list(TIERS).index(asked) <= list(TIERS).index(tier):
            check_tier(asked, card)
            continue
        with pytest.raises(ConfigError, match="--on") as caught:
            check_tier(asked, card)
        assert asked in str(caught.value) and "\n" not in str(caught.value)
        assert (card.name if card else "none was found") in str(caught.value)


def test_every_tier_but_the_sandbox_and_the_cpus_says_how_much_memory_it_needs():
    on_gpu = [tier.memory_gb for name, tier in TIERS.items() if name not in ("sandbox", "cpu")]
    assert on_gpu == sorted(set(on_gpu)) and on_gpu[0] > 0
    assert not TIERS["sandbox"].needs_gpu and not TIERS["cpu"].needs_gpu


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


def test_a_card_that_is_too_small_is_named_with_what_it_lacks():
    tier, why = choose_tier(TIERS, card("NVIDIA GeForce GT 1030", 2048, 6, 1))
    assert tier == "sandbox"
    assert why.startswith("NVIDIA GeForce GT 1030 has 2 GB, the smallest tier, 8gb, needs 5.9 GB")


def test_a_card_that_is_too_old_is_named_with_its_age_whatever_its_memory():
    old = card("Tesla M40 24GB", 22945, 5, 2)
    tier, why = choose_tier(TIERS, old)
    assert tier == "sandbox" and "Tesla M40 24GB (5.2) is older than compute capability 6.0" in why
    with pytest.raises(ConfigError, match=r"tier 24gb cannot run here: Tesla M40 24GB \(5.2\) is older"):
        check_tier("24gb", old)


# What the driver says


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts an nvidia-smi on the path that lists these cards."""
    return lambda *cards, **more: install(tmp_path, monkeypatch, *cards, **more)


def test_a_card_is_found_with_its_memory_and_capability(driver):
    driver("T4")
    assert find_card() == Card("Tesla T4", 15.0, (7, 5))
    assert find_card().idle == ()


@pytest.mark.parametrize(
    ("cards", "used", "idle"),
    [
        (("GT 1030", "3090"), 1, ("NVIDIA GeForce GT 1030",)),
        (("3090", "GT 1030"), 0, ("NVIDIA GeForce GT 1030",)),
        (("T4", "T4"), 0, ("Tesla T4",)),
        (("M40", "3060"), 1, ("Tesla M40 24GB",)),  # larger, and too old
    ],
)
def test_of_several_cards_the_largest_is_taken_and_the_others_are_hidden(driver, cards, used, idle):
    driver(*cards)
    taken = take_card()
    assert (taken.name, taken.idle) == (MIB[cards[used]][0], idle)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == uuid(used)  # a number would be of torch's order
    assert idle[0] in taken.describe_idle() and "CUDA_VISIBLE_DEVICES" in taken.describe_idle()


def test_finding_a_card_hides_none(driver):
    driver("T4", "T4")
    find_card()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize(
    ("visible", "name", "idle"),
    [
        ("0", "Tesla T4", 0),
        ("1", "NVIDIA A100-SXM4-80GB", 0),
        ("0,1", "NVIDIA A100-SXM4-80GB", 1),
        (" 1 , 0 ", "NVIDIA A100-SXM4-80GB", 1),
        (uuid(0), "Tesla T4", 0),
        ("GPU-1", "NVIDIA A100-SXM4-80GB", 0),  # shortened, as CUDA allows
        ("0,7,1", "Tesla T4", 0),  # CUDA reads no further than what names nothing
        ("", None, 0),
        ("-1", None, 0),
        ("7", None, 0),
    ],
)
def test_the_choice_of_the_person_is_kept(driver, monkeypatch, visible, name, idle):
    driver("T4", "A100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = take_card()
    assert getattr(found, "name", None) == name
    assert len(getattr(found, "idle", ())) == idle
    assert os.environ["CUDA_VISIBLE_DEVICES"] == (found.uuid if found else visible)


SLICES = f"""GPU 0: NVIDIA A100-SXM4-80GB (UUID: {uuid(0)})
  MIG 1g.10gb     Device  0: (UUID: MIG-aaaa)
  MIG 3g.40gb     Device  1: (UUID: MIG-bbbb)
GPU 1: Tesla T4 (UUID: {uuid(1)})
"""


@pytest.mark.parametrize(
    ("visible", "name", "memory_gb", "tier"),
    [
        (None, "NVIDIA A100-SXM4-80GB MIG 3g.40gb", 40, "24gb"),
        ("MIG-aaaa", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", 10, "8gb"),
        ("0", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", 10, "8gb"),  # its first slice, as in CUDA
        ("1", "Tesla T4", 15, "t4"),
    ],
)
def test_a_slice_of_a_card_has_the_memory_of_the_slice(driver, monkeypatch, visible, name, memory_gb, tier):
    driver("A100", "T4", listing=SLICES)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = take_card()
    assert (found.name, found.memory_gb, choose_tier(TIERS, found)[0]) == (name, memory_gb, tier)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == found.uuid


def test_once_torch_computes_on_a_card_it_is_that_one(driver, monkeypatch):
    import torch

    driver("T4", "A100")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: ("Tesla T4", "A100")[number])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: (7, 5))
    properties = types.SimpleNamespace(total_memory=int(14.6 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: properties)
    found = take_card()
    assert (found.name, found.capability, found.idle) == ("Tesla T4", (7, 5), ("A100",))
    assert choose_tier(TIERS, found)[0] == "t4"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ  # it would be too late


def test_without_a_driver_there_is_no_card(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert take_card() is None
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize(
    ("lines", "exit_code"),
    [
        (["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."], 9),
        (["No devices were found"], 6),
        (["No devices were found"], 0),
        ([], 0),
        (["Field 'compute_cap' is not a valid field to query."], 2),
        (["GPU-1, NVIDIA GB10, [N/A], 12.1"], 0),
        (["GPU-1, Tesla K10, 3584, [N/A]"], 0),
    ],
)
def test_a_driver_that_cannot_say_what_it_has_is_no_reason_to_fall_over(driver, lines, exit_code):
    driver(*lines, exit_code=exit_code)
    assert find_card() is None


def test_a_card_that_cannot_be_read_does_not_hide_the_one_beside_it(driver):
    driver("GPU-9, NVIDIA GB10, [N/A], 12.1", "T4")
    assert find_card().name == "Tesla T4"


def test_the_cpu_is_read_from_what_linux_says_of_its_first_core(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("model name\t: Xeon\nflags\t\t: fma amx_bf16\n\nmodel name\t: other\nflags : \n")
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "cpuinfo")
    found = find_cpu.__wrapped__()
    assert (found.name, found.bfloat16_by) == ("Xeon", "amx_bf16")
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "none")
    assert find_cpu.__wrapped__().bfloat16_by is None


def test_no_more_cores_are_counted_than_this_process_may_use():
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
