"""GRPO through TRL, with our rewards and advantages in place of TRL's."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from tinyreason import processes
from tinyreason.config.inference import SERVER
from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ConfigError
from tinyreason.example import Example
from tinyreason.grading.hacking_signs import METRIC, SIGNS
from tinyreason.inference.forcing import forcing_of
from tinyreason.models.chat_template import fitting
from tinyreason.models.fast_linear import fast_linears
from tinyreason.prompts import chat_messages
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.trainers.followers import Follower, Reposition
from tinyreason.trainers.loop import AVERAGE, REPOSITION, SessionTrainer
from tinyreason.trainers.oom import OomRetry, OomRetryRollouts
from tinyreason.trainers.planned_rollouts import PlannedRollouts
from tinyreason.trainers.processes import SharedRollouts
from tinyreason.trainers.rollouts import RolloutSampler, samples_itself
from tinyreason.trainers.sampler_chain import trained_part
from tinyreason.trainers.scorer import Scorer
from tinyreason.trainers.session import SPENT, TrainingSession, Watch
from tinyreason.trainers.shared_prefixes import SAMPLED_ENTROPIES, SharedPrefixes
from tinyreason.trainers.trl_seam import mask_of

OLD = "old_per_token_logps"
"""What TRL calls the log-probabilities that its ratio starts from."""
DIFFERENCE = "sampling/logp_difference"
"""Metric: mean distance, in nats a token, of the policy sampled from to the one that is trained."""


class LeafGRPOTrainer(SessionTrainer, SharedRollouts, SharedPrefixes, OomRetryRollouts, GRPOTrainer, OomRetry):
    """TRL's GRPO with our advantages, our checkpoints and an OOM retry."""

    arguments_class = GRPOConfig
    arguments = {"beta": 0.0}  # else TRL copies a fresh adapter to know the base by
    metric_names = {
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
        DIFFERENCE: DIFFERENCE,
    } | {METRIC + sign: METRIC + sign for sign in SIGNS}

    def __init__(
        self,
        session: TrainingSession,
        examples: list[Example],
        watch: Watch,
        checkpoints: CheckpointManager | None,
    ):
        self.scorer = Scorer.of(session, examples)
        rows = training_rows(session.config, session.tokenizer, examples)
        super().__init__(session, watch, checkpoints, train_dataset=rows, reward_funcs=self.score)
        engine = session.config.inference.engine
        is_theirs = samples_itself(self.args, engine)
        train = session.config.train
        scores_all = train.has_kl_penalty or train.has_entropy_bonus  # else rows that teach nothing are not scored
        keeps = train.sampling_dtype != "auto" or not scores_all or bool(session.config.token_needs)
        forcing = forcing_of(session.model, session.tokenizer, session.config.thought_budget)
        server = session.context.server
        if engine == SERVER and server is None:
            raise ConfigError(f"inference.engine={SERVER} samples for runs alone; leave it out here.")
        sampler = RolloutSampler(
            self.args, self.scorer.ends, engine, train.sampling_dtype, keeps, forcing, server=server
        )
        self.rollouts = None if is_theirs else sampler
        self.planned = None
        if session.config.rollouts:
            self.planned = PlannedRollouts(session.config, self.scorer, self)
            self.plan_rollouts(self.planned.roll)
        self.beta, self.chat_template_kwargs = session.config.train.kl, session.config.template_options

    def make_followers(self) -> dict[str, Follower]:
        alpha, model = self.session.config.train.steps_back, self.session.model
        back = Reposition(model, alpha, self.num_iterations, self.add_metric) if alpha is not None else None
        return super().make_followers() | ({REPOSITION: back} if back else {})

    def reference(self) -> AbstractContextManager:
        average = self.followers.get(AVERAGE)
        return average.standing_in() if average else super().reference()

    @property
    def is_plain(self) -> bool:
        """Whether rollouts and scoring are TRL's own, as a yardstick."""
        return self.session.config.inference.engine == "trl"

    def run(self) -> None:
        with nullcontext() if self.is_plain else fast_linears(self.model):
            super().run()

    def scorer_of(self, model, keep: int, score: Callable, options: dict[str, Any]) -> Callable:
        return score if self.is_plain else super().scorer_of(model, keep, score, options)

    def order_of(self, output: dict[str, Any]) -> list[int] | None:
        return None if self.is_plain else super().order_of(output)

    def score(self, *values: Any, **named: Any) -> list[float | None]:
        """Returns the rewards of a generation batch, as the main process's scorer says them."""
        return processes.by_main(lambda: self.scorer.score(*values, **named))

    def before_rollouts(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.scorer.step = self.state.global_step + 1
        self.generation_config.remove_invalid_values = True  # nan logits end in a nan loss, not in a dead card
        train, scorer = self.session.config.train, self.scorer
        self.generation_config.max_new_tokens = train.limit_at(scorer.step)
        temperature, chosen, kept = processes.by_main(scorer.decisions)
        self.set_temperature(temperature)
        scorer.store.state = kept or scorer.store.state
        if chosen is not None:
            inputs = [self.train_dataset[number] for number in chosen for _ in range(train.group_size)]
        scorer.asked = [row["row"] for row in inputs]
        return inputs

    def complete(self, prompts: list[list[int]], first: int) -> list[list[int]] | None:
        if self.rollouts is None:
            return None
        limit, call = self.generation_config.max_new_tokens, self.planned and self.planned.call
        return self.rollouts.sample(self.session.model, prompts, self.scorer.step, first, limit, call)

    def before_rewards(self, prompts: list[list[int]], completions: list[list[int]]) -> None:
        needs = self.session.config.token_needs
        if not needs:
            self.scorer.mu_logp = self.rollouts and self.rollouts.logp_sums(len(completions))
            return
        mask = mask_of(completions)
        values = self.rollouts and self.rollouts.taken_values(mask)
        if values is None or values[1] is None:
            values = self.scored(prompts, completions)
        found = dict(zip(("logp", "entropy"), values, strict=True))
        if "ref_logp" in needs:
            found["ref_logp"] = self.scored(prompts, completions, by_reference=True)[0]
        found = {name: value.cpu().where(mask, 0.0) for name, value in found.items()}
        self.scorer.sampled, self.scorer.mu_logp = {"mask": mask} | found, found["logp"].sum(dim=1)

    def after_rollouts(self, output: dict[str, Any]) -> dict[str, Any]:
        raw = output["advantages"]
        compared = processes.by_main(lambda: self.scorer.compared(raw.cpu()))
        output["advantages"] = compared.advantages.to(raw.device, raw.dtype)
        if self.rollouts and (values := self.rollouts.taken_values(output["completion_mask"])):
            decides = self.args.top_entropy_quantile < 1 or self.num_iterations > 1  # what is trained on
            if values[1] is not None and not decides:
                output[SAMPLED_ENTROPIES] = values[1]
            if self.rollouts.is_foreign:  # TRL's ratio then starts from what was sampled from
                output.setdefault(OLD, values[0])
        if self.rollouts:
            sampled, self.rollouts.tokens, self.rollouts.values = sum(processes.gather(self.rollouts.tokens)), 0, {}
        else:
            sampled = self.scorer.batch.length.sum().item()
        for name, value in compared.metrics.items():
            self.add_metric(name, value)
        if compared.kept is not None:
            output = trained_part(output, compared.kept, self.session.config.train.rollouts_per_step, self.loss_type)
        trained = (output["completion_mask"] * output.get("tool_mask", 1)).sum().item()
        self.add_metric(SPENT, sampled + trained * self.num_iterations)
        return output

    def score_rows(self, ids: torch.Tensor, mask: torch.Tensor, batch_size: int | None, score: Callable) -> tuple:
        found = super().score_rows(ids, mask, batch_size, score)
        rows = self.present_rows
        if rows is not None and OLD in rows and self.rollouts and self.rollouts.is_foreign:
            self.note_difference(rows, found[0].detach())
        return found

    def note_difference(self, rows: dict[str, Any], log_probs: torch.Tensor) -> None:
        """Adds to the metrics how far the log-probabilities here are from those that tokens were sampled with."""
        learning, there = self.learning_rows(), rows["completion_mask"].bool()
        if learning is not None and SAMPLED_ENTROPIES in rows:  # others are not computed again
            there = there & learning[:, None]
        if there.any():
            self.add_metric(DIFFERENCE, float((log_probs - rows[OLD])[there].abs().mean()))

    def own_state(self) -> dict[str, Any]:
        drafts = self.rollouts.drafts.steps if self.rollouts else []
        return super().own_state() | {"store": self.scorer.store.state, "drafts": drafts}

    def restore_own_state(self, state: dict[str, Any]) -> None:
        super().restore_own_state(state)
        self.scorer.store.state = state["store"]
        if self.rollouts:
            self.rollouts.drafts.steps = state["drafts"]


def training_rows(config: RunConfig, tokenizer, examples: list[Example]) -> Dataset:
    """Returns one row a problem, repeated until they fill a step: TRL drops a last batch that is not full."""
    groups = config.train.rollouts_per_step // config.train.group_size
    repeats = -(-groups // len(examples))
    chats = [chat_messages(example, config.prompt) for example in examples]
    rows = [{"prompt": chat, "row": n} for n, chat in enumerate(fitting(tokenizer, chats, config.template_options))]
    return Dataset.from_list(rows * repeats)


def train(
    session: TrainingSession, examples: list[Example], watch: Watch, checkpoints: CheckpointManager | None = None
) -> None:
    """Trains the session's adapter; every rollout and every step's metrics go to its folder."""
    LeafGRPOTrainer(session, examples, watch, checkpoints).run()
