"""A Beta belief about each problem's chance of being solved, held in the store; an advantage and a sampler share it."""

from tinyreason.example import Example
from tinyreason.store import Store

OWNER = "spo_single_stream"
"""Kind of the advantage that keeps the beliefs, under whose name the store has them."""
START = 8.0
"""How many completions a belief from earlier samples counts for."""
PRIOR = 0.5
"""What each side counts where nothing is known."""


def belief(example: Example, store: Store) -> tuple[float, float]:
    """Returns (a, b) of the Beta distribution over a problem's chance; what `scores` in its meta say is a start."""
    scores = example.meta.get("scores") or []
    share = START / (len(scores) + 1) if scores else 1.0
    start = [share * (sum(scores) + PRIOR), share * (len(scores) - sum(scores) + PRIOR)]
    return tuple(store.get(OWNER, example.id, start))


def chance(example: Example, store: Store) -> float:
    """Returns the mean of the belief."""
    a, b = belief(example, store)
    return a / (a + b)


def learn(example: Example, correct: int, graded: int, memory: float, store: Store) -> None:
    """Forgets a part of the belief, and adds a visit's completions."""
    a, b = belief(example, store)
    store.put(OWNER, example.id, [memory * a + correct, memory * b + graded - correct])
