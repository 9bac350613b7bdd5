"""Every private name of TRL and transformers that is used here, turned into public ones of ours.

Other files lay their classes over these and touch no private name. `tests/trainers/test_trl_seam.py` holds the list
against the installed versions: when a release moves one of them, that test says which, and this is the file to mend.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments
from trl.kernels import chunked_divergence, chunked_logprob
from trl.trainer import grpo_trainer, utils
from trl.trainer.utils import RepeatSampler

COUNTERS = ("_step", "_total_train_tokens", "entropy_coef", "_last_world_entropy")
"""What TRL counts over the steps and keeps in no checkpoint, where its trainer has it."""
LOSS_COUNTERS = ("_metrics", "_total_train_tokens", "entropy_coef", "_last_world_entropy", "_entropy_window_stats")
"""What TRL's `compute_loss` counts up."""


def logit_chunk() -> int:
    """Returns for how many tokens of the vocabulary at once TRL makes logits."""
    return utils._CHUNKED_LOGPROB_CHUNK_SIZE


def set_logit_chunk(size: int) -> None:
    """Makes TRL compute logits for at most `size` tokens of the vocabulary at once."""
    utils._CHUNKED_LOGPROB_CHUNK_SIZE = chunked_divergence.VOCAB_CHUNK_SIZE = size


def use_plain_torch() -> None:
    """Has TRL compute its log-probabilities without Triton, which compiles nothing for cards before Volta."""
    chunked_logprob._TRITON_AVAILABLE = False


def use_one_card(arguments: TrainingArguments) -> None:
    """Has transformers train on the first card it sees, where it would spread each batch over all of them."""
    arguments._n_gpu = min(1, arguments.n_gpu)


def attention_of(model) -> str:
    """Returns the name of the attention function that a transformers model computes with."""
    return model.config._attn_implementation


def chunked_log_probs(hidden: torch.Tensor, head, targets: torch.Tensor, temperature: float) -> tuple:
    """Returns TRL's log-probabilities and entropies of targets (tokens,), from hidden states (tokens, width)."""
    outputs = ("log_probs", "entropy")
    weights, chunk = (head.weight, head.bias), utils._CHUNKED_LOGPROB_CHUNK_SIZE
    return chunked_logprob.ChunkedLogProbFunction.apply(
        hidden, *weights, targets, temperature, chunk, None, 1.0, outputs
    )[:2]


class CheckpointSeam:
    """Laid before a trainer of TRL: `save_checkpoint` and `load_checkpoint` take the place of transformers' own."""

    def save_checkpoint(self) -> None:
        """Saves the training as it is after the present step."""
        raise NotImplementedError

    def load_checkpoint(self, folder: Path) -> None:
        """Restores the training from a checkpoint's folder."""
        raise NotImplementedError

    def write_library_state(self, folder: Path) -> None:
        """Writes what transformers itself reads back: optimizer, scheduler, scaler, random states, its counters."""
        self._save_optimizer_and_scheduler(str(folder))
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))
        self.state.log_history = []  # metrics.jsonl has it
        self.state.save_to_json(str(folder / "trainer_state.json"))

    def counters(self) -> dict[str, Any]:
        """Returns what TRL counts, as JSON."""
        return {name: getattr(self, name) for name in COUNTERS if hasattr(self, name)}

    def restore_counters(self, state: dict[str, Any]) -> None:
        """Sets what TRL counts to what `counters` returned."""
        for name in COUNTERS:
            if name in state:
                setattr(self, name, state[name])

    def unread_rollouts(self) -> list[Any] | None:
        """Returns the rollouts that are sampled and not yet trained on; None where there are none."""
        if getattr(self, "_buffered_inputs", None) is None:
            return None
        is_read = self._step % (self.args.steps_per_generation * self.num_iterations) == 0
        return None if is_read else self._buffered_inputs

    def restore_rollouts(self, rollouts: list[Any]) -> None:
        """Has the next steps train on these rollouts before any new ones are sampled."""
        self._buffered_inputs = rollouts

    def _save_checkpoint(self, model, trial) -> None:
        self.save_checkpoint()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        self.load_checkpoint(Path(resume_from_checkpoint))


class MicroBatchSeam(Trainer):
    """Laid between a trainer of TRL and transformers' own: a micro-batch's passes can be repeated."""

    def prepared(self, inputs: Any) -> dict[str, Any]:
        """Returns the micro-batch on its device; GRPO samples and scores the rollouts here when it is time for that."""
        return self._prepare_inputs(inputs)

    @contextmanager
    def ready_inputs(self) -> Iterator[None]:
        """Keeps transformers' `training_step` from preparing again what is prepared."""
        self._prepare_inputs = lambda inputs: inputs
        try:
            yield
        finally:
            del self._prepare_inputs

    def add_metric(self, name: str, value: float) -> None:
        """Adds a value to the metrics of the present step."""
        self._metrics["train"][name].append(value)

    def loss_counters(self) -> dict[str, Any]:
        """Returns copies of what a pass counts up."""
        return {name: deepcopy(getattr(self, name)) for name in LOSS_COUNTERS if hasattr(self, name)}

    def restore_loss_counters(self, counters: dict[str, Any]) -> None:
        """Undoes what a failed pass has counted."""
        for name, value in counters.items():
            setattr(self, name, value)


class RolloutSeam:
    """Laid before TRL's GRPO: what happens before and after a batch of rollouts, and how many rows go at once."""

    def before_rollouts(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns the rows of the data set that a generation batch asks, each as often as its group is large."""
        return inputs

    def before_rewards(self, prompts: list[list[int]], completions: list[list[int]]) -> None:
        """Runs when a generation batch is sampled, before it is rewarded; both hold token ids."""

    def set_temperature(self, temperature: float) -> None:
        """Has rollouts sampled, and tokens scored, at this temperature."""
        self.temperature = self.args.temperature = self.generation_config.temperature = temperature
        if self.use_vllm:
            self.vllm_generation.temperature = temperature

    def plan_rollouts(self, roll: Callable[[list[list[int]]], tuple[list, list, list]]) -> None:
        """Has `roll` say a generation batch's (prompts, completions, masks of what is trained on) for its prompts."""

        def rolled(prompts: list, _) -> dict[str, Any]:
            asked, completions, trained = roll(self._tokenize_prompts(prompts)[0])
            return {"prompt_ids": asked, "completion_ids": completions, "logprobs": None, "env_mask": trained}

        self.rollout_func = rolled

    def sampled(self, prompts: list[list[int]], limit: int) -> list[list[int]]:
        """Returns completions of prompts, both token ids, of about at most `limit` tokens each."""
        usual, self.generation_config.max_new_tokens = self.generation_config.max_new_tokens, limit
        try:
            return self._generate_single_turn(prompts, None, {}, 1)[0]
        finally:
            self.generation_config.max_new_tokens = usual

    def scored(
        self, prompts: list[list[int]], completions: list[list[int]], by_reference: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns log-probabilities and entropies (N, T) of completions under the present model, no gradient.

        `by_reference`: under what TRL's KL penalty holds to, the base or the adapter "ref".
        """
        mask = mask_of(completions)
        there = torch.cat([mask_of(prompts).flip(1), mask], dim=1).to(self.accelerator.device)
        ids = torch.zeros_like(there, dtype=torch.long)
        tokens = [id for row in zip(prompts, completions, strict=True) for part in row for id in part]
        ids[there] = torch.tensor(tokens, device=ids.device)
        rows = self.args.per_device_train_batch_size
        with torch.no_grad(), evaluating(self.model), self.reference() if by_reference else nullcontext():
            found = self._get_per_token_logps_and_entropies(
                self.model, ids, there.long(), mask.shape[1], batch_size=rows, compute_entropy=True
            )
        return found[0], found[1]

    def reference(self) -> AbstractContextManager:
        """Holds the model to its reference inside."""
        model = self.accelerator.unwrap_model(self.model)
        return utils.use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None)

    def after_rollouts(self, output: dict[str, Any]) -> dict[str, Any]:
        """Returns the scored generation batch, perhaps with other advantages."""
        return output

    def order_of(self, output: dict[str, Any]) -> list[int] | None:
        """Returns the order in which the micro-batches take the rows; None = TRL's, which is random."""
        return None

    def complete(self, prompts: list[list[int]], first: int) -> list[list[int]] | None:
        """Returns the completions of a step's rows from number `first` on; None where TRL is to sample them."""
        return None

    def sample_rows(self, prompts: list[list[int]], sample: Callable[[list[list[int]], int], list]) -> list:
        """Returns the completions of the prompts by calling `sample` on all or on parts, with their first row."""
        return sample(prompts, 0)

    present_rows: dict[str, Any] | None = None
    """The micro-batch whose loss is being computed, by name as `after_rollouts` has it."""

    @property
    def has_entropy_bonus(self) -> bool:
        return self._entropy_bonus_enabled

    def scorer_of(self, model, keep: int, score: Callable, options: dict[str, Any]) -> Callable:
        """Returns TRL's `score(ids, mask, batch_size)` of the last `keep` tokens, or another that gives the same."""
        return score

    def score_rows(self, ids, mask, batch_size: int | None, score: Callable) -> tuple:
        """Returns (log-probs, entropies, auxiliary loss) by calling `score(ids, mask, batch_size)`."""
        return score(ids, mask, batch_size)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return self.after_rollouts(super()._generate_and_score_completions(self.before_rollouts(inputs)))

    def _generate(self, prompts: list) -> tuple:
        sampled = super()._generate(prompts)
        self.before_rewards(sampled[0], sampled[1])
        return sampled

    def _prepare_inputs(self, generation_batch):
        shuffled = grpo_trainer.shuffle_sequence_dict

        def arranged(output: dict[str, Any]) -> dict[str, Any]:
            order = self.order_of(output)
            return shuffled(output) if order is None else {name: in_order(rows, order) for name, rows in output.items()}

        grpo_trainer.shuffle_sequence_dict, usual = arranged, grpo_trainer.use_adapter
        grpo_trainer.use_adapter = lambda *_, **__: self.reference()
        try:
            return super()._prepare_inputs(generation_batch)
        finally:
            grpo_trainer.shuffle_sequence_dict, grpo_trainer.use_adapter = shuffled, usual

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations, *rest, **more):
        ask = super()._generate_single_turn
        if self.use_vllm:  # it manages its memory itself
            return ask(prompt_ids, images, multimodal_fields, num_generations, *rest, **more)

        def sample(prompts: list[list[int]], first: int) -> list:
            with evaluating(self.model):  # TRL samples in training mode, where dropout is on
                ours = self.complete(prompts, first)
                return ours or ask(prompts, images, multimodal_fields, num_generations, *rest, **more)[0]

        return self.sample_rows(prompt_ids, sample), None

    def _get_per_token_logps_and_entropies(
        self, model, input_ids, attention_mask, logits_to_keep, batch_size=None, **more
    ):
        ask = super()._get_per_token_logps_and_entropies

        def score(ids, mask, size: int | None = None) -> tuple:
            return ask(model, ids, mask, logits_to_keep, batch_size=size, **more)

        score = self.scorer_of(model, logits_to_keep, score, more)
        return self.score_rows(input_ids, attention_mask, batch_size, score)

    def _compute_loss(self, model, inputs) -> torch.Tensor:
        self.present_rows = inputs
        try:
            return super()._compute_loss(model, inputs)
        finally:
            self.present_rows = None

    def _get_train_sampler(self, dataset=None) -> "EpochSampler":
        sampler = super()._get_train_sampler(dataset)
        return EpochSampler(
            sampler.data_source,
            sampler.mini_repeat_count,
            sampler.batch_size,
            sampler.repeat_count,
            sampler.shuffle,
            sampler.seed,
        )


class LossSeam:
    """Laid before TRL's GRPO: another loss of a micro-batch in place of its own."""

    def loss_of(self, model, inputs: dict[str, Any]) -> torch.Tensor:
        """Returns the loss of a micro-batch, its part of the whole step's."""
        raise NotImplementedError

    def _compute_loss(self, model, inputs) -> torch.Tensor:
        return self.loss_of(self.accelerator.unwrap_model(model), inputs)


class EpochSampler(RepeatSampler):
    """TRL's sampler with an order that follows from seed and epoch alone."""

    def set_epoch(self, epoch: int) -> None:
        """Sets the order of an epoch; accelerate calls it at the start of each."""
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)


def mask_of(rows: list[list[int]]) -> torch.Tensor:
    """Returns (N, T) bool, where rows of token ids have one."""
    lengths = torch.tensor([len(row) for row in rows])
    return torch.arange(int(lengths.max())) < lengths[:, None]


def in_order(rows: Any, order: list[int]) -> Any:
    """Returns a tensor or list of rows in another order; what is not of rows stays as it is."""
    if isinstance(rows, torch.Tensor):
        return rows[order] if rows.ndim else rows
    return [rows[row] for row in order] if isinstance(rows, list) else rows


@contextmanager
def evaluating(model) -> Iterator[None]:
    """Holds the model in evaluation mode inside, and puts each of its modules back into the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, is_training in modes.items():
            module.training = is_training


def random_states() -> list[torch.Tensor]:
    """Returns torch's random states, of the CPU and of every card."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]


def restore_random_states(states: list[torch.Tensor]) -> None:
    """Restores what `random_states` returned, so that what is repeated samples what it sampled."""
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])
