"""Whose code a config may run: what the person typed or allowed, and never what only a recipe's file names."""

from collections.abc import Iterator, Sequence

from tinyreason.config.describe import sections
from tinyreason.config.overrides import values_in
from tinyreason.config.run_config import RunConfig
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.own_code.reference import files_in


def own_leaves(config: RunConfig) -> Iterator[OwnLeaf]:
    """Yields every section of a config whose code is the person's own or an installed package's."""
    has_teacher = config.critiques is not None and "kind" in (config.critiques.get("teacher") or {})
    found = [*sections(config), *(sections(config.critique_build_config()) if has_teacher else ())]
    yield from {id(section): section for _, section in found if isinstance(section, OwnLeaf)}.values()


def allow_typed(config: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """Lets the files run that these overrides name, and returns the config: who types a file's name trusts it."""
    typed = files_in([*map(values_in, overrides)])
    for leaf in own_leaves(config) if typed else ():
        if leaf.code and leaf.code.resolve() in typed:
            leaf.allow()
    return config


def allow_code(config: RunConfig) -> RunConfig:
    """Lets all files run that a config names, as they are now, and returns the config."""
    for leaf in own_leaves(config):
        leaf.allow()
    return config


def check_allowed(config: RunConfig, allow: bool = False) -> None:
    """Refuses code that nobody has allowed; `allow` is to allow it now. Errors: `ConfigError`."""
    for leaf in own_leaves(allow_code(config) if allow else config):
        leaf.reference.check_allowed()
