"""Where the hub cannot be reached, a command says so at once."""

import os
import subprocess
import sys

import datasets
import pytest
from huggingface_hub import constants

from tinyreason.data.hub import asked_once

NOBODY = "http://127.0.0.1:9"


def test_audit_says_at_once_that_the_hub_cannot_be_reached(jsonl, tmp_path):
    file = jsonl({"question": "1+1?", "answer": "2"})
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    env |= {"HF_ENDPOINT": NOBODY, "HF_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "tinyreason", "audit", str(file), "--against", "gsm8k"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=25)  # it was 31 s
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "the hub cannot be reached, and its cache does not hold the set" in done.stderr


@pytest.mark.parametrize(("endpoint", "is_offline"), [(NOBODY, False), (NOBODY, True)])
def test_the_libraries_are_offline_inside_alone(monkeypatch, endpoint, is_offline):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", is_offline)
    with asked_once() as answers:
        assert not answers and constants.HF_HUB_OFFLINE and datasets.config.HF_HUB_OFFLINE
    assert (is_offline, is_offline) == (constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE)
