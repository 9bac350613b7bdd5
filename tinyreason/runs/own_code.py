"""The code of the person's own that a run was begun with: copied into its folder, where resuming finds it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tinyreason.config.own_code import check_allowed, own_leaves
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ResumeError
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.own_code.reference import read_sha256
from tinyreason.runs.folder import RunFolder

CODE = "code"


def copies(run: Path) -> set[str]:
    """Returns the SHA-256 of every file of code that a run has used."""
    return {found for file in (run / CODE).glob("*.py") if (found := read_sha256(file))}


def keep_code(folder: RunFolder, config: RunConfig) -> None:
    """Copies into the run's folder what files of code it uses; an earlier one of the same name stays beside.

    Errors: `DiskError`; `ResumeError` where a file has changed since the run's config was made.
    """
    for leaf in own_leaves(config):
        if leaf.code is None or leaf.code_sha256 in copies(folder.path):
            continue
        if read_sha256(leaf.code) != leaf.code_sha256:
            raise ResumeError(f"{leaf.code} has changed since the run began; begin it again.")
        with folder.writing(f"{CODE}/"):
            place = folder.path / CODE / leaf.code.name
            place.parent.mkdir(exist_ok=True)
            if place.exists():
                place = place.with_name(f"{place.stem}-{leaf.code_sha256[:8]}.py")
            beside = place.with_suffix(".part")
            beside.write_bytes(leaf.code.read_bytes())
            beside.replace(place)


def settle_code(runs: Iterable[Path], configs: Iterable[RunConfig], allow: bool) -> None:
    """Lets the code run that these runs were begun with, as who began them has allowed it; `allow` is to let all run.

    Errors: `ConfigError` for code that nobody has allowed.
    """
    known = {sha256 for run in runs for sha256 in copies(run)}
    for config in configs:
        for leaf in own_leaves(config):
            if leaf.code_sha256 in known:
                leaf.allow()
        check_allowed(config, allow)


def changed_files(run: Path, config: RunConfig) -> Iterator[OwnLeaf]:
    """Yields what of a run's own code is in another file now than those that the run has used; not what is gone."""
    known = copies(run)
    yield from (leaf for leaf in own_leaves(config) if known and leaf.code_sha256 and leaf.code_sha256 not in known)
