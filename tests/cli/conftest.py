import logging
import os

import pytest


@pytest.fixture(autouse=True)
def same_process_as_before():
    """The commands set variables for the libraries that they load; other tests follow in this process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    logging.captureWarnings(False)
