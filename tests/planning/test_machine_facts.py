"""What `doctor` says of machines that can run the main job and of machines that cannot."""

import json
import platform
import sys
from importlib import metadata

import pytest
from click.testing import CliRunner
from fake_driver import install

from tinyreason.cli.main import main
from tinyreason.models.hardware import Card
from tinyreason.planning import machine_facts
from tinyreason.planning.machine_facts import (
    NEEDS,
    conflict_of,
    cuda_facts,
    kernel_facts,
    library_fact,
    requirement,
    runs_on,
    tier_fact,
)

T4 = Card("Tesla T4", 15.0, (7, 5))


@pytest.fixture
def versions(monkeypatch):
    """A function that gives installed libraries other versions; None takes one away."""
    real = metadata.version

    def put(**fake):
        def version(name):
            if name in fake and fake[name] is None:
                raise metadata.PackageNotFoundError(name)
            return fake.get(name) or real(name)

        monkeypatch.setattr(metadata, "version", version)

    return put


def test_where_the_tests_run_the_main_job_runs():
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    assert "tinyreason recipe one_shot_rlvr" in done.output


def test_json_holds_the_same_facts():
    facts = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    assert {"python", *NEEDS, "GPU", "tier", "attention", "fused"} <= {fact["name"] for fact in facts}
    assert all(fact.keys() == {"name", "value", "ok", "advice"} for fact in facts)
    assert not any(fact["ok"] is False for fact in facts)


def test_a_missing_library_is_named_with_the_line_that_installs_it(versions):
    versions(trl=None)
    fact = library_fact("trl")
    assert (fact.ok, fact.value) == (False, "not installed")
    assert fact.advice == f"pip install '{requirement('trl')}'"
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert fact.advice in done.output and "Traceback" not in done.output


def test_a_version_that_is_too_old_is_named_with_what_is_needed(versions):
    versions(trl="0.24.0")
    fact = library_fact("trl")
    assert fact.ok is False and "0.24.0" in fact.value and ">=1.16" in fact.value


def test_libraries_that_do_not_go_together_are_named(versions):
    assert all(conflict_of(name) is None for name in NEEDS)
    versions(accelerate="0.1.0")
    assert conflict_of("trl").startswith("accelerate>=")
    assert library_fact("trl").ok is False


def test_a_library_that_cannot_be_imported_is_no_crash(monkeypatch):
    monkeypatch.setitem(sys.modules, "pebble", None)
    assert library_fact("pebble").ok is False and "cannot be imported" in library_fact("pebble").value


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((7, 5), ["sm_75", "sm_80", "sm_90"], True),
        ((8, 6), ["sm_75", "sm_80", "sm_90"], True),  # same major, older minor
        ((6, 0), ["sm_75", "sm_80", "sm_90", "sm_120"], False),  # P100 on a build that has dropped Pascal
        ((7, 0), ["sm_75", "sm_80"], False),
        ((12, 0), ["sm_80", "sm_90"], False),
        ((12, 0), ["sm_80", "compute_90"], True),
        ((9, 0), ["sm_90a"], True),
        ((8, 0), ["sm_86"], False),
    ],
)
def test_a_build_of_torch_runs_on_the_cards_it_has_code_for(capability, built, runs):
    assert runs_on(capability, built) == runs


def test_a_card_that_this_torch_cannot_use_is_a_no_with_a_way_out(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    fact = cuda_facts(T4)[-1]
    assert fact.ok is False and "CPU build" in fact.value and "pytorch.org" in fact.advice


def test_a_build_without_code_for_the_card_is_a_no(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90"])
    assert cuda_facts(T4)[-1].ok is False and "7.5" in cuda_facts(T4)[-1].value
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
    assert cuda_facts(T4)[-1].ok is True


MACHINES = {
    "no card": ((), "sandbox", "no CUDA GPU", "float32", "sdpa"),
    "T4": (("T4",), "t4", "Tesla T4 (7.5), 15 GB", "float16", "sdpa"),
    "two T4": (("T4", "T4"), "t4", "Tesla T4 (7.5), 15 GB; Tesla T4 idles", "float16", "sdpa"),
    "3060": (("3060",), "t4", "NVIDIA GeForce RTX 3060 (8.6), 12 GB", "bfloat16", "flash_attention_2"),
    "GT 1030 and 3060": (
        *(("GT 1030", "3060"), "t4", "RTX 3060 (8.6), 12 GB; NVIDIA GeForce GT 1030 idles", "bfloat16"),
        "flash_attention_2",
    ),
    "H100": (("H100",), "80gb", "NVIDIA H100 80GB HBM3 (9.0), 80 GB", "bfloat16", "flash_attention_2"),
    "GT 1030": (("GT 1030",), "sandbox (NVIDIA GeForce GT 1030 has 2 GB", "GT 1030 (6.1), 2 GB", "float32", "sdpa"),
    "1080 Ti": (("1080 Ti",), "8gb", "1080 Ti (6.1), 11 GB", "float16", "sdpa"),
}
"""A machine → its cards, then what doctor says of tier, GPU, dtype and attention."""


@pytest.mark.parametrize("machine", MACHINES)
def test_doctor_says_of_each_machine_its_tier_card_dtype_and_attention(machine, tmp_path, monkeypatch):
    cards, tier, gpu, dtype, attention = MACHINES[machine]
    install(tmp_path, monkeypatch, *cards)
    monkeypatch.setattr(machine_facts, "installed_packages", lambda: {"flash-attn": "2.8.3", "bitsandbytes": "0.50"})
    facts = CliRunner().invoke(main, ["doctor", "--json"]).stdout
    said = {fact["name"]: fact["value"] for fact in json.loads(facts[: facts.rindex("]") + 1])}
    assert said["tier"].startswith(tier) and gpu in said["GPU"]
    assert said["dtype"].startswith(f"{dtype} (") and said["attention"].startswith(f"{attention} (")


def test_doctor_says_that_the_gpu_of_a_mac_is_not_used(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "Apple's GPU is not used" in cuda_facts(None)[0].value


def test_without_a_card_the_sandbox_is_the_tier():
    assert cuda_facts(None)[0].ok is None
    assert tier_fact(None).ok is True and tier_fact(None).value.startswith("sandbox")


def test_the_kernels_a_run_would_take_are_said_with_why():
    values = {fact.name: fact.value for fact in kernel_facts(T4)}
    assert values["dtype"].startswith("float16") and "Ampere" in values["attention"]


def test_libraries_that_every_start_compiles_anew_are_said_with_the_way_out(monkeypatch):
    monkeypatch.setattr(machine_facts.os.path, "exists", lambda _: False)
    monkeypatch.setattr(machine_facts.sys, "dont_write_bytecode", True)
    assert "unset PYTHONDONTWRITEBYTECODE" in machine_facts.start_fact().advice
    monkeypatch.setattr(machine_facts.sys, "dont_write_bytecode", False)
    assert machine_facts.start_fact().advice == "the first run compiles them"
    monkeypatch.undo()
    monkeypatch.setattr(machine_facts.os.path, "exists", lambda _: True)
    assert machine_facts.start_fact().advice is None
