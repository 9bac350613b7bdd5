"""Log-probabilities of rows that share prompts and beginnings, each of which goes through the model once.

They stand in one packed sequence (`models.packed_rows`). Equal to rows side by side up to rounding, gradients too, and
adapters, quantised bases and gradient checkpointing stay as they are. A model with which that cannot be done is scored
as TRL does it; `obstacle` says why.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tinyreason.models.head_log_probs import HeadLogProbs
from tinyreason.models.load import is_out_of_memory
from tinyreason.models.packed_rows import Packed, pack_rows
from tinyreason.models.shared_attention import NAME
from tinyreason.trainers.trl_seam import RolloutSeam, attention_of, chunked_log_probs, evaluating

LAYER_KINDS = {"full_attention", "sliding_attention"}
"""Kinds of layers in a model's config that attention to a packed sequence replaces."""
RESCALED_LOGITS = {
    "final_logit_softcapping": None,
    "logit_scale": 1,
    "output_multiplier": 1,
    "lm_head_multiplier": 1,
    "logits_scaling": 1,
}
"""What a config calls a change to the logits → its value where it changes nothing."""
SAMPLED_ENTROPIES = "sampled_entropies"
"""What a batch calls the entropies (rows, tokens) that its rows were sampled with: those of rows that teach nothing."""
PROBE = ([5, 6, 7], [8, 9], [8, 10, 11])
"""A prompt and two completions, on which the packed model is compared with its own forward pass."""


def log_probs(model: nn.Module, packed: Packed, temperature: float, bonus: bool = False) -> tuple[Tensor, Tensor]:
    """Returns log-probabilities and entropies (rows, completion tokens) of a transformers model, 0 where there is none.

    `bonus` says whether the entropies have a gradient too.
    """
    model.set_attn_implementation(NAME)  # for good: layers that are checkpointed run again in the backward pass
    no_mask = torch.empty(
        1, 1, 1, 1, device=packed.tokens.device
    )  # of four dimensions, which transformers leaves alone
    hidden = model.base_model(
        input_ids=packed.tokens,
        position_ids=packed.positions,
        attention_mask=no_mask,
        use_cache=False,
        shares=packed.shares,
    ).last_hidden_state
    head = model.get_output_embeddings()
    before = hidden[0].to(head.weight.device).index_select(0, packed.sources)
    is_frozen = not head.weight.requires_grad and before.dtype == head.weight.dtype
    if is_frozen and before.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        values = HeadLogProbs.apply(before, head.weight, head.bias, packed.targets, temperature, bonus)
    else:
        values = chunked_log_probs(before, head, packed.targets, temperature)
    is_there, target = packed.found >= 0, packed.found.clamp(min=0)
    return tuple(torch.where(is_there, value[target], 0.0) for value in values)


def together(ids: Tensor, rows: int) -> list[Tensor]:
    """Returns the numbers of all rows in parts of at most `rows`, those that begin alike in one part where it fits."""
    values = ids.tolist()
    return list(torch.tensor(sorted(range(len(values)), key=values.__getitem__), device=ids.device).split(rows))


def in_parts(parts: list[Tensor], results: list[tuple]) -> tuple:
    """Returns the (log-probs, entropies, auxiliary loss) of all rows from those of parts of them."""
    order = torch.cat(parts).argsort()
    log_probs, entropies, auxiliary = zip(*results, strict=True)
    return (
        torch.cat(log_probs)[order],
        None if entropies[0] is None else torch.cat(entropies)[order],
        None if auxiliary[0] is None else torch.stack(auxiliary).mean(),
    )


def obstacle(model: nn.Module, tokens: int = 0) -> str | None:
    """Returns why rows of so many tokens cannot share what they begin with in this transformers model, or None."""
    config = model.config.get_text_config()
    if attention_of(model) not in ("sdpa", NAME):
        return f"the attention is {attention_of(model)}, which takes no mask of ours"
    if type(model).__module__.startswith("transformers_modules"):
        return "the model's code is not that of transformers"
    if others := set(getattr(config, "layer_types", None) or ()) - LAYER_KINDS:
        return f"the model has layers of another kind than attention ({', '.join(sorted(others))})"
    if any(getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts")):
        return "the model is a mixture of experts"
    window = getattr(config, "sliding_window", None)
    if window and getattr(config, "use_sliding_window", True) and tokens > window:
        return f"rows of {tokens} tokens are longer than the model's window of {window}"
    changed = [name for name, same in RESCALED_LOGITS.items() if getattr(config, name, None) not in (None, same)]
    if changed:
        return f"the model changes its logits ({changed[0]})"
    if getattr(config, "attention_dropout", 0) or any(isinstance(m, nn.Dropout) and m.p for m in model.modules()):
        return "there is dropout, which rows side by side sample each for itself"
    return None


@torch.no_grad()
def probe_packing(model: nn.Module) -> str | None:
    """Returns how the packed model differs from its own forward pass on a few tokens, or None."""
    prompt, *completions = PROBE
    keep, device = max(map(len, completions)), next(model.parameters()).device
    rows = [prompt + completion + [0] * (keep - len(completion)) for completion in completions]
    there = [[1] * len(prompt + completion) + [0] * (keep - len(completion)) for completion in completions]
    ids, mask = torch.tensor(rows, device=device), torch.tensor(there, device=device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, len(prompt) - 1 : -1]
    own = logits.float().log_softmax(-1).gather(2, ids[:, len(prompt) :, None])[..., 0] * mask[:, len(prompt) :]
    is_exact = logits.dtype == torch.float32 and not getattr(model, "is_quantized", False)
    for way in ("trees", "rows", "whole"):
        try:
            ours, _ = log_probs(model, pack_rows(ids, mask, keep, 1, way), 1.0)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            if is_out_of_memory(error):
                raise
            return f"the model takes no packed rows ({type(error).__name__}: {str(error).splitlines()[0][:80]})"
        if not torch.allclose(ours, own, rtol=0, atol=1e-3 if is_exact else 0.2):
            return f"the model computes something else of packed rows (by {(ours - own).abs().max():.2g})"
    return None


class SharedPrefixes(RolloutSeam):
    """Laid before TRL's GRPO: scores rows with what they share, and those without advantage without a gradient."""

    probed: bool = False
    probe_found: str | None = None
    obstacles: tuple[str, ...] = ()
    """Why rows were scored as TRL does it; each is said once."""

    def scorer_of(self, model, keep: int, score: Callable, options: dict[str, Any]) -> Callable:
        if self.args.top_entropy_quantile < 1:  # rounding decides which of equal tokens is above the quantile
            return score
        model = self.accelerator.unwrap_model(model)
        model = model.get_base_model() if hasattr(model, "get_base_model") else model
        wants_entropy = options.get("compute_entropy", False)
        is_text = all(value in (None, False) for name, value in options.items() if name != "compute_entropy")

        def score_shared(ids: Tensor, mask: Tensor, size: int | None = None) -> tuple:
            has_prompts = bool(mask[:, : ids.shape[1] - keep].any(dim=1).all())
            if not (is_text and has_prompts) or self.is_hindered(model, ids.shape[1]):
                return score(ids, mask, size)
            parts = together(ids, size or len(ids))
            return in_parts(parts, [score_packed(ids[part], mask[part]) for part in parts])

        def score_packed(ids: Tensor, mask: Tensor) -> tuple:
            packed = pack_rows(ids, mask, keep, model.config.get_text_config().hidden_size)
            if packed is None:
                values = self.without_tokens(len(ids), keep)
            else:
                with self.accelerator.autocast():
                    values = log_probs(model, packed, self.temperature, self.has_entropy_bonus)
            return values[0], values[1] if wants_entropy else None, None

        return score_shared

    def is_hindered(self, model: nn.Module, tokens: int) -> bool:
        """Returns whether rows of so many tokens are scored as TRL does it, and says why the first time."""
        why = obstacle(model, tokens)
        if not (why or self.probed):
            with evaluating(model), self.accelerator.autocast():
                self.probe_found, self.probed = probe_packing(model), True
        why = why or self.probe_found
        if why and why not in self.obstacles:
            self.obstacles += (why,)
            self.limits.say(f"rows are scored one by one, without sharing their prompts: {why}")
        return bool(why)

    def order_of(self, output: dict[str, Any]) -> list[int] | None:
        """Returns an order in which micro-batches share prompts, groups without advantage last: TRL's tears them apart.

        Not where there is one micro-batch, nor where what stands in one decides its loss: bnpo averages over it, and
        the tokens of highest entropy are those of it.
        """
        if self.args.steps_per_generation == 1 or self.loss_type == "bnpo" or self.args.top_entropy_quantile < 1:
            return None
        group, advantages = self.num_generations, output["advantages"]
        learns = (advantages.view(len(advantages), -1) != 0).any(dim=1).view(-1, group).any(dim=1).tolist()
        completions = output["completion_ids"].tolist()
        return sorted(
            range(len(completions)), key=lambda row: (not learns[row // group], row // group, completions[row])
        )

    def score_rows(self, ids: Tensor, mask: Tensor, batch_size: int | None, score: Callable) -> tuple:
        learning = self.learning_rows() if torch.is_grad_enabled() else None
        if learning is None or learning.all():
            return super().score_rows(ids, mask, batch_size, score)
        parts = [rows for rows in (learning.nonzero()[:, 0], (~learning).nonzero()[:, 0]) if len(rows)]
        results = []
        for rows in parts:
            if not learning[rows[0]] and SAMPLED_ENTROPIES in self.present_rows:
                entropies = self.present_rows[SAMPLED_ENTROPIES][rows]
                results.append((torch.zeros_like(entropies), entropies, None))
                continue
            with torch.set_grad_enabled(bool(learning[rows[0]])):
                results.append(super().score_rows(ids[rows], mask[rows], len(rows), score))
        log_probs, entropies, auxiliary = in_parts(parts, results)
        return log_probs if log_probs.requires_grad else log_probs + self.nothing(), entropies, auxiliary

    def learning_rows(self) -> Tensor | None:
        """Returns which rows (rows,) of the present micro-batch have a gradient; None where all may have one."""
        if self.present_rows is None or self.beta or self.has_entropy_bonus:
            return None
        advantages = self.present_rows["advantages"]
        return advantages != 0 if advantages.dim() == 1 else (advantages != 0).any(dim=1)

    def without_tokens(self, rows: int, keep: int) -> tuple[Tensor, Tensor]:
        """Returns the log-probabilities and entropies of rows whose completions have no tokens that count."""
        zeros = torch.zeros(rows, keep, device=self.accelerator.device)
        return zeros + self.nothing(), zeros

    def nothing(self) -> Tensor:
        """Returns 0, with a gradient of 0 for all that is trained, so that the optimizer takes its step as ever."""
        return sum(0.0 * p.float().sum() for p in self.model.parameters() if p.requires_grad)
