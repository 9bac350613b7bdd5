"""Asks once whether the Hugging Face hub answers: its client would ask for half a minute."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

TIMEOUT_S = 5.0


@contextmanager
def asked_once() -> Iterator[bool]:
    """Yields whether the hub answers; where it does not, what is inside looks into the cache alone."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        yield False
        return
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)
    except Exception:  # of whatever HTTP library the hub's client uses
        with _offline(constants):
            yield False
    else:
        yield True


@contextmanager
def _offline(constants) -> Iterator[None]:
    """Has the hub's client and `datasets` stay off the network."""
    import datasets

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before
