"""What is other where a run is resumed than where it was begun: what is kept, what refused, what written down."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError, ResumeError
from tinyreason.models.kernels import ComputeSettings
from tinyreason.models.load import compute_settings_for
from tinyreason.runs.context import RunContext
from tinyreason.runs.environment import code_sha256, versions
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.own_code import CODE, changed_files

ENVIRONMENT = "environment.json"
LIBRARIES_OF_NUMBERS = ("torch", "transformers", "trl", "peft", "accelerate", "math-verify")
"""Libraries that every run computes or grades with; others change no number, or only where they are used."""
KEPT = {"dtype": "model", "attention": "kernels", "fused": "kernels", "optimizer": "kernels"}
"""Compute setting that a resumed run keeps where it can → the section of the config that it is an option of."""


def as_begun(folder: RunFolder, config: RunConfig, context: RunContext) -> RunContext:
    """Returns the context in which a resumed run computes as it was begun, and writes down what is other.

    Errors: `ResumeError` where numbers would change, unless the person accepts that.
    """
    if not folder.is_resumed:
        return context
    begun = read_environment(folder.path)
    compute, lost = kept_settings(begun, config, context.compute)
    if any(change.startswith("optimizer ") for change in lost):
        raise ResumeError(
            f"the run in {folder.path} has an optimizer that this machine cannot have: {', '.join(lost)}; resume where "
            f"it was begun, or start over with --fresh."
        )
    known = begun.get("changes", [])
    others = changed_code(folder.path, begun, config, compute)
    numbers = [change for change in (*lost, *others) if change not in known]
    if numbers and not context.accept_changes:
        what = f"the run in {folder.path} was begun by other code"
        if lost:
            what = f"the run in {folder.path} computed in another way than this machine would"
        raise ResumeError(
            f"{what}: {', '.join(numbers)}; install what was there (constraints.txt has it), resume all the same with "
            f"--accept-changes (not bit-exact then), or start over with --fresh."
        )
    changes = known + numbers + [change for change in changed_card(begun, compute) if change not in known]
    for setting, value in compute.settings().items():
        if value.got != context.compute.settings()[setting].got:
            context.console.say(f"resumed {setting} {value.got}, as the run was begun")
    if changes:
        context.console.say(f"caveat  this run is not bit-exact: {', '.join(changes)}")
        folder.write_json(ENVIRONMENT, begun | {"bit_exact": False, "changes": changes})
    return replace(context, compute=compute)


def read_environment(run: Path) -> dict[str, Any]:
    """Returns what a run was begun with. Errors: `ResumeError`."""
    try:
        begun = json.loads((run / ENVIRONMENT).read_text(encoding="utf-8"))
        texts = [begun["code_sha256"], *(begun["means"][name]["got"] for name in KEPT), *changes_of(run)]
        if isinstance(begun["versions"], dict) and all(isinstance(text, str) for text in texts):
            return begun
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ResumeError(f"{run}/{ENVIRONMENT} cannot be read; start over with --fresh.")


def changes_of(run: Path) -> list[str]:
    """Returns what was other when the run was resumed; empty where it was not, or cannot be read."""
    try:
        return json.loads((run / ENVIRONMENT).read_text(encoding="utf-8")).get("changes", [])
    except (OSError, ValueError, AttributeError):
        return []


def kept_settings(begun: dict[str, Any], config: RunConfig, here: ComputeSettings) -> tuple[ComputeSettings, list[str]]:
    """Returns the settings that the run was begun with, as far as this machine has them, and those it has not."""
    sections, compute, lost = {"model": config.model, "kernels": config.kernels}, here, []
    for name, section in KEPT.items():
        got = begun["means"][name]["got"]
        if compute.settings()[name].got == got:
            continue
        kept = sections | {section: sections[section].model_copy(update={name: got})}
        try:
            compute, sections = compute_settings_for(kept["model"], kept["kernels"], here.card), kept
        except ConfigError:
            lost += differences(got, compute.settings()[name].got, name)
    return compute, lost


def changed_code(run: Path, begun: dict[str, Any], config: RunConfig, compute: ComputeSettings) -> Iterator[str]:
    """Yields what of the code is other and may change numbers: libraries that the run uses, this package, own code."""
    used = [*LIBRARIES_OF_NUMBERS]
    used += ["bitsandbytes"] * (config.model.quantize != "none" or compute.optimizer.got.endswith("8bit"))
    used += ["flash-attn"] * (compute.attention.got == "flash_attention_2")
    used += ["liger-kernel"] * (compute.fused.got == "liger")
    here = versions()
    for name in used:
        yield from differences(begun["versions"].get(name), here[name], name)
    code = code_sha256()
    if begun["code_sha256"] != code:
        yield f"tinyreason's code ({begun['code_sha256'][:8]}… there, {code[:8]}… here)"
    for leaf in changed_files(run, config):
        yield f"the file of {leaf.kind} ({leaf.code_sha256[:8]}… here; {CODE}/ has the one it was begun with)"


def changed_card(begun: dict[str, Any], compute: ComputeSettings) -> Iterator[str]:
    """Yields that the card is of another kind; cards round differently, which is said and not refused."""
    there, here = begun.get("card") or {}, compute.card
    yield from differences(there.get("name"), here and here.name, "card")


def differences(there: Any, here: Any, path: str = "") -> Iterator[str]:
    """Yields `path is X there and Y here` for every value in which two configs differ."""
    sides = (there, here)
    if all(isinstance(side, dict) for side in sides):
        for key in {**there, **here}:
            yield from differences(there.get(key), here.get(key), f"{path}.{key}" if path else key)
    elif all(isinstance(side, list) for side in sides) and len(there) == len(here):
        for number, pair in enumerate(zip(*sides, strict=True)):
            yield from differences(*pair, f"{path}.{number}")
    elif there != here:
        yield "{} is {} there and {} here".format(path, *(json.dumps(side, ensure_ascii=False) for side in sides))
