"""GRPO through TRL. One small subclass puts our rewards and advantages in place of TRL's."""

from typing import Any

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from tinyreason.config.run_config import RunConfig
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.models.load import end_tokens
from tinyreason.prompts import chat_messages
from tinyreason.runs.checkpoint import Lifeline
from tinyreason.trainers.loop import StepLog, Watch, run_trainer, trl_arguments
from tinyreason.trainers.oom import OomRetry, OomRetryRollouts
from tinyreason.trainers.resume import EpochSampler, Resumable
from tinyreason.trainers.scorer import Scorer
from tinyreason.trainers.session import TrainingSession

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
    "score_time": "time/score_s",
}
"""TRL's name → ours, for what is kept of each step in metrics.jsonl."""


class LeafGRPOTrainer(Resumable, OomRetryRollouts, GRPOTrainer, OomRetry):
    """TRL's GRPO with our advantages, and what lets it survive: the files whose names begin with _ say what."""

    scorer: Scorer

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.scorer.step = self.state.global_step + 1
        self.generation_config.max_new_tokens = self.scorer.config.train.limit_at(self.scorer.step)
        output = super()._generate_and_score_completions(inputs)
        output["advantages"] = self.scorer.advantages(output["advantages"])
        self._metrics["train"]["score_time"].append(self.scorer.seconds)
        return output

    def _get_train_sampler(self, dataset=None) -> EpochSampler:
        sampler = super()._get_train_sampler(dataset)
        return EpochSampler(
            sampler.data_source,
            sampler.mini_repeat_count,
            sampler.batch_size,
            sampler.repeat_count,
            sampler.shuffle,
            sampler.seed,
        )

    def own_state(self) -> dict[str, Any]:
        return super().own_state() | {"store": self.scorer.store.state}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.scorer.store.state = state["store"]


def training_rows(config: RunConfig, examples: list[Example]) -> Dataset:
    """One row a problem, repeated until they fill a step: TRL drops a last batch that is not full."""
    groups = config.train.rollouts_per_step // config.train.group_size
    repeats = -(-groups // len(examples))
    rows = [{"prompt": chat_messages(example, config.prompt), "row": n} for n, example in enumerate(examples)]
    return Dataset.from_list(rows * repeats)


def train(
    session: TrainingSession, examples: list[Example], grader: Grader, watch: Watch, lifeline: Lifeline | None = None
) -> None:
    """Trains the learner's adapter; every rollout and every step's metrics go to its folder."""
    config, model, tokenizer, folder = session.config, session.model, session.tokenizer, session.folder
    scorer = Scorer(config, examples, grader, folder, end_tokens(model, tokenizer))
    trainer = LeafGRPOTrainer(
        model=model,
        args=trl_arguments(GRPOConfig, session, {"beta": 0.0}),  # else TRL copies a fresh adapter to know the base by
        train_dataset=training_rows(config, examples),
        processing_class=tokenizer,
        reward_funcs=scorer.score,
        callbacks=[StepLog(folder, watch, METRICS, "reward")],
    )
    trainer.beta = config.train.kl
    trainer.scorer = scorer
    run_trainer(trainer, session, lifeline)
