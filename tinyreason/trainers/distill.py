"""On-policy distillation: at each token of its own rollouts the student follows a teacher's probabilities.

Rollouts, grading, checkpoints and the OOM retry are GRPO's; the loss is TRL's generalised Jensen-Shannon divergence
over the whole vocabulary, in chunks. Rollouts are graded for the report alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

from tinyreason import processes
from tinyreason.config.train_distill import ROLLOUT
from tinyreason.example import Example
from tinyreason.models.fast_linear import fast_linears
from tinyreason.models.training_rows import encoded, prompt_of
from tinyreason.rollout import Batch
from tinyreason.runs.checkpoint import CheckpointManager
from tinyreason.trainers.grpo import LeafGRPOTrainer
from tinyreason.trainers.oom import count_rows
from tinyreason.trainers.session import TrainingSession, Watch
from tinyreason.trainers.trl_seam import LossSeam, evaluating, in_order, mask_of

DEMONSTRATION = (
    "{problem}\n\nThis is an example of a response to the question:\n{demonstration}\n\n"
    "Now answer with a response of your own, including the reasoning."
)
"""What a teacher reads that is shown a demonstration, before the run's own prompt. Not checked against a paper."""
ROLLED = "{problem}\nCorrect solution:\n\n{demonstration}\n\n\n\nCorrectly solve the original question.\n"
"""What it reads that is shown a rollout, as TRL's SDPO has it."""
OF_REWARDS = {"reward", "reward_std", "frac_reward_zero_std", "kl"}
"""TRL's metrics that mean nothing where nothing is rewarded."""


class DistillTrainer(LossSeam, LeafGRPOTrainer):
    """TRL's GRPO with the divergence from a teacher for its loss."""

    metric_names = {"loss": "loss"} | {
        theirs: ours for theirs, ours in LeafGRPOTrainer.metric_names.items() if theirs not in OF_REWARDS
    }

    def run(self) -> None:
        teacher = self.session.teacher
        with nullcontext() if teacher is None or self.is_plain else fast_linears(teacher):
            super().run()

    def order_of(self, output: dict[str, Any]) -> list[int]:
        """Returns an order in which rows of like length stand in a micro-batch, which the loss does not depend on."""
        lengths = output["completion_mask"].sum(dim=1).tolist()
        return sorted(range(len(lengths)), key=lengths.__getitem__)

    def after_rollouts(self, output: dict[str, Any]) -> dict[str, Any]:
        output = super().after_rollouts(output)
        shows, examples = self.session.config.teacher_model.demonstration, self.scorer.asked_examples
        if not shows:
            return output
        session, device = self.session, output["prompt_ids"].device
        layout, shown = DEMONSTRATION, [example.completion or example.answer for example in examples]
        if shows == ROLLOUT:
            layout, shown = ROLLED, processes.by_main(lambda: solved_by_others(self.scorer.batch))
            output["is_taught"] = torch.tensor([text is not None for text in shown], device=device)
            output["num_items_in_batch"] = output["completion_mask"][output["is_taught"]].sum()
            self.add_metric("teacher/share_taught", float(output["is_taught"].float().mean()))
        read = [demonstrated(*one, layout) for one in zip(examples, shown, strict=True)]
        prompts = [encoded(session.tokenizer, prompt_of(session.config, session.tokenizer, one)) for one in read]
        output["teacher_ids"], output["teacher_mask"] = (part.to(device) for part in padded_left(prompts))
        return output

    def row_parts(self, inputs: dict[str, Any], num_items_in_batch) -> list[dict[str, Any]]:
        count = count_rows(inputs)
        rows = self.limits.rows or count
        numbers = [list(range(count))[at : at + rows] for at in range(0, count, rows)]
        return [{name: in_order(value, part) for name, value in inputs.items()} for part in numbers]

    def loss_of(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor:
        if "is_taught" in inputs:
            taught = inputs["is_taught"].nonzero().flatten().tolist()
            if not taught:
                return sum(parameter.sum() for parameter in model.parameters() if parameter.requires_grad) * 0.0
            inputs = {name: in_order(value, taught) for name, value in inputs.items()}
        mask = inputs["completion_mask"]
        mask = mask[:, : int(mask.sum(dim=1).max())]
        completions = (inputs["completion_ids"][:, : mask.shape[1]], mask)
        prompts = (inputs["prompt_ids"], inputs["prompt_mask"])
        read = (inputs["teacher_ids"], inputs["teacher_mask"]) if "teacher_ids" in inputs else prompts
        with torch.no_grad(), self.teaching(model) as teacher:
            theirs = states_before(teacher, read, completions)
        ours = states_before(model, prompts, completions)
        beta = self.session.config.train.beta
        divergence, entropies = divergences(
            (ours, transformers_model(model)), (theirs, transformers_model(teacher)), beta, self.temperature
        )
        self.add_metric("entropy", float(entropies.mean()))
        return divergence.sum() / inputs["num_items_in_batch"].clamp(min=1.0)

    @contextmanager
    def teaching(self, model: nn.Module) -> Iterator[nn.Module]:
        """Gives the teacher inside: another model, or the student as it was, or as it was on average."""
        if self.session.teacher is not None:
            yield self.session.teacher
            return
        with evaluating(model), self.reference():
            yield model


def divergences(student: tuple, teacher: tuple, beta: float, temperature: float) -> tuple[Tensor, Tensor]:
    """Returns TRL's generalised Jensen-Shannon divergence (tokens,) of two models, and the student's entropies.

    Each is (hidden states (tokens, width), model). No logits are held whole. Only tokens that both have are compared:
    models of one family may have heads of several sizes, padded behind the last token of their tokenizer.
    """
    heads = [model.get_output_embeddings() for _, model in (student, teacher)]
    size, parts, scales = min(len(head.weight) for head in heads), [], []
    for (hidden, model), head in zip((student, teacher), heads, strict=True):
        parts += [hidden.to(head.weight.device), head.weight[:size], None if head.bias is None else head.bias[:size]]
        scales += logit_scale(model.config.get_text_config())
    return ChunkedDivergenceFunction.apply(*parts, beta, temperature, *scales)


def logit_scale(config) -> tuple[float, float | None]:
    """Returns by what a model multiplies its logits, and the bound that it then holds them under."""
    named = (getattr(config, name, None) for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"))
    scale = next((value for value in named if value is not None), None)
    divisor = getattr(config, "logits_scaling", None)
    if scale is None and divisor is not None:
        scale = divisor if config.model_type == "hyperclovax" else 1 / divisor
    return 1.0 if scale is None else scale, getattr(config, "final_logit_softcapping", None)


def transformers_model(model: nn.Module) -> nn.Module:
    """Returns a model of transformers, without PEFT's around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def states_before(model: nn.Module, prompts: tuple[Tensor, Tensor], completions: tuple[Tensor, Tensor]) -> Tensor:
    """Returns the last hidden states (tokens, width) from which each token of the completions is predicted."""
    ids, mask = (torch.cat(parts, dim=1) for parts in zip(prompts, completions, strict=True))
    hidden = transformers_model(model).base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    return hidden[:, -completions[0].shape[1] - 1 : -1][completions[1].bool()]


def padded_left(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Returns rows of token ids as (N, T), padded on the left, and where they have one."""
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_side="left")
    return ids, mask_of(rows).flip(1).long()


def solved_by_others(batch: Batch) -> list[str | None]:
    """Returns, for each of N rollouts, the first other one of its problem that is correct; None where there is none."""
    found: list[str | None] = []
    for row, group in enumerate(batch.group.tolist()):
        others = set(range(group * batch.group_size, (group + 1) * batch.group_size)) - {row}
        found.append(next((batch.texts[n] for n in sorted(others) if batch.correct[n] == 1), None))
    return found


def demonstrated(example: Example, shown: str | None, layout: str = DEMONSTRATION) -> Example:
    """Returns a problem with a text below it; without a text as it is."""
    *history, last = example.messages
    text = layout.format(problem=last["content"], demonstration=shown) if shown else last["content"]
    return replace(example, messages=(*history, {**last, "content": text}))


def train(
    session: TrainingSession, examples: list[Example], watch: Watch, checkpoints: CheckpointManager | None = None
) -> None:
    """Trains the session's adapter; every rollout and every step's metrics go to its folder."""
    DistillTrainer(session, examples, watch, checkpoints).run()
