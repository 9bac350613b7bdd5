"""Sample, judge, count: how often a model is right, in how many tokens, and whether it got better."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.inference.sampling import Sampling, sample_completions
from tinyreason.intervals import difference_interval, paired_gain, share_interval
from tinyreason.runs.context import RunContext


@dataclass(frozen=True)
class Completion:
    """One judged reply."""

    text: str
    tokens: int
    truncated: bool
    correct: bool | None
    extracted: str | None = None
    """the answer that was judged"""


@dataclass(frozen=True)
class Score:
    """The judged replies to each problem: `replies_P_S[problem][sample]`."""

    examples: list[Example]
    completions_P_S: list[list[Completion]]

    @property
    def accuracies_P(self) -> list[float]:
        """Each problem's share of right replies; a reply that cannot be judged is not right."""
        return [sum(reply.correct is True for reply in replies) / len(replies) for replies in self.completions_P_S]

    @property
    def accuracy(self) -> float:
        """avg@k: the mean over problems of the share of right replies."""
        return sum(self.accuracies_P) / len(self.accuracies_P)

    @property
    def mean_tokens(self) -> float:
        return self._mean(lambda reply: reply.tokens)

    @property
    def truncated(self) -> float:
        """Share of replies cut by the token limit."""
        return self._mean(lambda reply: reply.truncated)

    def replies(self) -> list[dict]:
        """Every problem with its replies, for evaluation.json."""
        return [
            {"id": example.id, "problem": example.problem, "answer": example.answer, "accuracy": accuracy}
            | {"replies": [vars(reply) for reply in replies]}
            for example, accuracy, replies in zip(self.examples, self.accuracies_P, self.completions_P_S, strict=True)
        ]

    @staticmethod
    def read(examples: list[Example], replies: list[dict]) -> "Score":
        """The score that `replies()` tells of."""
        return Score(examples, [[Completion(**reply) for reply in problem["replies"]] for problem in replies])

    def _mean(self, value: Callable[[Completion], float]) -> float:
        values = [value(reply) for replies in self.completions_P_S for reply in replies]
        return sum(values) / len(values)

    def summary(self) -> dict:
        """The shape `before` and `after` have in result.json."""
        return {
            "accuracy": self.accuracy,
            "interval": share_interval(self.accuracies_P),
            "mean_tokens": self.mean_tokens,
            "truncated": self.truncated,
            "problems": len(self.examples),
            "samples": len(self.completions_P_S[0]),
        }


@dataclass(frozen=True)
class Evaluator:
    """Asks a model problems the same way every time, as a run's config says."""

    config: RunConfig
    context: RunContext
    tokenizer: Any
    grader: Grader

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
        settings = self.config.evaluation
        sampling = Sampling(
            samples=samples,
            temperature=settings.temperature,
            max_completion_tokens=settings.max_completion_tokens,
            batch_size=settings.batch_size,
            prompt=self.config.prompt,
            seed=self.config.seed,
        )
        return evaluate(model, self.tokenizer, examples, sampling, self.grader, advance)


def evaluate(
    model, tokenizer, examples: list[Example], sampling: Sampling, grader: Grader, advance: Callable[[int], None]
) -> Score:
    """Draws `samples` replies to every problem and judges them; `advance(n)` is told of each n replies drawn."""
    texts, tokens, truncated = sample_completions(model, tokenizer, examples, sampling, advance)
    answers = [example.answer for example in examples for _ in range(sampling.samples)]
    verdicts = grader.grade(texts, answers)
    replies = [
        Completion(text, count, cut, verdict.correct, verdict.extracted)
        for text, count, cut, verdict in zip(texts, tokens, truncated, verdicts, strict=True)
    ]
    step = sampling.samples
    return Score(examples, [replies[at : at + step] for at in range(0, len(replies), step)])


def compare(before: Score, after: Score) -> dict:
    """The gain in percentage points with its paired, problem-clustered 95 % interval, and the verdict it allows."""
    if [example.id for example in before.examples] != [example.id for example in after.examples]:
        raise ValueError("a paired comparison needs the same problems on both sides")
    return paired_gain(before.accuracies_P, after.accuracies_P)


def token_change(before: Score, after: Score) -> dict:
    """By what share the mean tokens a reply changed, −0.4 for 40 % fewer, with its paired, clustered 95 % interval.

    The interval is that of a ratio of means, linearised: of (a − ratio · b) / mean b, one a problem.
    """
    sides = [[sum(r.tokens for r in replies) for replies in score.completions_P_S] for score in (before, after)]
    ratio, usual = sum(sides[1]) / sum(sides[0]), sum(sides[0]) / len(sides[0])
    low, high = difference_interval([(a - ratio * b) / usual for b, a in zip(*sides, strict=True)])
    return {"change": ratio - 1, "interval": [ratio - 1 + low, ratio - 1 + high]}
