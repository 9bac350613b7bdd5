"""Ends the reasoning of a solution once it has found its answer and checked it, in a sentence that says so.

Why: Self-Braking Tuning (arXiv 2505.14604): a model that imitates traces which stop by themselves stops by itself.
Formula: f = the first paragraph of the thought that the grader finds correct, of S; m = the markers' share of its
words; score = 0.9 · (1 − f / S) + 0.1 · m. `exact`: where the score is above 0.2 and a second correct paragraph s > f
exists, the thought ends after s, then its next two sentences (weight 0), the brake sentence, and `</think>`. `dynamic`:
the score of the first f + j paragraphs, j = 1, 2, …: from 0.2 on they weigh 0, above 0.25 the thought ends with the
other brake sentence. Else the row stays as it is. The paper has a language model find f, and counts tokens.
How it fails: a first answer that was luck teaches not to check.
Not checked against the paper: the list of markers, of which the released one has 25.
Example: `data: {kind: solutions, file: traces.jsonl, transforms: [{kind: self_braking}]}`
"""

import re
from dataclasses import replace
from typing import ClassVar, Literal

from tinyreason.data.transforms._transform import Transform, TransformContext
from tinyreason.example import Example
from tinyreason.grading.thought import CLOSE, OPEN, thought_and_answer

BRAKES = {
    "exact": "Wait, I've gotten the same answer multiple times, time to end the thinking.",
    "dynamic": "Wait, my answer is too verbose, let me answer it more concisely.",
}
MARKERS = (
    *("wait", "but", "hmm", "maybe i should consider", "let me verify", "alternatively", "however", "another"),
    *("let me check", "let me double check", "let me double-check", "double check", "let me see", "hold on"),
    *("on second thought", "let me think", "let me reconsider", "let me recheck", "is that correct", "to be sure"),
)
ENOUGH, TOO_MUCH, TOLD_AGAIN = 0.2, 0.25, 2


class SelfBraking(Transform):
    """Ends thoughts that have found their answer."""

    needs: ClassVar[frozenset[str]] = frozenset({"grader"})

    kind: Literal["self_braking"] = "self_braking"
    variant: Literal["exact", "dynamic"] = "exact"
    """Where it ends: after the second correct paragraph, or where the share of words behind the first is too large."""
    step: Literal["paragraph", "line"] = "paragraph"
    """What a step of the thought is: what a blank line ends, or a line."""

    def apply(self, examples: list[Example], context: TransformContext) -> list[Example]:
        return [self.braked(example, context) for example in examples]

    def braked(self, example: Example, context: TransformContext) -> Example:
        """Returns the row with its thought ended early, or as it is."""
        parts = thought_and_answer(example.completion or "")
        if parts is None or CLOSE not in example.completion:
            return example
        thought, said = parts
        steps = self.steps(thought)
        texts = [thought[start:end].replace(OPEN, "") for start, end in steps]
        correct = [verdict.correct for verdict in context.grader.grade_examples(texts, [example] * len(texts))]
        if True not in correct:
            return example
        first = correct.index(True) + 1
        end, muted = (self.exact if self.variant == "exact" else self.dynamic)(texts, correct, first, thought, steps)
        if not end:
            return example
        text = f"{thought[:end].rstrip()}\n\n{BRAKES[self.variant]}\n{CLOSE}{said}"
        spans = tuple(span for span in example.spans if span[1] <= end)
        return replace(example, completion=text, spans=(*spans, *([(*muted, 0.0)] if muted[0] < muted[1] else [])))

    def steps(self, thought: str) -> list[tuple[int, int]]:
        """Returns (start, end) of each step of a thought, those without a word left out."""
        pattern = r"\n\s*\n" if self.step == "paragraph" else r"\n"
        cuts = [0, *(place for found in re.finditer(pattern, thought) for place in found.span()), len(thought)]
        pairs = zip(cuts[::2], cuts[1::2], strict=True)
        return [(start, end) for start, end in pairs if re.search(r"\w", thought[start:end].replace(OPEN, ""))]

    def exact(self, texts, correct, first, thought, steps) -> tuple[int, tuple[int, int]]:
        """Returns where the thought ends, and what of it weighs 0; 0 where it stays."""
        second = next((place for place in range(first, len(correct)) if correct[place]), None)
        if overthinking(first, texts) <= ENOUGH or second is None:
            return 0, (0, 0)
        start = steps[second][1]
        rest = list(re.finditer(r"[^.!?]*[.!?]+(?=\s|$)", thought[start:]))[:TOLD_AGAIN]
        end = start + rest[-1].end() if rest else start
        return end, (start, end)

    def dynamic(self, texts, correct, first, thought, steps) -> tuple[int, tuple[int, int]]:
        """Returns the same for the running score."""
        scores = {count: overthinking(first, texts[:count]) for count in range(first + 1, len(texts) + 1)}
        stop = next((count for count, score in scores.items() if score > TOO_MUCH), None)
        if stop is None:
            return 0, (0, 0)
        mute = next(count for count, score in scores.items() if score >= ENOUGH)
        return steps[stop - 1][1], (steps[mute - 1][0], steps[stop - 1][1])


def overthinking(first: int, texts: list[str]) -> float:
    """Returns 0.9 · (1 − first / steps) + 0.1 · the markers' share of the words."""
    return score_of(first, len(texts), marker_share(" ".join(texts)))


def score_of(first: int, steps: int, markers: float) -> float:
    """Returns the overthinking score of these figures."""
    return 0.9 * (1 - first / steps) + 0.1 * markers


def marker_share(text: str) -> float:
    """Returns the words of the markers in a text as a share of its words; a marker inside a word counts too."""
    text, words = text.casefold(), len(text.split())
    return min(1.0, sum(text.count(marker) * len(marker.split()) for marker in MARKERS) / words) if words else 0.0
