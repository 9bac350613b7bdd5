"""Samplers that choose a class of problems first (an arm), and then a problem of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

from tinyreason.algorithms.samplers._sampler import Sampler
from tinyreason.errors import nearest
from tinyreason.example import Example
from tinyreason.store import Store


class ArmSampler(Sampler):
    """Chooses problems by their class, each class as often as its weight says."""

    by: str = "domain"
    """The field of a problem's `meta` that is its class: its domain, family or level."""

    def weights(self, arms: list[str], store: Store) -> list[float]:
        """Returns the probability of each class."""
        raise NotImplementedError

    def arm(self, example: Example) -> str:
        """Returns the class of a problem."""
        return str(example.meta[self.by])

    def check_examples(self, examples: Sequence[Example], path: str) -> None:
        fields = sorted({field for example in examples for field in example.meta})
        without = next((example for example in examples if self.by not in example.meta), None)
        if without is not None:
            known = (
                nearest(self.by, fields) if fields else "; a column of the file, as domain or level, names its class"
            )
            raise ValueError(f"{path}.by={self.by} is not known of problem {without.id}{known}")
        arms = {self.arm(example) for example in examples}
        if len(arms) < 2:
            raise ValueError(
                f"{path}.by={self.by}: all problems have {arms.pop()} there, so there is nothing to choose"
            )

    def choose(self, examples: Sequence[Example], count: int, rng: Random, store: Store) -> list[int]:
        numbers, by = defaultdict(list), self.by
        for number, example in enumerate(examples):
            numbers[example.meta[by]].append(number)
        of_arm = {str(value): found for value, found in numbers.items()}
        arms = sorted(of_arm)
        chosen = []
        for arm, wanted in Counter(rng.choices(arms, self.weights(arms, store), k=count)).items():
            whole, rest = divmod(wanted, len(of_arm[arm]))
            chosen += whole * of_arm[arm] + rng.sample(of_arm[arm], rest)
        return chosen

    def metrics(self, store: Store) -> dict[str, float]:
        arms = store.get(self.kind, "arms", [])
        weights = self.weights(arms, store) if arms else []
        return {f"weight_{arm}": weight for arm, weight in zip(arms, weights, strict=True)}

    def remember_arms(self, arms: set[str], store: Store) -> None:
        """Keeps the classes that were met, sorted."""
        store.put(self.kind, "arms", sorted({*store.get(self.kind, "arms", []), *arms}))


def softmax(values: Sequence[float], temperature: float) -> list[float]:
    """Returns the softmax of the values over a temperature."""
    import math

    highest = max(values)
    powers = [math.exp((value - highest) / temperature) for value in values]
    return [power / sum(powers) for power in powers]
