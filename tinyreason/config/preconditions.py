"""What a run needs of this machine before it begins, checked at once: packages, keys, files, folders. Torch-free."""

import os
from collections.abc import Iterator, Sequence
from importlib import util
from pathlib import Path

from tinyreason.adapters._fit import read_adapter_config
from tinyreason.config.describe import sections
from tinyreason.config.own_code import own_leaves
from tinyreason.config.run_config import RunConfig
from tinyreason.config.trackers import check_trackers
from tinyreason.data.files import existing
from tinyreason.data.rollouts import Rollouts
from tinyreason.data.tasks import Task
from tinyreason.errors import ConfigError, ModelError
from tinyreason.example import Example
from tinyreason.schema import Schema

NEEDED_BY_TRL = {"use_vllm": ("vllm", "vllm"), "use_liger_kernel": ("liger_kernel", "liger-kernel")}
"""Option under `trl:` → the module that it needs, and the package that brings it."""


def check_preconditions(config: RunConfig) -> None:
    """Refuses a run whose packages, keys or files are not there. Errors: `ConfigError`, `DataError`, `ModelError`."""
    for option, (module, package) in NEEDED_BY_TRL.items():
        if config.trl.get(option) and not util.find_spec(module):
            raise ConfigError(
                f"trl.{option}={str(config.trl[option]).lower()} needs {package}, which is not installed; type: "
                f"pip install {package}, or leave trl.{option} out."
            )
    template = config.model.chat_template
    if template and not os.path.isfile(os.path.expanduser(template)):
        raise ModelError(f"there is no file model.chat_template={template}; give the path of a .jinja file.")
    check_trackers(config.trl.get("report_to"))
    for _, section in sections(config):
        if isinstance(section, Task):
            section.check_installed()
        if isinstance(section, Rollouts):
            section.check_run()
    for section in sections_with_files(config):
        existing(section.file)
    for leaf in own_leaves(config):
        leaf.reference.check()
    folders = {"adapter.start": config.adapter.start, "warmup.adapter": config.warmup and config.warmup.adapter}
    for option, folder in folders.items():
        if folder:
            read_adapter_config(f"{option}={folder}", Path(folder))


def check_problems(config: RunConfig, examples: Sequence[Example]) -> None:
    """Refuses problems with which a reward, an advantage, a sampler, a plan of rollouts or the loss has nothing to do.

    Errors: `ConfigError`, `DataError`.
    """
    if config.train.needs_completions:
        config.train.check_rows(examples)
    leaves = [(sampler, f"samplers.{place}") for place, sampler in enumerate(config.samplers)]
    if config.rollouts:
        leaves.append((config.rollouts, "rollouts"))
    for leaf, path in leaves:
        try:
            leaf.check_examples(examples, path)
        except ValueError as error:
            raise ConfigError(f"{error}.") from None
    names = [leaf.kind for leaf in (*config.rewards, *config.advantages, *config.samplers) if leaf.needs_history]
    if not names:
        return
    problems, a_step = len(examples), config.train.generated_rows // config.train.group_size
    visits = config.train.max_steps * a_step
    if visits <= max(problems, a_step):
        fewer = f"type data.size={visits // 4} or " if visits >= max(4, 2 * a_step) else ""
        raise ConfigError(
            f"{names[0]} compares a problem with its visits in earlier steps, and {visits:,} visits to "
            f"{problems:,} problems never come back to one; {fewer}raise train.max_steps."
        )


def caveats_of_problems(config: RunConfig, examples: Sequence[Example]) -> Iterator[str]:
    """Yields what samplers will hardly learn of so many problems in so many steps."""
    for sampler in config.samplers:
        visits = config.train.max_steps * config.train.generated_rows / config.train.group_size / len(examples)
        if visits < sampler.least_visits:
            yield (
                f"sampler {sampler.kind} learns from {sampler.least_visits} visits to a problem or more, and "
                f"{config.train.max_steps} steps come to each of {len(examples):,} problems {visits:.1f} times; lower "
                f"data.size or raise train.max_steps"
            )


def sections_with_files(config: RunConfig) -> Iterator[Schema]:
    """Yields what is read from files: data of training, warm-up and evaluation, and the answers of a teacher."""
    built = [] if config.critiques is None else sections(config.critique_build_config())
    for _, section in (*sections(config), *built):
        if getattr(section, "file", None):
            yield section
