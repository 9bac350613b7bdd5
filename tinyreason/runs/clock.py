"""How long a run takes, over all the sessions it is spread over."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Counts seconds since the start, and in named parts; those of earlier sessions of the run are added."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.earlier: dict[str, float] = {}
        self.spans: list[list] = []

    def restore(self, seconds: dict[str, float]) -> None:
        """Adds what had been spent before this session began."""
        self.earlier = seconds

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts the time inside to the part of this name."""
        span = [name, time.monotonic(), None]
        self.spans.append(span)
        try:
            yield
        finally:
            span[2] = time.monotonic()

    def seconds(self) -> dict[str, float]:
        """Returns the seconds in all, `total`, and of each part, one that still runs included."""
        now, found = time.monotonic(), Counter(self.earlier)
        found["total"] += now - self.start
        for name, start, end in self.spans:
            found[name] += (end or now) - start
        return dict(found)
