"""What stands between TRL's rollouts and its loss: they are graded, rewarded, compared and written down."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from tinyreason.algorithms.advantages import check_level, estimate
from tinyreason.algorithms.rewards import weigh
from tinyreason.algorithms.rollouts import Rollout
from tinyreason.config.run_config import RunConfig
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.grading.hacking_signs import METRIC, sign_shares
from tinyreason.inference.sampling import read_completion
from tinyreason.models.chat_template import end_tokens, opens_thought
from tinyreason.rollout import Batch
from tinyreason.runs.folder import RunFolder
from tinyreason.store import Store
from tinyreason.trainers.planned_rollouts import leave_out, tell_rolled
from tinyreason.trainers.sampler_chain import SamplerChain
from tinyreason.trainers.session import TrainingSession


@dataclass(frozen=True)
class Compared:
    """What the trainer needs of a batch that has been compared; the main process says it to all."""

    advantages: torch.Tensor
    """(N,) or (N, T)."""
    kept: torch.Tensor | None
    """(N,) Which rollouts are trained on; None = all."""
    metrics: dict[str, float]


@dataclass
class Scorer:
    """Grades and rewards a generation batch, keeps it for the advantages, and writes it down."""

    config: RunConfig
    examples: list[Example]
    grader: Grader
    folder: RunFolder
    tokenizer: Any
    ends: set[int]
    """Tokens that end a completion."""
    store: Store = field(default_factory=Store)
    is_thought_open: bool = False
    """Whether the prompt ends in `<think>`."""
    step: int = 0
    asked: list[int] = field(default_factory=list)
    """(N) The numbers of the problems that the batch asks."""
    batch: Batch | None = None
    rewards: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    """Of the last batch's advantages: the share of rollouts whose own is 0, and their mean size."""
    rolled: list[Rollout] | None = None
    """(N) What a plan made of the batch, where one rolls out."""
    kept: torch.Tensor | None = None
    """(N,) Which rollouts of the batch are trained on; None = all."""
    signs: dict[str, float] = field(default_factory=dict)
    """Sign of reward hacking → share of the last batch's correct rollouts."""
    sampled: dict[str, torch.Tensor] = field(default_factory=dict)
    """What is known of the batch's tokens, by the name it has there, (N, T) each, where somebody needs it."""
    mu_logp: torch.Tensor | None = None
    """(N,) The sum of each rollout's log-probabilities as it was sampled, where that is at hand."""
    seconds: float = 0.0
    """What grading, rewarding, comparing and writing down the last batch took."""

    def __post_init__(self):
        self.samplers = SamplerChain(self.config, self.examples)

    @staticmethod
    def of(session: TrainingSession, examples: list[Example]) -> "Scorer":
        """Returns the scorer of a session for the problems that it trains on."""
        ends = end_tokens(session.model, session.tokenizer)
        is_open = opens_thought(session.tokenizer, session.config.template_options)
        parts = (session.config, examples, session.grader, session.folder, session.tokenizer, ends)
        return Scorer(*parts, is_thought_open=is_open)

    def decisions(self) -> tuple[float, list[int] | None, dict | None]:
        """Returns the temperature and the problems of the step (None: in turn), and what a plan reads of the store."""
        temperature, chosen = self.samplers.temperature(self.store), self.samplers.problems(self.step, self.store)
        return temperature, chosen, self.store.state if self.config.rollouts else None

    def score(self, completion_ids: list[list[int]], row: list[int], **_: Any) -> list[float | None]:
        """Returns, as TRL's reward function, (N) weighted sums of our rewards, None where no reward could tell."""
        start = time.perf_counter()
        if self.rolled:
            examples = [rollout.example for rollout in self.rolled]
            turns = [rollout.tokens[rollout.answered_from :] for rollout in self.rolled]
        else:
            examples, turns = [self.examples[number] for number in row], completion_ids
        read = [read_completion(self.tokenizer, n, ids, self.ends) for n, ids in enumerate(turns)]
        texts = [completion.text for completion in read]
        truncated = [ids[-1] not in self.ends for ids in completion_ids]
        verdicts = self.grader.grade_examples(texts, examples, truncated, self.is_thought_open)
        train = self.config.train
        self.batch = Batch(
            examples=examples,
            texts=texts,
            ids=completion_ids,
            group=torch.arange(len(texts)) // train.group_size,
            length=torch.tensor([len(ids) for ids in completion_ids]),
            truncated=torch.tensor(truncated),
            correct=torch.tensor([torch.nan if v.correct is None else float(v.correct) for v in verdicts]),
            group_size=train.group_size,
            max_completion_tokens=train.limit_at(self.step),
            step=self.step,
            trained_rows=train.rollouts_per_step,
            progress=(self.step - 1) / train.max_steps,
            answers=[verdict.extracted for verdict in verdicts],
            **self.sampled,
        )
        if self.rolled:
            tell_rolled(self.batch, self.rolled)
        self.signs = sign_shares(
            (text, example.answer, bool(truncated), example.problem, example.rule)
            for text, example, truncated, verdict in zip(texts, examples, self.batch.truncated, verdicts, strict=True)
            if verdict.correct
        )
        values = weigh(self.config.rewards, self.batch, self.store)
        if self.rolled:
            leave_out(self.batch, self.rolled)
        self.rewards = {kind: _jsonable(found) for kind, found in values.items()}
        self.seconds = time.perf_counter() - start
        return _jsonable(self.batch.reward)

    def compared(self, from_trl: torch.Tensor) -> Compared:
        """Returns the advantages in place of TRL's, what is trained on, and the batch's metrics."""
        advantages = self.advantages(from_trl)
        metrics = {f"advantage/{name}": value for name, value in self.sizes.items()}
        metrics |= self.samplers.metrics(self.kept, self.store)
        metrics |= {f"rollouts/{source}": share for source, share in self.sources.items()}
        metrics |= {"score_time": self.seconds} | {METRIC + sign: share for sign, share in self.signs.items()}
        return Compared(advantages, self.kept, metrics)

    def advantages(self, from_trl: torch.Tensor) -> torch.Tensor:
        """Returns (N,) or (N, T) advantages in place of TRL's, and writes the batch down, which is complete now.

        Samplers look at it first; what they do not keep is written down with an advantage of 0.
        """
        start = time.perf_counter()
        advantages = estimate(self.config.advantages, self.batch, from_trl.cpu(), self.store)
        if self.config.rollouts:
            advantages = self.config.rollouts.weigh(self.batch, advantages)
        check_level(advantages, self.config)
        self.kept = self.samplers.kept(self.batch, advantages, self.store)
        self.samplers.move_temperature(self.batch, self.store)
        sizes = self._per_rollout(advantages.abs())
        if self.config.advantages:
            self.sizes = {"share_zero": float((sizes == 0).float().mean()), "abs_mean": float(sizes.mean())}
        self.folder.append("rollouts.jsonl", list(self._lines(advantages)))
        self.seconds += time.perf_counter() - start
        return advantages.to(from_trl.device, from_trl.dtype)

    @property
    def asked_examples(self) -> list[Example]:
        """Returns (N) the problems that the batch asks."""
        return [self.examples[number] for number in self.asked]

    @property
    def sources(self) -> dict[str, float]:
        """Returns the share of the last batch's rollouts that come from each source, where a plan rolls out."""
        sources = self.batch.sources
        return {source: sources.count(source) / len(sources) for source in sorted(set(sources))}

    def _per_rollout(self, advantages: torch.Tensor) -> torch.Tensor:
        """Returns (N,) the mean over a rollout's tokens where each has its own; 0 where it is not trained on."""
        if advantages.dim() == 2:
            there = torch.arange(advantages.shape[1]) < self.batch.length[:, None]
            advantages = advantages.where(there, 0.0).sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return advantages if self.kept is None else advantages.where(self.kept, 0.0)

    def _lines(self, advantages: torch.Tensor):
        batch = self.batch
        correct = [None if value is None else bool(value) for value in _jsonable(batch.correct)]
        advantages = self._per_rollout(advantages)
        has_mu = self.mu_logp is not None and not batch.sources  # whose prompts are not those that were sampled with
        mu_logp = self.mu_logp.tolist() if has_mu else []
        for n, example in enumerate(batch.examples):
            row = {
                "step": batch.step,
                "group": int(batch.group[n]),
                "problem_id": example.id,
                "prompt": example.problem,
                "completion": self._whole_text(n),
                "tokens": int(batch.length[n]),
                "truncated": bool(batch.truncated[n]),
                "correct": correct[n],
                "rewards": {name: values[n] for name, values in self.rewards.items()},
                "reward": _jsonable(batch.reward)[n],
                "advantage": advantages[n].tolist(),
                "answer": example.answer,
                **({"source": batch.sources[n]} if batch.sources else {}),
            }
            if mu_logp:
                row["mu_logp"] = mu_logp[n]
            if len(example.messages) > 1:
                row["messages"] = list(example.messages)
            if example.rule:
                row["grader"] = json.loads(example.rule)
            yield row

    def _whole_text(self, n: int) -> str:
        """Returns what a rollout says, of several turns all of them."""
        if self.rolled and self.rolled[n].answered_from:
            return self.tokenizer.decode(self.batch.ids[n], skip_special_tokens=False)
        return self.batch.texts[n]


def _jsonable(values: torch.Tensor) -> list[float | None]:
    """Returns the values with None in place of nan."""
    return [None if value != value else value for value in values.tolist()]
