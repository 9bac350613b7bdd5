"""GRPO through TRL. One small subclass puts our rewards and advantages in place of TRL's."""

from dataclasses import dataclass, field
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from tinyreason.artifacts import RunFolder
from tinyreason.config import RunConfig
from tinyreason.example import Example
from tinyreason.grading import Judge
from tinyreason.hardware import Means
from tinyreason.model import end_tokens
from tinyreason.prompts import chat_messages
from tinyreason.rollout import Batch
from tinyreason.store import Store
from tinyreason.trainers._loop import StepLog, Watch, run_trainer, trl_arguments

METRICS = {
    "reward": "reward/mean",
    "reward_std": "reward/std",
    "frac_reward_zero_std": "group/share_zero_variance",
    "kl": "kl/mean",
    "entropy": "entropy/mean",
    "completions/mean_length": "length/mean_tokens",
    "completions/clipped_ratio": "length/share_truncated",
    "grad_norm": "gradient/norm",
    "learning_rate": "learning_rate",
    "step_time": "time/step_s",
}
"""TRL's name → ours, for what is kept of each step in metrics.jsonl."""


@dataclass
class Scorer:
    """Judges and rewards a generation batch, remembers it for the advantages, and writes it down."""

    config: RunConfig
    examples: list[Example]
    judge: Judge
    folder: RunFolder
    ends: set[int]
    store: Store = field(default_factory=Store)
    step: int = 0
    batch: Batch | None = None
    rewards: dict[str, list[float]] = field(default_factory=dict)

    def score(self, completion_ids: list[list[int]], completions: list, row: list[int], **_: Any) -> list[float | None]:
        """TRL's reward function: (N) weighted sums of our rewards, None where no reward could judge."""
        texts = [completion[0]["content"] for completion in completions]
        examples = [self.examples[number] for number in row]
        verdicts = self.judge.judge(texts, [example.answer for example in examples])
        train = self.config.train
        self.batch = Batch(
            examples=examples,
            texts=texts,
            ids=completion_ids,
            group=torch.arange(len(texts)) // train.group_size,
            length=torch.tensor([len(ids) for ids in completion_ids]),
            truncated=torch.tensor([ids[-1] not in self.ends for ids in completion_ids]),
            correct=torch.tensor([torch.nan if v.correct is None else float(v.correct) for v in verdicts]),
            group_size=train.group_size,
            max_completion_tokens=train.max_completion_tokens,
            step=self.step,
        )
        rewards_K_N = torch.stack([reward(self.batch, self.store) for reward in self.config.rewards])
        weights_K = torch.tensor([reward.weight for reward in self.config.rewards])
        total = (weights_K[:, None] * rewards_K_N).nansum(dim=0)
        total[rewards_K_N.isnan().all(dim=0)] = torch.nan
        self.batch.reward = total
        names = [reward.kind for reward in self.config.rewards]
        self.rewards = {name: _jsonable(values) for name, values in zip(names, rewards_K_N, strict=True)}
        return _jsonable(total)

    def advantages(self, from_trl: torch.Tensor) -> torch.Tensor:
        """(N,) or (N, T) our advantages in place of TRL's; the batch is complete now and is written down."""
        advantages = self.config.advantage(self.batch, from_trl.cpu(), self.store)
        self.folder.append("rollouts.jsonl", list(self._lines(advantages)))
        return advantages.to(from_trl.device, from_trl.dtype)

    def _lines(self, advantages: torch.Tensor):
        batch = self.batch
        correct = [None if value is None else bool(value) for value in _jsonable(batch.correct)]
        for n, example in enumerate(batch.examples):
            yield {
                "step": batch.step,
                "group": int(batch.group[n]),
                "problem_id": example.id,
                "prompt": example.problem,
                "completion": batch.texts[n],
                "tokens": int(batch.length[n]),
                "truncated": bool(batch.truncated[n]),
                "correct": correct[n],
                "rewards": {name: values[n] for name, values in self.rewards.items()},
                "reward": _jsonable(batch.reward)[n],
                "advantage": advantages[n].tolist(),
            }


def _jsonable(values: torch.Tensor) -> list[float | None]:
    """nan becomes None."""
    return [None if value != value else value for value in values.tolist()]


class LeafGRPOTrainer(GRPOTrainer):
    """TRL's GRPO with our advantages: the one place that overrides a private method of TRL."""

    scorer: Scorer

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.scorer.step = self.state.global_step + 1
        output = super()._generate_and_score_completions(inputs)
        output["advantages"] = self.scorer.advantages(output["advantages"])
        return output


def grpo_arguments(config: RunConfig, means: Means, folder: RunFolder) -> GRPOConfig:
    """TRL's config for GRPO."""
    knobs = {"beta": 0.0}  # set after TRL has been built: it would hold a copy of a fresh adapter to know the base by
    return trl_arguments(GRPOConfig, config, means, folder, knobs)


def training_rows(config: RunConfig, examples: list[Example]) -> Dataset:
    """One row a problem, repeated until they fill a step: TRL drops a last batch that is not full."""
    groups = config.train.rollouts_per_step // config.train.group_size
    repeats = -(-groups // len(examples))
    rows = [{"prompt": chat_messages(example, config.prompt), "row": n} for n, example in enumerate(examples)]
    return Dataset.from_list(rows * repeats)


def train(
    config: RunConfig,
    means: Means,
    model,
    tokenizer,
    examples: list[Example],
    judge: Judge,
    folder: RunFolder,
    watch: Watch,
) -> None:
    """Trains the adapter of `model` in place; every rollout and every step's metrics go to the folder."""
    scorer = Scorer(config, examples, judge, folder, end_tokens(model, tokenizer))
    trainer = LeafGRPOTrainer(
        model=model,
        args=grpo_arguments(config, means, folder),
        train_dataset=training_rows(config, examples),
        processing_class=tokenizer,
        reward_funcs=scorer.score,
        callbacks=[StepLog(folder, watch, METRICS, "reward")],
    )
    trainer.beta = config.train.kl
    trainer.scorer = scorer
    run_trainer(trainer, model, folder)
