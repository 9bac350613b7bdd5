"""What is evaluated: a run, an adapter or a model, by what the person typed; read before anything is loaded."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tinyreason.config.run_config import Model as ModelConfig
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import FolderError, ModelError
from tinyreason.inference.local_sampling import base_of, is_adapter, load_with_adapter
from tinyreason.models.load import SANDBOX, check_model_folder


@dataclass(frozen=True)
class ModelReference:
    """A model with or without an adapter, and how its run evaluated it."""

    name: str
    """what it is called on the screen"""
    model: ModelConfig
    adapter: Path | None = None
    run: RunConfig | None = None

    @property
    def is_sandbox(self) -> bool:
        return self.model.name == "sandbox"

    def base(self) -> "ModelReference":
        """The model its adapter sits on."""
        return ModelReference(self.model.name, self.model, run=self.run)

    def load(self):
        """(model, tokenizer)"""
        return load_with_adapter(self.model, self.adapter)

    def identity(self) -> dict[str, Any]:
        """What decides its replies; an evaluation goes on only with the same."""
        model = self.model.model_dump(mode="json")
        files = sorted(self.adapter.glob("adapter_model.*")) if self.adapter else []
        return {"name": self.name, "model": model, "adapter": [_digest(file) for file in files]}


def read_model_reference(word: str) -> ModelReference:
    """The run folder, adapter folder, model folder, `sandbox` or hub id that `word` names."""
    path = Path(word)
    if word != "sandbox" and path.is_dir():
        if (path / "config.yaml").is_file():
            return _of_run(path)
        if is_adapter(path):
            return ModelReference(path.name, ModelConfig(name=base_of(path)), path)
        if path.resolve() == SANDBOX.resolve():
            return ModelReference("sandbox", ModelConfig(name="sandbox"))
    check_is_model(word)
    return ModelReference(word.rstrip("/").rpartition("/")[2], ModelConfig(name=word))


def check_is_model(word: str) -> None:
    """Refuses what is neither `sandbox` nor the folder of a model, and does not look like a hub id."""
    path = Path(word)
    if word == "sandbox":
        return
    if path.is_dir():
        if not any(path.iterdir()):
            raise FolderError(f"{word} is an empty folder; give the folder of a run, of an adapter or of a model.")
        check_model_folder(path, word)
    elif path.exists():
        raise FolderError(f"{word} is a file; give the folder of a run, of an adapter or of a model, or a hub id.")
    elif word.count("/") != 1 or word.startswith((".", "/", "runs/", "evals/")):
        raise ModelError(f"there is no folder {word}; give a run, an adapter, a model folder, 'sandbox' or a hub id.")


def read_run_config(folder: Path) -> RunConfig:
    """The resolved config of a run."""
    try:
        return RunConfig.model_validate(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, TypeError):
        raise FolderError(f"{folder}/config.yaml is not one that a run writes; the run is broken.") from None


def check_finished(folder: Path) -> None:
    """A run has ended if its result is there."""
    if not (folder / "result.json").is_file():
        raise FolderError(
            f"the run {folder} has no result.json: it is still going, or it was stopped; wait for its end, or give "
            f"its adapter so far, {folder / 'adapter'}."
        )


def _of_run(folder: Path) -> ModelReference:
    config = read_run_config(folder)
    check_finished(folder)
    if not is_adapter(folder / "adapter"):
        raise FolderError(f"the run {folder} has no adapter in it: it is broken.")
    return ModelReference(os.path.basename(os.path.abspath(folder)), config.model, folder / "adapter", config)


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()
