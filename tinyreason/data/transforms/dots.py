"""Keeps, of each problem, a correct completion of the path that succeeds most often, with the path in front.

Why: DOTS (arXiv 2410.03864): which modules a problem wants is learnt from how often each path of them solved it.
Formula: of the paths (`variant`, as `rewrite->cot->verify`) the one with the highest share of correct rows, of equal
ones that of the fewest modules, then the first; its first correct row, behind `Required Action: PATH`. Problems that no
path solves go. Not here: the explanation that the paper's planner writes before the path, and a planner that writes the
path alone: here the same model then writes the solution.
How it fails: of few samples the best path is luck.
Example: `data: {kind: sampled, file: P.jsonl, keep: all, asks: [{kind: dots}], transforms: [{kind: dots}]}`
"""

from dataclasses import replace
from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext, by_problem, is_correct, with_meta
from tinyreason.example import Example


class Dots(Transform):
    """Keeps a correct completion of the path that succeeds most often, with the path in front."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})
    compares: ClassVar[bool] = True

    kind: Literal["dots"] = "dots"
    plan: bool = True
    """Whether the path is written in front of the completion."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        rows = self.graded(self.completions(examples, context), context)
        rows = self.kept(rows, (bool(row.meta.get("variant")) for row in rows), "no path", context)
        left = []
        for group in by_problem(rows).values():
            paths: dict[str, list[Example]] = {}
            for row in group:
                paths.setdefault(row.meta["variant"], []).append(row)
            path = best_path({name: sum(map(is_correct, of)) / len(of) for name, of in paths.items()})
            best = next((row for row in paths[path] if is_correct(row)), None)
            context.dropped["another path or sample" if best else "never solved"] += len(group) - bool(best)
            left += [self.planned(best, path)] if best else []
        return left

    def planned(self, example: Example, path: str) -> Example:
        """Returns the row with its path in front."""
        if not self.plan:
            return example
        text = f"Required Action: {path}\n{example.completion}"
        return with_meta(replace(example, completion=text, spans=()), tokens=None)


def best_path(success: dict[str, float]) -> str:
    """Returns the path with the highest success, of equal ones that of the fewest modules, then the first."""
    return min(success, key=lambda path: (-success[path], path.count("->")))
