"""Word problems of which some lack a premise: what does it cost, or can nobody tell?

Why: a model that always answers makes a number up where the problem does not determine one (TreeCut, arXiv 2502.13442).
Formula: prices of 5 to 15 dollars hang on a tree: a path of `depth` sentences leads to the price that is asked for, the
other items hang anywhere. Of `unanswerable` of them one sentence is left out, that of an ancestor of the answer other
than the first one's beginning: then the gold answer is `unknown`. The trace follows the path back, then works it out.
Reward hacking: with a share of one half, to say `unknown` always is correct half of the time.
Example: `data: {kind: generated, task: {kind: treecut, items: 6, depth: 4}, size: 2000}`.
"""

import random
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tinyreason.data.tasks._task import Puzzle, Task

FOODS = (
    "bagel burger cookie croissant donut muffin noodle pancake pie pizza pretzel salad sandwich scone soup taco".split()
)
CHEAPEST, DEAREST = 5, 15


class Item(NamedTuple):
    """Something with a price, and the item that its sentence compares it with, None for the root."""

    name: str
    price: int
    parent: int | None


class Treecut(Task):
    """Makes price problems, of which a share has no answer; the level is the depth."""

    form: ClassVar[str] = "as a number, or `unknown` where it cannot be determined,"
    kind: Literal["treecut"] = "treecut"
    items: Annotated[int, Field(ge=2, le=len(FOODS))] = 4
    """How many items have a price; the paper's sizes are 4, 6, 8 and 10."""
    depth: Annotated[int, Field(ge=2, le=len(FOODS))] = 2
    """How many sentences lead to the price that is asked for; the paper's are 2, 4, 6 and 8."""
    unanswerable: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the problems that lack a sentence, 0 to 1."""

    @model_validator(mode="after")
    def _check_depth(self) -> Self:
        if self.depth > self.items:
            raise ValueError(f"depth={self.depth} needs as many items, and items={self.items}")
        return self

    def make(self, rng: random.Random) -> Puzzle:
        """Makes a problem, with all its sentences or without one."""
        items = self.priced_items(rng)
        cut = self.premise(rng) if rng.random() < self.unanswerable else None
        told = [place for place in range(self.items) if place != cut]
        rng.shuffle(told)
        return self.puzzle(items, told, cut)

    def pair(self, rng: random.Random) -> tuple[Puzzle, Puzzle]:
        """Makes a problem with all its sentences, and the same one without a sentence that its answer rests on."""
        items, cut, told = self.priced_items(rng), self.premise(rng), list(range(self.items))
        rng.shuffle(told)
        return self.puzzle(items, told, None), self.puzzle(items, [place for place in told if place != cut], cut)

    def priced_items(self, rng: random.Random) -> list[Item]:
        """Returns the items of a problem; the price of number `depth - 1` is what is asked for."""
        names = rng.sample(FOODS, self.items)
        prices = [rng.randint(CHEAPEST, DEAREST) for _ in names]
        parents = [one - 1 if one < self.depth else rng.randrange(one) for one in range(self.items)]
        return [
            Item(name, price, parent if place else None)
            for place, (name, price, parent) in enumerate(zip(names, prices, parents, strict=True))
        ]

    def premise(self, rng: random.Random) -> int:
        """Returns an item without whose sentence nobody can tell the price that is asked for."""
        return self.depth - 1 - rng.randint(1, self.depth - 1)

    def puzzle(self, items: list[Item], told: list[int], cut: int | None) -> Puzzle:
        """Writes a problem in which the sentences of the items `told` stand in this order."""
        asked = self.depth - 1
        sentences = " ".join(told_price(items[place], items) for place in told)
        text = f"{sentences} How many dollars does {a(items[asked].name)} cost?"
        answer, grader = (str(items[asked].price), "math") if cut is None else ("unknown", "abstain")
        return Puzzle(text, answer, self.depth, text, (items, asked, cut), grader)

    def trace(self, puzzle: Puzzle, rng: random.Random) -> tuple[list[str], str]:
        """Follows the path back to a price, or to the item that nothing is said of, and then forth."""
        items, asked, cut = puzzle.facts
        path = [asked]
        while path[-1] != cut and items[path[-1]].parent is not None:
            path.append(items[path[-1]].parent)
        names = [items[one].name for one in path]
        lines = [f"For {a(name)} I need {a(before)}." for name, before in pairwise(names)]
        if cut is not None:
            return [*lines, f"Nothing says what {a(items[cut].name)} costs."], puzzle.answer
        lines.append(told_price(items[path[-1]], items))
        for one in path[-2::-1]:
            item, before = items[one], items[items[one].parent]
            sign = "+" if item.price >= before.price else "-"
            worked_out = f"{before.price} {sign} {abs(item.price - before.price)} = {item.price}"
            lines.append(f"{a(item.name).capitalize()} costs {worked_out} dollars.")
        return lines, puzzle.answer


def told_price(item: Item, items: list[Item]) -> str:
    """Returns what is said of an item: its price, or how it compares with its parent's."""
    if item.parent is None:
        return f"{a(item.name).capitalize()} costs {item.price} dollars."
    before = items[item.parent]
    difference = item.price - before.price
    if not difference:
        return f"{a(item.name).capitalize()} costs as much as {a(before.name)}."
    many = f"{abs(difference)} dollar{'s' if abs(difference) > 1 else ''}"
    return f"{a(item.name).capitalize()} costs {many} {'more' if difference > 0 else 'less'} than {a(before.name)}."


def a(name: str) -> str:
    """Returns a name with its article."""
    return f"a {name}"
