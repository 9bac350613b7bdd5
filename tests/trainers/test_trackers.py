"""`trl.report_to`: a tracker that is there is written to, one that is not is named with the line that installs it."""

import importlib.util

import pytest

from tinyreason.errors import ConfigError
from tinyreason.trainers.trackers import check_trackers


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
    with pytest.raises(ConfigError, match=r"trl.report_to=tensorbord: .*not supported, only .*tensorboard"):
        check_trackers("tensorbord")
