"""What a run is computed with: versions, hardware, the code itself, the command."""

import hashlib
import os
import platform
import shlex
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tinyreason.config.run_config import RunConfig
from tinyreason.models.hardware import Card
from tinyreason.runs.context import RunContext

LIBRARIES = (
    *("tinyreason", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "math-verify"),
    *("bitsandbytes", "flash-attn", "liger-kernel"),
)


def environment(config: RunConfig, context: RunContext) -> dict[str, Any]:
    """Returns what environment.json holds: versions, hardware, and each compute setting with its reason."""
    compute = context.compute
    return {
        "versions": versions(),
        "code_sha256": code_sha256(),
        "platform": platform.platform(),
        "cpu_cores": os.cpu_count(),
        "card": describe_card(compute.card) if compute.card else None,
        "tier": {"got": config.tier, "why": context.tier_reason},
        "device": compute.device,
        "means": {name: vars(setting) for name, setting in compute.settings().items()},
        "command": command(),
    }


def describe_card(card: Card) -> dict[str, Any]:
    """Returns what is told of a card: all but its UUID, which says nothing of what was computed."""
    return {name: value for name, value in vars(card).items() if name != "uuid"}


def versions() -> dict[str, str | None]:
    """Returns the versions of Python and of the libraries that decide what is computed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


@cache
def constraints() -> str:
    """Returns the exact versions of every package that this one needs, as pip reads them with `-c`."""
    found, pending = {}, ["tinyreason"]
    while pending:
        name = canonicalize_name(pending.pop())
        version = _version(name)
        if name in found or version is None:
            continue
        found[name] = Version(version).public  # a build such as +cpu is on no index
        wanted = map(Requirement, metadata.requires(name) or ())
        pending += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    found.pop("tinyreason", None)
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def code_sha256() -> str:
    """Returns the SHA-256 of this package's own source."""
    digest, package = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def command() -> str:
    """Returns the command line that started this process."""
    program, *arguments = sys.argv
    return shlex.join(["tinyreason" if "tinyreason" in Path(program).parts[-2:] else program, *arguments])


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
