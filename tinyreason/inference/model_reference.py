"""A model reference: the run, adapter or model that a word on the command line names; nothing is loaded yet."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tinyreason.adapters import adapts_embedding
from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.config.model import Model, is_gguf_name
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError, FolderError, ModelError
from tinyreason.inference.local_sampling import base_of, is_adapter, load_with_adapter, saved_beside
from tinyreason.models.load import check_model_folder, is_built_in, is_on_this_machine, name_of_base
from tinyreason.models.token_fit import read_chat_template
from tinyreason.runs.result import read_seeds_result

REMEMBERED = "tinyreason.json"
"""File beside an exported model that holds the config of its run."""


@dataclass(frozen=True)
class ModelReference:
    """A model with or without an adapter, and the config of the run that trained it."""

    name: str
    """What it is called on the screen."""
    model: Model
    adapter: Path | None = None
    run: RunConfig | None = None
    is_merged: bool = False
    """Whether what that run trained is in the model's own weights."""

    @property
    def is_local(self) -> bool:
        """Whether it is loaded without a network."""
        return is_on_this_machine(self.model.name)

    def base(self) -> "ModelReference":
        """Returns the model that its adapter sits on."""
        return ModelReference(self.model.name, self.model, run=self.run)

    def asked_with(self, chat_template: str | None) -> "ModelReference":
        """Returns it with the chat template of a file; None = its own. Errors: `ModelError`."""
        if chat_template is None:
            return self
        read_chat_template(chat_template)
        return replace(self, model=self.model.model_copy(update={"chat_template": chat_template}))

    def thought_budget(self, asked: int | None = None) -> ThoughtBudget | None:
        """Returns when its thoughts continue: below so many tokens, 0 = never, None = as its run had it.

        Errors: `ConfigError` of an adapter that does nothing unless its token is put in, where nothing says when.
        """
        known = self.run.thought_budget if self.run else None
        if asked is None and known is None and self.adapter and adapts_embedding(self.adapter):
            raise ConfigError(
                f"the adapter {self.adapter} is a token that budget forcing puts in; say with --thinking-budget below "
                f"how many tokens, or give the folder of its run."
            )
        if asked is None:
            return known
        return replace(known or ThoughtBudget(asked), budget=asked) if asked else None

    def load(self, needs_template: bool = True):
        """Returns (model, tokenizer). Errors: `ModelError`."""
        return load_with_adapter(self.model, self.adapter, needs_template)

    def identity(self) -> dict[str, Any]:
        """Returns what decides its completions; an evaluation is resumed only with the same."""
        model = self.model.model_dump(mode="json", exclude_none=True)
        files = sorted(self.adapter.glob("adapter_model.*")) if self.adapter else []
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return {"name": self.name, "model": model, "adapter": digests}


def read_model_reference(
    word: str, trust_remote_code: bool | None = None, is_finished: bool = True, base: str | None = None
) -> ModelReference:
    """Returns what `word` names: a run folder, an adapter folder, a model folder or GGUF file, `sandbox` or a hub id.

    `trust_remote_code`: None = as the run had it. `is_finished`: a run must have ended. `base`: where the base of the
    run or adapter is by now. Errors: `FolderError`, `ModelError`.
    """
    path, trust = Path(word), {} if trust_remote_code is None else {"trust_remote_code": trust_remote_code}
    if (path / "config.yaml").is_file() and not is_built_in(word):
        return _on_base(_of_run(path, trust, is_finished), base)
    if seeds := read_seeds_result(path):
        folders = ", ".join(str(path / row.folder) for row in seeds.runs)
        raise FolderError(f"{word} holds the runs of several seeds; give one of them: {folders}.")
    if is_adapter(path) and not is_built_in(word):
        known = Model(name=base, **trust) if base else base_of(path, trust)
        return _on_base(ModelReference(path.name, known, path, read_remembered(path)), base)
    if base:
        raise ConfigError(f"--base is of an adapter or a run, and {word} is neither; leave it out.")
    name = name_of_base(str(path.resolve())) if path.is_dir() else word
    if is_built_in(name):
        return ModelReference(name, Model(name=name, **trust))
    check_is_model(word)
    run = read_remembered(path if path.is_dir() else path.parent)
    return ModelReference(word.rstrip("/").rpartition("/")[2], Model(name=word, **trust), None, run, run is not None)


def _on_base(reference: ModelReference, base: str | None) -> ModelReference:
    """Returns a reference whose base lies where `base` says, or where it is known to lie; refuses one that is gone."""
    change = saved_beside(reference.adapter)
    if base:
        check_is_model(base)
        change |= {"name": name_of_base(str(Path(base).resolve())) if Path(base).is_dir() else base, "gguf_file": None}
    model = reference.model.model_copy(update=change)
    if not is_on_this_machine(model.name) and looks_local(model.name):
        raise ModelError(
            f"the base of {reference.name} was {model.name}, which is not there; name where it is now with --base."
        )
    return replace(reference, model=model)


def looks_local(name: str) -> bool:
    """Returns whether a model's name is a path, as no hub id is one."""
    return name.count("/") != 1 or name.startswith((".", "/", "runs/", "evals/")) or is_gguf_name(name)


def check_is_model(word: str) -> None:
    """Refuses what is neither known nor the folder of a model, and does not look like a hub id."""
    path = Path(word)
    if is_built_in(word):
        return
    if path.is_dir():
        if not any(path.iterdir()):
            raise FolderError(f"{word} is an empty folder; give the folder of a run, of an adapter or of a model.")
        check_model_folder(path, word)
    elif path.exists():
        if not is_gguf_name(word):
            raise FolderError(f"{word} is a file; give the folder of a run, of an adapter or of a model, or a hub id.")
    elif not is_on_this_machine(word) and looks_local(word):
        raise ModelError(f"there is no folder {word}; give a run, an adapter, a model folder, 'sandbox' or a hub id.")


def read_run_config(folder: Path) -> RunConfig:
    """Returns the resolved config of a run. Errors: `FolderError`."""
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        return RunConfig.model_validate(values, context={"is_past": True})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, TypeError):
        raise FolderError(f"{folder}/config.yaml is not one that a run writes; the run is broken.") from None


def read_remembered(folder: Path) -> RunConfig | None:
    """Returns the config of the run that an exported folder comes from; None where it remembers none.

    Errors: `FolderError` where the file is broken.
    """
    file = folder / REMEMBERED
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))["config"]
        return RunConfig.model_validate(values, context={"is_past": True})
    except (OSError, ValueError, KeyError, TypeError):
        raise FolderError(f"{file} is not one that tinyreason export writes; export the run again.") from None


def check_finished(folder: Path) -> None:
    """Refuses a run without a result. Errors: `FolderError`."""
    if not (folder / "result.json").is_file():
        raise FolderError(
            f"the run {folder} has no result.json: it is still going, or it was stopped; wait for its end, or give "
            f"its adapter so far, {folder / 'adapter'}."
        )


def _of_run(folder: Path, trust: dict[str, bool], is_finished: bool) -> ModelReference:
    has_adapter = is_adapter(folder / "adapter")
    if not is_finished and not has_adapter:
        raise FolderError(f"{folder} has no adapter yet; wait for its first one, or talk to its base by name.")
    config = read_run_config(folder)
    if is_finished:
        check_finished(folder)
    if not has_adapter:
        raise FolderError(f"the run {folder} has no adapter in it: it is broken.")
    name = os.path.basename(os.path.abspath(folder))
    return ModelReference(name, config.model.model_copy(update=trust), folder / "adapter", config)
