"""What a run needs of this machine before it begins, checked at once: packages, keys and files. Torch-free."""

import os
from collections.abc import Iterator
from importlib import util

from tinyreason.config.describe import sections
from tinyreason.config.run_config import RunConfig
from tinyreason.config.trackers import check_trackers
from tinyreason.data.files import existing
from tinyreason.errors import ConfigError, ModelError
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
    for section in sections_with_files(config):
        existing(section.file)


def sections_with_files(config: RunConfig) -> Iterator[Schema]:
    """Yields the sources of data that are files: of training, warm-up and evaluation."""
    for _, section in sections(config):
        if getattr(section, "file", None):
            yield section
