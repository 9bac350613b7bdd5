"""Carries out a plan of rollouts: what it asks of the policy, and what the scorer is told of it."""

from collections.abc import Sequence
from contextlib import nullcontext
from random import Random
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from tinyreason.algorithms.rollouts import Rollout
from tinyreason.config.run_config import RunConfig
from tinyreason.example import Example
from tinyreason.grading.grader import Verdict
from tinyreason.inference.sampling import read_completion
from tinyreason.models.chat_template import ANSWER, fitting, last_token, render, with_tools
from tinyreason.models.training_rows import completion_part, encoded
from tinyreason.prompts import chat_messages
from tinyreason.rollout import Batch
from tinyreason.store import Store


class PlannedRollouts:
    """The policy as a plan of rollouts sees it (`algorithms.rollouts.Policy`), for one training.

    `trainer` samples and scores: `sampled(prompts, limit)` and `scored(prompts, completions)`.
    """

    def __init__(self, config: RunConfig, scorer: Any, trainer: Any):
        self.config, self.scorer, self.trainer = config, scorer, trainer
        self.group_size = config.train.group_size
        self.problems = {example.id: example for example in scorer.examples}
        self.call = 0
        """How often the policy has been asked to sample in this step."""

    @property
    def step(self) -> int:
        return self.scorer.step

    @property
    def store(self) -> Store:
        return self.scorer.store

    @property
    def limit(self) -> int:
        return self.config.train.limit_at(self.step)

    def roll(self, prompts: list[list[int]]) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
        """Returns the prompts, completions and masks of what is trained on, of a step's rows; the scorer has them."""
        self.call, self.rng = 0, Random(f"{self.config.seed}/{self.step}/rollouts")
        rows = zip(self.scorer.asked, prompts, strict=True)
        rollouts = [Rollout(self.scorer.examples[number], prompt) for number, prompt in rows]
        self.config.rollouts.roll(rollouts, self)
        self.scorer.rolled = rollouts
        masks = [[int(is_trained) for is_trained in rollout.trained] for rollout in rollouts]
        return [rollout.prompt for rollout in rollouts], [rollout.tokens for rollout in rollouts], masks

    @property
    def opens_thought(self) -> bool:
        return self.scorer.is_thought_open

    def sample(self, rollouts: Sequence[Rollout], contexts: Sequence[list[int]] = (), by_base: bool = False) -> None:
        read = zip(rollouts, contexts or [rollout.prompt for rollout in rollouts], strict=True)
        asked = [(rollout, context + rollout.tokens) for rollout, context in read if self.room(rollout) > 0]
        if not asked:
            return
        prompts, room = [prompt for _, prompt in asked], max(self.room(rollout) for rollout, _ in asked)
        if self.config.thought_budget:
            self.trainer.rollouts.forced = {}
        with self.trainer.session.model.disable_adapter() if by_base else nullcontext():
            sampled = self.trainer.sampled(prompts, room)
        forced = self.trainer.rollouts.forced if self.config.thought_budget else {}
        for row, ((rollout, _), tokens) in enumerate(zip(asked, sampled, strict=True)):
            begin = len(rollout.tokens)
            rollout.add(tokens[: self.room(rollout)])
            for place in forced.get(row, ()):
                rollout.trained[begin + place] = False
        self.call += 1

    def room(self, rollout: Rollout) -> int:
        """Returns how many tokens a rollout may still have."""
        return self.limit - len(rollout.tokens)

    def values(
        self, rollouts: Sequence[Rollout], contexts: Sequence[list[int]] = ()
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        if not rollouts:
            return [], []
        completions = [rollout.tokens for rollout in rollouts]
        found = self.trainer.scored(list(contexts or [rollout.prompt for rollout in rollouts]), completions)
        log_probs, entropies = (
            [row[: len(ids)].cpu() for row, ids in zip(values, completions, strict=True)] for values in found
        )
        return log_probs, entropies

    def grade(self, rollouts: Sequence[Rollout]) -> list[bool | None]:
        return [verdict.correct for verdict in self.verdicts(rollouts)]

    def answer(self, rollout: Rollout) -> str | None:
        return self.verdicts([rollout])[0].extracted

    def verdicts(self, rollouts: Sequence[Rollout]) -> list[Verdict]:
        """Returns what the grader says of each in the turn that is graded."""
        texts = [self.text(rollout) for rollout in rollouts]
        truncated = [not self.has_ended(rollout) for rollout in rollouts]
        examples = [rollout.example for rollout in rollouts]
        return self.scorer.grader.grade_examples(texts, examples, truncated, self.scorer.is_thought_open)

    def text(self, rollout: Rollout) -> str:
        return read_completion(self.scorer.tokenizer, 0, rollout.tokens[rollout.answered_from :], self.scorer.ends).text

    def has_ended(self, rollout: Rollout) -> bool:
        return bool(rollout.tokens) and rollout.tokens[-1] in self.scorer.ends

    def encode(self, text: str) -> list[int]:
        return encoded(self.scorer.tokenizer, text)

    def prompt(self, example: Example, added: str = "", turns: Sequence[str] = ()) -> list[int]:
        return self.encode(self.prompt_text(example, added, turns))

    def prompt_text(self, example: Example, added: str = "", turns: Sequence[str] = ()) -> str:
        """Returns what `prompt` has the token ids of."""
        *history, last = chat_messages(example, self.config.prompt)
        roles = ("assistant", "user")
        later = [{"role": roles[place % 2], "content": text} for place, text in enumerate(turns)]
        chat = [*history, {**last, "content": last["content"] + added}, *later]
        options = with_tools(self.scorer.tokenizer, self.config.template_options, example.tools)
        return render(self.scorer.tokenizer, fitting(self.scorer.tokenizer, [chat], options), options)[0]

    def feedback(self, example: Example, text: str) -> list[int]:
        end = self.scorer.tokenizer.decode([last_token(self.scorer.tokenizer)])
        before, said, after = self.prompt_text(example, turns=(ANSWER, text)).rpartition(text.strip())
        behind = before.rpartition(ANSWER)[2]
        _, ended, turn = behind.partition(end)
        return self.encode((turn if ended else behind) + said + after)

    def solution(self, example: Example) -> list[int] | None:
        if not example.completion:
            return None
        prompt = self.prompt_text(example)
        return completion_part(self.scorer.tokenizer, example, prompt, example.completion, 1.0)[0][: self.limit]


def tell_rolled(batch: Batch, rolled: list[Rollout]) -> None:
    """Writes into a batch where its rollouts come from; tokens that nobody is trained on leave its mask."""
    batch.sources = [rollout.source for rollout in rolled]
    batch.facts = [rollout.facts for rollout in rolled]
    batch.sampled_logp = pad_sequence(
        [torch.tensor(one.sampled_logp or [torch.nan] * len(one.tokens)) for one in rolled],
        batch_first=True,
        padding_value=torch.nan,
    )
    if batch.mask is not None:
        batch.mask = batch.mask & pad_sequence([torch.tensor(one.trained) for one in rolled], batch_first=True)


def leave_out(batch: Batch, rolled: list[Rollout]) -> None:
    """Takes the rollouts that are compared with nobody from the rewards of their group."""
    compared = torch.tensor([rollout.is_compared for rollout in rolled])
    batch.reward = batch.reward.where(compared, torch.nan)
    batch.correct = batch.correct.where(compared, torch.nan)
    batch.values = {kind: values.where(compared, torch.nan) for kind, values in batch.values.items()}
