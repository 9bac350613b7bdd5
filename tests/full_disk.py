"""A disk that is nearly full, played by the kernel's limit on the size of a file."""

import resource
from contextlib import contextmanager


@contextmanager
def room_for(size: int):
    """Files of this process can grow to `size` bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
