"""Holds what every transform shares: which rows are of one problem, what is known of a row, how much goes and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.schema import Schema


@dataclass
class TransformContext:
    """What a transform is given beside the rows."""

    seed: int
    tokenizer: Any = None
    """Of the model, where a transform needs it."""
    grader: Any = None
    dropped: Counter[str] = field(default_factory=Counter)
    """Why rows went → how many, of the transform that is at work."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """{"by", "before", "after", "why"} of each transform that was at work."""
    earlier: list[dict[str, Any]] = field(default_factory=list)
    """What transforms noted in the stages before, in their order."""
    noted: dict[str, Any] = field(default_factory=dict)
    """What a transform notes for the stages that follow."""

    def rng(self, *names: str) -> Random:
        """Returns random numbers that depend on the seed and these names alone."""
        return Random("/".join([str(self.seed), *names]))


class Transform(Schema):
    """Chooses, rewrites or weighs rows that are trained on; what its rows lack is told in one sentence."""

    needs: ClassVar[frozenset[str]] = frozenset()  # of "tokenizer" and "grader", where rows do not say it themselves

    compares: ClassVar[bool] = False  # whether it has nothing to do where all rows are correct

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        """Returns the rows that are left, and tells `context.dropped` why the others went. Errors: `DataError`."""
        raise NotImplementedError

    def check_weighs(self, run, path: str) -> None:
        """Refuses a transform that weighs rows where none is imitated. Errors: `ValueError`."""
        if path.startswith("data.") and not run.train.needs_completions:
            raise ValueError(
                f"{path}: {self.kind} weighs completions to imitate, and trainer {run.trainer} samples its own"
            )

    def completions(self, examples: list[Example], context: TransformContext) -> list[Example]:
        """Returns the rows that have a completion, and counts the others."""
        return self.kept(examples, [bool(example.completion) for example in examples], "no completion", context)

    def kept(
        self, examples: Sequence[Example], is_kept: Iterable[bool], reason: str, context: TransformContext
    ) -> list[Example]:
        """Returns the rows that are kept, and counts the others under this reason."""
        left = [example for example, stays in zip(examples, is_kept, strict=True) if stays]
        context.dropped[reason] += len(examples) - len(left)
        return left

    def value(self, example: Example, name: str, instead: str = "") -> Any:
        """Returns what a row's `meta` holds under a name. Errors: `DataError` where it holds nothing."""
        if example.meta.get(name) is None:
            raise DataError(
                f"transform {self.kind} needs '{name}' of every row, and row {example.id} has none; give the data "
                f"a column '{name}'{instead}."
            )
        return example.meta[name]

    def pass_rate_of(self, example: Example) -> float:
        """Returns the share of correct completions of a row's problem."""
        return float(self.value(example, "pass_rate", ", or of several samples a problem type {kind: pass_rate} first"))

    def graded(self, examples: list[Example], context: TransformContext) -> list[Example]:
        """Returns the rows with `correct` in their `meta`, as it stands there, else as the grader finds it.

        Errors: `DataError` where a row has neither that nor an answer to grade by.
        """
        unknown = [one for one in examples if one.meta.get("correct") is None and one.completion]
        if without := next((one for one in unknown if not one.answer), None):
            raise DataError(
                f"transform {self.kind} must know which completions are correct, and row {without.id} has neither "
                f"'correct' nor an answer to grade by; give the data a column 'answer'."
            )
        verdicts = context.grader.grade_examples([one.completion for one in unknown], unknown) if unknown else []
        found = {id(one): verdict.correct is True for one, verdict in zip(unknown, verdicts, strict=True)}
        return [with_meta(one, correct=found[id(one)]) if id(one) in found else one for one in examples]


def problem_key(example: Example) -> str:
    """Returns what rows of one problem have alike: `problem_id`, or the problem itself."""
    return str(example.meta.get("problem_id") or example.identity)


def by_problem(examples: Iterable[Example]) -> dict[str, list[Example]]:
    """Returns problem → its rows, in order of first appearance."""
    found: dict[str, list[Example]] = {}
    for example in examples:
        found.setdefault(problem_key(example), []).append(example)
    return found


def is_correct(example: Example) -> bool:
    """Returns whether a graded row's completion is correct; a row without one is not."""
    return bool(example.meta.get("correct"))


def tokens_of(example: Example, context: TransformContext) -> int:
    """Returns the tokens of a row's completion: `tokens` of its `meta`, else as the tokenizer counts them."""
    if example.meta.get("tokens") is not None:
        return int(example.meta["tokens"])
    return len(context.tokenizer(example.completion or "", add_special_tokens=False)["input_ids"])


def with_meta(example: Example, **values: Any) -> Example:
    """Returns the row with these values in its `meta`."""
    return replace(example, meta=example.meta | values)


def with_problem(example: Example, text: str) -> Example:
    """Returns the row with another text in its last message."""
    return replace(example, messages=(*example.messages[:-1], example.messages[-1] | {"content": text}))


def transformed(
    transforms: Sequence[Transform], examples: list[Example], context: TransformContext, say: Callable[[str], None]
) -> list[Example]:
    """Returns the rows after each transform in turn, and says in a line each how many went and why.

    Errors: `DataError` where nothing is left.
    """
    for transform in transforms:
        context.dropped = Counter()
        before, known = len(examples), set(map(id, examples))
        examples = transform.apply(examples, context)
        reasons = [f"{count:,} {why}" for why, count in context.dropped.items() if count]
        if rewritten := sum(id(example) not in known for example in examples):
            reasons.append(f"{rewritten:,} rewritten")
        why = "; ".join(reasons) or "as they were"
        context.changes.append({"by": transform.kind, "before": before, "after": len(examples), "why": why})
        say(f"transform {transform.kind}  {before:,} rows → {len(examples):,}: {why}")
        if not examples:
            raise DataError(f"transform {transform.kind} leaves none of {before:,} rows ({why}); change its options.")
    return examples
