"""Mixes domains in given shares.

Why: Guru (arXiv 2506.14965): what reinforcement learning brings differs by domain, so how much of each is trained on
is a choice.
Formula: n rows, of each domain its share by largest remainder, the first in the order of the data.
How it fails: a domain whose problems are too hard or too easy takes its share of the steps and teaches nothing.
Example: `data: {transforms: [{kind: mix, n: 600, shares: {math: 2, logic: 1}}]}`
"""

from typing import Annotated, Literal

from pydantic import Field

from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.errors import DataError
from tinyreason.example import Example


class Mix(Transform):
    """Keeps n rows in given shares of the domains."""

    kind: Literal["mix"] = "mix"
    n: int = Field(ge=1)
    """How many rows are kept."""
    shares: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    """Domain → its share, in any measure: {math: 2, logic: 1} is two thirds of mathematics."""
    by: str = "domain"
    """What of a row's `meta` names its domain: `domain`, `source`, `level`, …."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        domains = [str(self.value(example, self.by)) for example in examples]
        wanted = shared_out(self.n, self.shares)
        for domain, count in wanted.items():
            if (has := domains.count(domain)) < count:
                raise DataError(
                    f"transform mix wants {count:,} rows of {self.by} '{domain}', and there are {has:,} of it among "
                    f"{', '.join(sorted(set(domains)))}; lower n or its share."
                )
        taken = {place for domain, count in wanted.items() for place in places_of(domain, domains)[:count]}
        return self.kept(examples, (place in taken for place in range(len(examples))), "more than its share", context)


def places_of(domain: str, domains: list[str]) -> list[int]:
    """Returns where a domain stands in a list of them."""
    return [place for place, name in enumerate(domains) if name == domain]


def shared_out(n: int, shares: dict[str, float]) -> dict[str, int]:
    """Returns n in whole parts, by largest remainder; of equal remainders the first gets more."""
    total = sum(shares.values()) or 1.0
    exact = {name: n * share / total for name, share in shares.items()}
    found = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: found[name] - exact[name])[: n - sum(found.values())]:
        found[name] += 1
    return found
