"""Sends a run's adapter, or an export, to the hub: private unless asked for otherwise, and nothing of this machine."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tinyreason.errors import ConfigError, FolderError, ModelError
from tinyreason.exporting.card import adapter_card
from tinyreason.exporting.private import is_path
from tinyreason.exporting.remember import remember
from tinyreason.inference.model_reference import REMEMBERED, read_model_reference
from tinyreason.models.load import is_built_in, name_of_base
from tinyreason.sandbox import BASE

TOKEN = "HF_TOKEN"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
TEXTS = (".json", ".md", ".jinja", ".txt", ".sh", "")
"""Endings of files that are looked through before they are sent."""
SECRET = re.compile(r"\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----")


@contextmanager
def staged(word: str) -> Iterator[Path]:
    """Makes a folder with what is sent of a run, of its adapter or of an export; it is removed afterwards.

    Errors: `FolderError`, `ModelError` for what is neither, and for a file that holds a secret or a path of here.
    """
    with TemporaryDirectory() as place:
        folder = Path(place) / "sent"
        source = Path(word)
        if (source / REMEMBERED).is_file():
            shutil.copytree(source, folder)
        else:
            stage_adapter(word, folder)
        for path in sorted(folder.rglob("adapter_config.json")):
            name_base(path)
        check_texts(folder)
        yield folder


def stage_adapter(word: str, folder: Path) -> None:
    """Copies a run's adapter with its card and what it remembers."""
    reference = read_model_reference(word)
    if reference.adapter is None:
        raise ModelError(f"{word} is not a run, an adapter or an export of one; give one of these.")
    shutil.copytree(reference.adapter, folder)
    run = reference.adapter.parent
    config = reference.run or (read_model_reference(str(run)).run if (run / "result.json").is_file() else None)
    if config:
        remember(config, folder)
        if (run / "result.json").is_file():
            (folder / "README.md").write_text(adapter_card(config, run), encoding="utf-8")


def name_base(file: Path) -> None:
    """Has an adapter_config.json name its base without the folder of this machine that it lies in."""
    values = json.loads(file.read_text(encoding="utf-8"))
    base = str(values.get("base_model_name_or_path", ""))
    if is_built_in(name_of_base(base)):
        base = "/".join(BASE.parts[-2:])
    values["base_model_name_or_path"] = Path(base).name if is_path(base) else base
    file.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_texts(folder: Path) -> None:
    """Refuses to send a text that holds a secret, or a path of this machine. Errors: `FolderError`."""
    here = [str(path) for path in (Path.home(), Path.cwd()) if len(path.parts) > 1]
    token = os.environ.get(TOKEN)
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix not in TEXTS:
            continue
        text, name = file.read_text(encoding="utf-8", errors="replace"), file.relative_to(folder)
        if SECRET.search(text) or (token and token in text):
            raise FolderError(f"{name} holds what looks like a secret, so nothing is sent; take it out of the file.")
        if found := next((place for place in here if f"{place}/" in text), None):
            raise FolderError(f"{name} holds a path of this machine, {found}/…, so nothing is sent; take it out.")


def files_of_stage(folder: Path) -> list[tuple[str, int]]:
    """Returns (name, bytes) of each file that is sent."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [(file.relative_to(folder).as_posix(), file.stat().st_size) for file in files]


def check_hub_id(hub_id: str) -> None:
    """Refuses what is not a name on the hub. Errors: `ConfigError`."""
    if not HUB_ID.fullmatch(hub_id):
        raise ConfigError(f"{hub_id} is not a name on the hub; give it as NAME/REPOSITORY, as in ann/my-adapter.")


def push(folder: Path, hub_id: str, is_public: bool, api=None) -> str:
    """Sends a staged folder to the hub; returns its address. `api`: huggingface_hub's `HfApi`, or one like it.

    Errors: `ConfigError` without a token, for a repository that anyone can read where that was not asked for, and
    where the hub refuses or cannot be reached.
    """
    token = os.environ.get(TOKEN)
    if not token:
        raise ConfigError(
            f"there is no {TOKEN} in the environment, so nothing can be sent; make one that may write on the hub's "
            f"settings page, and set it. --dry-run lists what would be sent."
        )
    if api is None:
        from huggingface_hub import HfApi

        api = HfApi(token=token)
    try:
        api.create_repo(hub_id, private=not is_public, exist_ok=True, repo_type="model")
        if not is_public and not api.repo_info(hub_id, repo_type="model").private:
            raise ConfigError(f"{hub_id} is there already, and anyone can read it; give another name, or --public.")
        api.upload_folder(repo_id=hub_id, folder_path=str(folder), repo_type="model", commit_message="Add the adapter")
    except ConfigError:
        raise
    except Exception as error:  # of whatever HTTP library the hub's client uses
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".").replace(token, "…")
        raise ConfigError(
            f"the hub took nothing as {hub_id}: {first}; is the token one that may write there?"
        ) from None
    return f"https://huggingface.co/{hub_id}"
