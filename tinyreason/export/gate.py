"""Takes down what a live adapter answers, and holds its exports against that once they are loaded again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tinyreason.console import Console
from tinyreason.export.parity import (
    Finding,
    Observed,
    Question,
    Weights,
    compare_accuracy,
    compare_observed,
    compare_weights,
    differences,
    logits_of,
    observe,
)


@dataclass(frozen=True)
class Gate:
    """Knows what the live adapter answered, and passes exports that answer so too."""

    question: Question
    observed: Observed
    effect: float
    """How far the adapter moves the logits of its base, as a share of the largest."""

    @classmethod
    def ask(cls, live, tokenizer, question: Question) -> Self:
        """Asks a loaded adapter, and its base."""
        observed = observe(live, tokenizer, question)
        with live.disable_adapter():
            effect, _ = differences(observed.logits, logits_of(live, observed.sequences))
        return cls(question, observed, effect)

    def hold(
        self,
        found,
        tokenizer,
        kind: str,
        console: Console,
        template: Callable[[str], str] = str,
        weights: tuple[Weights, Weights] | None = None,
    ) -> list[Finding]:
        """Returns what came of holding a loaded export, in this number format, against the live adapter.

        `template` turns the live chat template into the file's; `weights` are what the tensors should be, and what
        the adapter changes of them.
        """
        its = observe(found, tokenizer, self.question, self.observed.sequences)
        findings = list(compare_observed(self.observed, its, kind, self.effect, template))
        if weights:
            findings += compare_weights(weights[0], found.state_dict(), weights[1], kind)
        if self.question.graded:
            with console.live("asking the run's own problems", total=len(self.question.graded)) as live:
                findings.append(compare_accuracy(found, tokenizer, self.question, live.advance))
        return findings
