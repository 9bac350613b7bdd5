"""Sample, grade, count: how often a model is correct, in how many tokens, and whether it got better."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.data.columns import SAMPLE_COLUMNS
from tinyreason.example import Example
from tinyreason.grading.confidence import confidence_fit
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import BatchRoom, Sampling, sample_completions
from tinyreason.intervals import (
    Values,
    averaged,
    difference_interval,
    gain_over_seeds,
    over_seeds,
    share_interval,
)
from tinyreason.models.chat_template import opens_thought
from tinyreason.runs.context import RunContext
from tinyreason.runs.result import TokenChange
from tinyreason.runs.stored import ConfidenceFit, Side


@dataclass(frozen=True)
class Completion:
    """One graded completion."""

    text: str
    tokens: int
    truncated: bool
    correct: bool | None
    extracted: str | None = None
    """The answer that was graded."""
    certainty: float | None = None
    """How far from uniform its tokens' distributions are on average, in nats; None where that was not kept."""

    def as_json(self) -> dict[str, Any]:
        """Returns what files hold of it."""
        return {name: value for name, value in vars(self).items() if name != "certainty" or value is not None}


@dataclass(frozen=True)
class Score:
    """The graded completions to each problem: `completions_P_S[problem][sample]`."""

    examples: list[Example]
    completions_P_S: list[list[Completion]]

    @property
    def accuracies_P(self) -> list[float]:
        """Each problem's share of correct completions; one that cannot be graded is not correct."""
        return [sum(one.correct is True for one in row) / len(row) for row in self.completions_P_S]

    def by_problem(self, values_P: list[float]) -> Values:
        """Returns values, one a problem, under names that are each problem's in every run that asked it."""
        seen: Counter[str] = Counter()
        names = []
        for example in self.examples:
            names.append(f"{example.id} {seen[example.id]}")
            seen[example.id] += 1
        return dict(zip(names, values_P, strict=True))

    @property
    def accuracy(self) -> float:
        """avg@k: the mean over problems of the share of correct completions."""
        return sum(self.accuracies_P) / len(self.accuracies_P)

    @property
    def mean_tokens(self) -> float:
        """Mean over all completions."""
        return self._mean(lambda completion: completion.tokens)

    @property
    def truncated(self) -> float:
        """Share of completions truncated by the token limit."""
        return self._mean(lambda completion: completion.truncated)

    def as_json(self) -> list[dict[str, Any]]:
        """Returns every problem with its completions, as a side of evaluation.json holds them."""
        return [
            {"id": example.id, "problem": example.problem, "answer": example.answer, "accuracy": accuracy}
            | beyond_text(example)
            | {"replies": [completion.as_json() for completion in row]}
            for example, accuracy, row in zip(self.examples, self.accuracies_P, self.completions_P_S, strict=True)
        ]

    @staticmethod
    def read(examples: list[Example], problems: list[dict[str, Any]]) -> "Score":
        """Reads what `as_json` returned, of these problems in this order."""
        return Score(examples, [[Completion(**row) for row in problem["replies"]] for problem in problems])

    def _mean(self, value: Callable[[Completion], float]) -> float:
        values = [value(completion) for row in self.completions_P_S for completion in row]
        return sum(values) / len(values)


def side_summary(scores: Sequence[Score]) -> Side:
    """Returns `before` or `after` of result.json, of the scores of all seeds."""
    values = [score.by_problem(score.accuracies_P) for score in scores]
    accuracy, interval = over_seeds(values, share_interval, within=(0.0, 1.0))
    completions = [completion for score in scores for row in score.completions_P_S for completion in row]
    fit = confidence_fit([one.text for one in completions], [one.correct is True for one in completions])
    return Side(
        accuracy=accuracy,
        interval=interval,
        mean_tokens=fmean(score.mean_tokens for score in scores),
        truncated=fmean(score.truncated for score in scores),
        problems=len(averaged(values)),
        samples=len(scores[0].completions_P_S[0]),
        **({"confidence": ConfidenceFit(**fit)} if fit else {}),
    )


@dataclass(frozen=True)
class Evaluator:
    """Asks a model problems the same way every time, as a run's config says."""

    config: RunConfig
    context: RunContext
    tokenizer: Any
    grader: Grader
    room: BatchRoom = field(default_factory=BatchRoom)
    """What fitted once the memory was too small; every later evaluation and validation begins with it."""

    def evaluate(self, model, examples: list[Example], what: str) -> Score:
        """Returns the score of the evaluation, `samples` completions of each problem. Errors: `Stopped`."""
        samples, deadline = self.config.evaluation.samples, self.context.deadline
        deadline.restart_timing()
        with self.context.console.live(what, total=len(examples) * samples) as live:

            def advance(count: int) -> None:
                live.advance(count)
                deadline.check()

            return self.sample(model, examples, samples, advance)

    def sample(self, model, examples: list[Example], samples: int, advance: Callable[[int], None]) -> Score:
        """Returns the score of `samples` completions of each problem; `advance(n)` is told of each n of them."""
        return evaluate(model, self.tokenizer, examples, self.sampling(samples), self.grader, advance, self.room)

    def sampling(self, samples: int) -> Sampling:
        """Returns how it asks for so many completions."""
        settings = self.config.evaluation
        return Sampling(
            samples=samples,
            temperature=settings.temperature,
            max_completion_tokens=settings.max_completion_tokens,
            batch_size=settings.batch_size,
            prompt=self.config.prompt,
            template_options=self.config.template_options,
            seed=self.config.seed,
            engine=self.config.inference.engine,
            thought_budget=self.config.thought_budget,
            server=self.context.server,
        )


def evaluate(
    model,
    tokenizer,
    examples: list[Example],
    sampling: Sampling,
    grader: Grader,
    advance: Callable[[int], None],
    room: BatchRoom | None = None,
) -> Score:
    """Samples `sampling.samples` completions to every problem and grades them; calls `advance(n)` for every n."""
    texts, tokens, truncated = sample_completions(model, tokenizer, examples, sampling, advance, room)
    asked = [example for example in examples for _ in range(sampling.samples)]
    is_thought_open = sampling.template == "chat" and opens_thought(tokenizer, sampling.template_options)
    verdicts = grader.grade_examples(texts, asked, truncated, is_thought_open)
    completions = [
        Completion(text, count, is_truncated, verdict.correct, verdict.extracted)
        for text, count, is_truncated, verdict in zip(texts, tokens, truncated, verdicts, strict=True)
    ]
    step = sampling.samples
    return Score(examples, [completions[at : at + step] for at in range(0, len(completions), step)])


def beyond_text(example: Example) -> dict[str, Any]:
    """Returns what a file holds beside `problem` and `answer` where these are not all.

    `conversation` is the whole of a longer one, by which problems are told apart; `grader` is another one than `math`.
    """
    whole = {"conversation": example.identity} if len(example.messages) > 1 else {}
    return whole | ({"grader": json.loads(example.rule)} if example.rule else {})


def groups_of(example: Example) -> dict[str, Any]:
    """Returns the level, subject and the like of a problem."""
    return {name: value for name, value in example.meta.items() if name != "grader" and name not in SAMPLE_COLUMNS}


def paired_comparison(before: Sequence[Score], after: Sequence[Score]) -> dict[str, Any]:
    """Returns `gain` in percentage points, with its paired 95 % interval, and the `verdict`; a score a side and seed.

    The interval is clustered by problem, and over several seeds has both problems and seeds in it.
    """
    for pair in zip(before, after, strict=True):
        first, second = ([example.id for example in score.examples] for score in pair)
        if first != second:
            raise ValueError("a paired comparison needs the same problems on both sides")
    return gain_over_seeds(*([score.by_problem(score.accuracies_P) for score in side] for side in (before, after)))


def token_change(before: Sequence[Score], after: Sequence[Score]) -> TokenChange:
    """Returns the relative change of the mean tokens per completion, with its paired 95 % interval.

    The interval is that of a ratio of means, linearised: of (a − ratio · b) / mean b, one per problem and seed.
    """
    sides = [
        [score.by_problem([fmean(one.tokens for one in row) for row in score.completions_P_S]) for score in scores]
        for scores in (before, after)
    ]
    usual, mean_after = (fmean(averaged(side).values()) for side in sides)
    ratio = mean_after / usual
    residuals = [
        {problem: (a[problem] - ratio * b[problem]) / usual for problem in b} for b, a in zip(*sides, strict=True)
    ]
    _, (low, high) = over_seeds(residuals, difference_interval)
    return TokenChange(change=ratio - 1, interval=[ratio - 1 + low, ratio - 1 + high])
