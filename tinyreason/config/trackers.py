"""TensorBoard, Weights & Biases, trackio and whatever else `trl.report_to` names: checked before any work is done."""

import netrc
import os
from collections.abc import Callable
from importlib import util
from pathlib import Path

from tinyreason.errors import ConfigError, nearest

TRACKERS = {
    name: (name,) for name in "clearml codecarbon comet_ml dvclive mlflow neptune swanlab trackio wandb".split()
}
TRACKERS |= {
    "azure_ml": ("azureml",),
    "dagshub": ("dagshub", "mlflow"),
    "flyte": ("flytekit",),
    "kubeflow": (),
    "tensorboard": ("tensorboard",),
}
"""Word → the modules that it needs."""
PACKAGES = {"azureml": "azureml-core", "comet_ml": "comet-ml"}
"""Module → the package that brings it, where it is called otherwise."""


def check_trackers(asked: str | list[str] | None) -> None:
    """Refuses a tracker that is unknown, not installed, or has no key. Errors: `ConfigError`."""
    names = asked if isinstance(asked, list) else [str(asked)] if asked else []
    if names == ["none"]:
        return
    if names == ["all"]:
        names = [name for name in TRACKERS if not missing(name)]
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(
                f"trl.report_to={name} is not a tracker that transformers knows{nearest(name, TRACKERS)}."
            )
        if lacking := missing(name):
            package = PACKAGES.get(lacking, lacking)
            raise ConfigError(f"trl.report_to={name}: {package} is not installed; type: pip install {package}.")
        variable, has_key = KEYS.get(name, (None, None))
        if variable and not (os.environ.get(variable) or has_key()):
            raise ConfigError(
                f"trl.report_to={name}: the environment variable {variable} is not set and nobody is logged in; set "
                f"it, or leave trl.report_to out to use none."
            )


def missing(name: str) -> str | None:
    """Returns the first module that a tracker needs and that is not installed, or None."""
    others = {"tensorboard": "tensorboardX"}
    needed = (module for module in TRACKERS[name] if not util.find_spec(module))
    return next((module for module in needed if not util.find_spec(others.get(module, module))), None)


def has_wandb_key() -> bool:
    """Returns whether `wandb login` was done here, or its mode asks for no key."""
    if os.environ.get("WANDB_MODE", "online") != "online":
        return True
    for file in (Path(os.environ.get("NETRC", "~/.netrc")), Path("~/_netrc")):
        try:
            if any("wandb" in host for host in netrc.netrc(file.expanduser()).hosts):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


def has_comet_key() -> bool:
    """Returns whether comet is configured here, or works offline."""
    is_offline = "offline" in (os.environ.get("COMET_MODE", "").lower(), os.environ.get("COMET_START_MODE", "").lower())
    return is_offline or Path("~/.comet.config").expanduser().is_file()


def has_neptune_key() -> bool:
    """Returns whether neptune's mode asks for no key."""
    return os.environ.get("NEPTUNE_MODE", "async") in ("offline", "debug")


KEYS: dict[str, tuple[str, Callable[[], bool]]] = {
    "wandb": ("WANDB_API_KEY", has_wandb_key),
    "comet_ml": ("COMET_API_KEY", has_comet_key),
    "neptune": ("NEPTUNE_API_TOKEN", has_neptune_key),
}
"""Word → the variable that holds its key, and what else may stand for one."""
