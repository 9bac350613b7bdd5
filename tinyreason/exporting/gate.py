"""Takes down what a live adapter answers, and holds its exports against that once they are loaded again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tinyreason.console import Console
from tinyreason.exporting.parity import (
    LOGITS,
    Finding,
    Observed,
    Question,
    Weights,
    compare_accuracy,
    compare_observed,
    compare_weights,
    logit_differences,
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
            effect, _ = logit_differences(observed.logits, logits_of(live, observed.sequences))
        return cls(question, observed, effect)

    def hold_merged(self, merged, logit_kind: str) -> Finding:
        """Returns whether base and adapter, merged in float32 and not yet written, have the live adapter's logits."""
        error, _ = logit_differences(self.observed.logits, logits_of(merged, self.observed.sequences))
        most = LOGITS[logit_kind]
        return Finding(
            "merge", error <= most, f"in float32 its logits differ by {error:.1e} of the largest, {most:.0e} at most"
        )

    def hold(
        self,
        found,
        tokenizer,
        kind: str,
        logit_kind: str,
        console: Console,
        template: Callable[[str], str] = str,
        weights: tuple[Weights, Weights] | None = None,
    ) -> list[Finding]:
        """Returns what came of holding a loaded export against the live adapter.

        Its weights may be rounded as the number format `kind` rounds, its logits as `logit_kind`. `template` turns the
        live chat template into the file's; `weights` are what the tensors should be, and what the adapter changes.
        """
        its = observe(found, tokenizer, self.question, self.observed.sequences)
        findings = list(compare_observed(self.observed, its, logit_kind, self.effect, template))
        if weights:
            findings += compare_weights(weights[0], found.state_dict(), weights[1], kind)
        if self.question.graded:
            with console.live("asking the run's own problems", total=len(self.question.graded)) as live:
                findings.append(compare_accuracy(found, tokenizer, self.question, live.advance))
        return findings
