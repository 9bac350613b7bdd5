"""`trl.report_to`: a tracker that is not installed or has no key is named with what to do, before any work is done."""

import importlib.util

import pytest

from tinyreason.config import trackers
from tinyreason.config.trackers import TRACKERS, check_trackers
from tinyreason.errors import ConfigError


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Makes modules look installed, in a home without a login."""
    for variable in ("WANDB_API_KEY", "WANDB_MODE", "NETRC", "COMET_API_KEY", "NEPTUNE_API_TOKEN", "NEPTUNE_MODE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return lambda *names: monkeypatch.setattr(trackers.util, "find_spec", lambda name: name in names or None)


@pytest.mark.parametrize("asked", [None, [], "none", ["none"], "all"])
def test_no_tracker_needs_no_package(asked):
    check_trackers(asked)


@pytest.mark.parametrize("name", ["wandb", "trackio", "mlflow"])
def test_a_tracker_that_is_not_installed_is_named_with_the_line_that_installs_it(name):
    if importlib.util.find_spec(name):
        pytest.skip(f"{name} is installed here")
    with pytest.raises(ConfigError, match=f"trl.report_to={name}.*type: pip install {name}"):
        check_trackers(["tensorboard", name])


def test_an_unknown_tracker_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match=r"trl.report_to=tensorbord .*did you mean 'tensorboard'.*wandb"):
        check_trackers("tensorbord")
    with pytest.raises(ConfigError, match=r"trl.report_to=3 is not a tracker"):
        check_trackers(3)


@pytest.mark.parametrize(
    ("name", "variable"), [("wandb", "WANDB_API_KEY"), ("comet_ml", "COMET_API_KEY"), ("neptune", "NEPTUNE_API_TOKEN")]
)
def test_a_tracker_without_a_key_is_refused_and_with_one_it_is_not(installed, monkeypatch, name, variable):
    installed(name)
    with pytest.raises(ConfigError, match=f"trl.report_to={name}: .*{variable} is not set"):
        check_trackers(name)
    with pytest.raises(ConfigError, match=variable):
        check_trackers("all")  # those that are installed
    monkeypatch.setenv(variable, "x")
    check_trackers(name)


def test_a_login_or_a_mode_without_a_network_stands_for_a_key(installed, monkeypatch, tmp_path):
    installed("wandb")
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password x\n")
    check_trackers("wandb")
    (tmp_path / ".netrc").write_text("machine example.org login user password x\n")
    with pytest.raises(ConfigError, match="nobody is logged in"):
        check_trackers("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_trackers("wandb")


def test_the_trackers_are_those_of_transformers():
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(TRACKERS) == set(INTEGRATION_TO_CALLBACK)
