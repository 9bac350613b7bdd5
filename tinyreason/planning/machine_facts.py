"""What this machine has, whether a recipe can run on it, and the line to type where it cannot."""

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from tinyreason.config.inference import VllmServer
from tinyreason.config.model import Model
from tinyreason.config.recipe import read_recipe
from tinyreason.config.run_config import Kernels
from tinyreason.config.tiers import TIERS
from tinyreason.errors import ServerError
from tinyreason.models.hardware import Card, choose_tier, dotted, find_card, find_cpu, usable_cores
from tinyreason.models.kernels import choose_compute_settings, installed_packages

NEEDS = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "math-verify", "pebble", "click")
SERVER_S = 1.0
"""So long a server may take to answer."""
LEAST_DISK_GB = 5.0
"""GiB that a downloaded model and a run usually take."""
TORCH_HELP = "https://pytorch.org/get-started/locally"


@dataclass(frozen=True)
class Fact:
    """One thing about this machine; `ok` is None where it is only worth knowing, `advice` is what to type."""

    name: str
    value: str
    ok: bool | None = None
    advice: str | None = None


def machine_facts() -> list[Fact]:
    """Lists every fact, the needed ones first. The main job can run unless one of them is not ok."""
    card = find_card()
    return [
        Fact("python", platform.python_version(), True),  # an older one could not have installed this
        *(library_fact(name) for name in NEEDS),
        *cuda_facts(card),
        cpu_fact(),
        tier_fact(card),
        *kernel_facts(card),
        Fact("engine", engines_here(card)),
        server_fact(VllmServer()),
        disk_fact(),
        start_fact(),
        Fact("HF_TOKEN", "set" if os.environ.get("HF_TOKEN") else "not set: public models and data only"),
    ]


def library_fact(name: str) -> Fact:
    """Says whether a needed library is installed, in a version we can use, and can be imported."""
    wanted = requirement(name)
    install = f"pip install '{wanted}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Fact(name, "not installed", False, install)
    if not wanted.specifier.contains(version, prereleases=True):
        return Fact(name, f"{version}, and tinyreason needs {wanted.specifier}", False, install)
    if conflict := conflict_of(name):
        return Fact(name, f"{version} wants {conflict}", False, f"pip install '{conflict}'")
    try:
        importlib.import_module(name.replace("-", "_"))
    except Exception as error:  # whatever a broken installation raises
        return Fact(
            name, f"{version}, cannot be imported: {str(error).splitlines()[:1]}", False, f"{install} --force-reinstall"
        )
    return Fact(name, version, True)


def requirement(name: str) -> Requirement:
    """Returns what tinyreason's own metadata asks of a library."""
    asked = (Requirement(text) for text in metadata.requires("tinyreason") or ())
    return next(found for found in asked if found.name == name)


def conflict_of(name: str) -> str | None:
    """Returns the first requirement of an installed library that another one does not meet, or None."""
    for wanted in map(Requirement, metadata.requires(name) or ()):
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            return f"{wanted.name}{wanted.specifier}"
        if not wanted.specifier.contains(version, prereleases=True):
            return f"{wanted.name}{wanted.specifier}"
    return None


def cuda_facts(card: Card | None) -> list[Fact]:
    """Says which card there is, and whether this build of torch can compute on it."""
    if card is None:
        mac = "; Apple's GPU is not used" if platform.system() == "Darwin" else ""
        return [Fact("GPU", f"no CUDA GPU: the tiers sandbox and cpu run on the CPU{mac}")]
    many = card.alike
    both = f", or --processes {many} uses all {many} {card.name}" if many > 1 else ""
    idle = f"; {card.describe_idle()}{both}" if card.idle else ""
    facts = [Fact("GPU", f"{card.describe()}, {card.memory_gb:.0f} GB{idle}")]
    try:
        import torch
    except ImportError:
        return facts
    if torch.version.cuda is None:
        return [*facts, Fact("CUDA", f"torch {torch.__version__} is a CPU build", False, f"{TORCH_HELP}, choose CUDA")]
    if not torch.cuda.is_available():
        advice = "update the NVIDIA driver, or choose an older CUDA at " + TORCH_HELP
        return [
            *facts,
            Fact("CUDA", f"torch's CUDA {torch.version.cuda} does not start with this driver", False, advice),
        ]
    built = torch.cuda.get_arch_list()
    if not runs_on(card.capability, built):
        advice = f"choose a build of torch with an older CUDA at {TORCH_HELP}"
        return [
            *facts,
            Fact("CUDA", f"torch {torch.__version__} has no kernels for {dotted(card.capability)}", False, advice),
        ]
    return [*facts, Fact("CUDA", torch.version.cuda, True)]


def cpu_fact() -> Fact:
    """Says what processor there is, how many cores of it are used, and whether it multiplies in bfloat16."""
    cpu = find_cpu()
    bfloat16 = f"bfloat16 by {cpu.bfloat16_by}" if cpu.bfloat16_by else "no bfloat16"
    many = usable_cores()
    shared = f"; --processes {many} has as many processes share a run on it" if many > 1 else ""
    return Fact("CPU", f"{cpu.name}, {many} cores, {bfloat16}{shared}")


def runs_on(capability: tuple[int, int], built: list[str]) -> bool:
    """Returns whether code built for `sm_80`, `compute_90`, … runs on a card: same major, no newer minor, or PTX."""
    for name in built:
        kind, _, number = name.rstrip("af").partition("_")
        major, minor = int(number[:-1]), int(number[-1])
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return True
        if kind == "compute" and (major, minor) <= capability:
            return True
    return False


def main_tier(card: Card | None) -> tuple[str, str]:
    """Returns the tier that the main job runs on here, and why."""
    return choose_tier(read_recipe("one_shot_rlvr").tiers, card)


def tier_fact(card: Card | None) -> Fact:
    """Says on which tier the main job runs here."""
    name, why = main_tier(card)
    return Fact("tier", f"{name} ({why})", True)


def kernel_facts(card: Card | None) -> list[Fact]:
    """Says which optional kernels a run would take, and why; a card that runs no tier computes nothing."""
    used = card if TIERS[main_tier(card)[0]].needs_gpu else None
    compute = choose_compute_settings(Model(name="any"), Kernels(), used, installed_packages(), "qwen2", find_cpu())
    shown = ("dtype", "attention", "fused", "optimizer")
    return [Fact(name, f"{compute.settings()[name].got} ({compute.settings()[name].why})") for name in shown]


def engines_here(card: Card | None) -> str:
    """Says which engines sample in this process."""
    first = "hf (any model)" if card else "fused (models like Llama) or hf (any model)"
    return f"{first}, as auto chooses; trl (TRL's own)"


def server_fact(server: VllmServer) -> Fact:
    """Says whether a server of vLLM's answers where one usually is, and what is needed to start one."""
    from tinyreason.inference.engines.connection import Connection, NotThere, Unanswered

    connection = Connection(server, os.environ.get(server.key_variable, ""), lambda text: None)
    try:
        models = [card["id"] for card in connection.once("GET", "/v1/models", patience_s=SERVER_S)["data"]]
        return Fact("vllm_server", f"{', '.join(models)} at {server.url}")
    except (Unanswered, NotThere, ServerError, LookupError, TypeError):
        pass
    try:
        here = f"vLLM {metadata.version('vllm')} is installed"
    except metadata.PackageNotFoundError:
        here = "vLLM is not installed here"
    return Fact("vllm_server", f"none answers at {server.url}, {here}; docs/server.md has the lines to type")


def start_fact() -> Fact:
    """Says whether Python finds the libraries compiled, or compiles thousands of files anew at each start."""
    found = importlib.util.find_spec("transformers")
    if found is None or os.path.exists(found.cached):
        return Fact("start", "libraries are compiled")
    advice = "the first run compiles them"
    if sys.dont_write_bytecode:
        advice = "unset PYTHONDONTWRITEBYTECODE for one run: while it is set, every start compiles the libraries anew"
    return Fact("start", "libraries are not compiled, so it takes twice as long", None, advice)


def disk_fact() -> Fact:
    """Says what room for a model and a run is left under the current directory."""
    free_gb = shutil.disk_usage(".").free / 2**30
    if free_gb >= LEAST_DISK_GB:
        return Fact("disk", f"{free_gb:.0f} GB free")
    return Fact(
        "disk", f"{free_gb:.1f} GB free, little for a downloaded model", None, "free some, or set HF_HOME elsewhere"
    )
