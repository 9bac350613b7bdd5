"""Asks each problem by several paths of modules, so that the one that suits it best can be learnt.

Why: DOTS (arXiv 2410.03864): some problems want to be said anew first, some to be checked after, most neither; which,
a model can learn from how its own paths fared.
Formula: the paths are {rewrite, –} → {cot} → {–, verify}, each `samples` times a problem; a module is a call. A row's
`variant` is its path, as `rewrite->cot`; the transform `dots` chooses among them. Not checked against the paper: the
words. Not here: the module that writes a program, since nothing runs what a model writes.
How it fails: of few samples the best path is luck.
Example: `data: {kind: sampled, file: P.jsonl, keep: all, asks: [{kind: dots}], transforms: [{kind: dots}]}`
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from tinyreason.data.asks._ask import Answerer, Ask, Try, put
from tinyreason.example import Example

PATHS = ("cot", "rewrite->cot", "cot->verify", "rewrite->cot->verify")
REWRITE = "{problem}\n\nSay this problem in other, clearer words. Do not solve it."
VERIFY = "Check this solution step by step. Then give the final answer again, mended if need be."


class Dots(Ask):
    """Asks each problem by several paths: said anew first or not, checked after or not."""

    of_all: ClassVar[bool] = True

    kind: Literal["dots"] = "dots"
    samples: int = Field(2, ge=1)
    """How often each path is taken."""

    def tries(
        self, problems: Sequence[Example], before: Sequence[Sequence[Try]], answerer: Answerer
    ) -> list[list[Try]]:
        ways = [(one, path, n) for one in problems for path in PATHS for n in range(self.samples)]
        anew = [way for way in ways if way[1].startswith("rewrite")]
        said = answerer.sample(
            [
                put(one, REWRITE.format(problem=one.problem), named=f"rewrite/{path}/{n}", is_solved=False)
                for one, path, n in anew
            ]
        )
        words = {(one.id, path, n): text.text.strip() for (one, path, n), text in zip(anew, said, strict=True)}
        asked = [
            put(one, words.get((one.id, *rest)) or one.problem, named="/".join(map(str, rest))) for one, *rest in ways
        ]
        solved = answerer.sample(asked)
        checked = [at for at, way in enumerate(ways) if way[1].endswith("verify")]
        verified = answerer.sample([put(asked[at], solved[at].text, VERIFY, named="verify") for at in checked])
        for at, found in zip(checked, verified, strict=True):
            solved[at] = found
        found = [replace(one, variant=path) for one, (_, path, _) in zip(solved, ways, strict=True)]
        count = len(PATHS) * self.samples
        return [found[at : at + count] for at in range(0, len(found), count)]

    def counts(self, before: int) -> tuple[int, int]:
        modules = sum(len(path.split("->")) for path in PATHS)
        return self.samples * modules, self.samples * len(PATHS)
