"""Rollouts: completions of many prompts at once, the schedule of which changes no token."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tinyreason.inference.engines.forcing import Forced, Forcing
from tinyreason.inference.engines.tokens import TokenRule

LOG = logging.getLogger(__name__)


@dataclass
class RolledOut:
    """What `roll_out` found."""

    ids: list[list[int]]
    """Token ids of each row, up to and with its end token."""
    log_probs: list[list[float]] = field(default_factory=list)
    """Of each row's tokens, as the engine computed them; empty where they were not asked for."""
    entropies: list[list[float]] = field(default_factory=list)
    """The same of the distribution that each token was sampled from."""
    certainties: list[float] = field(default_factory=list)
    """Of each row: mean over its tokens of how far the distribution is from uniform, in nats; else empty."""
    forced: list[list[int]] = field(default_factory=list)
    """Of each row: the numbers of its tokens that were put in, not sampled; empty where nothing is."""
    largest: list[Tensor] = field(default_factory=list)
    """Largest logit of each slot at each step; not finite where the model computed nan or infinity."""

    @property
    def is_finite(self) -> bool:
        return bool(torch.isfinite(torch.cat(self.largest)).all())


@torch.no_grad()
def roll_out(
    engine,
    prompts: list[list[int]],
    uniforms_R_T: Tensor,
    rule: TokenRule,
    ends: set[int],
    least: int = 0,
    tell: Callable[[list[int]], None] | None = None,
    keeps_values: bool = False,
    keeps_certainty: bool = False,
    forcing: Forcing | None = None,
) -> RolledOut:
    """Samples a completion of at most T tokens to each of R prompts, token t of row r by `uniforms_R_T[r, t]`.

    A prompt that several rows have is prefilled once, rows that say the same so far are one slot of the engine until
    they differ, and rows that have ended leave the batch. No row ends before its token number `least`. `tell` hears the
    tokens of the rows that are left, step by step. `keeps_values` keeps log-probabilities and entropies;
    `keeps_certainty` keeps how certain each row is. `forcing` has thoughts that are too short continue.
    """
    count, limit = uniforms_R_T.shape
    check_context(engine, max(map(len, prompts)) + limit)
    uniforms_R_T = uniforms_R_T.to(engine.device)
    slot_of: dict[tuple[int, ...], int] = {}
    slots = [slot_of.setdefault(tuple(prompt), len(slot_of)) for prompt in prompts]
    logits = engine.prefill([list(prompt) for prompt in slot_of], count, limit)
    slots, rows = torch.tensor(slots, device=engine.device), torch.arange(count, device=engine.device)
    end_ids = torch.tensor(sorted(ends), dtype=torch.long, device=engine.device)
    said = torch.full((count, limit), -1, device=engine.device)
    values = torch.zeros(2, count, limit, device=engine.device)
    certainty = torch.zeros(count, device=engine.device)
    forced = Forced(forcing, count, limit, engine.device) if forcing else None
    found = RolledOut([])
    for step in range(limit):
        found.largest.append(logits.amax(dim=-1))
        allowed = logits.index_fill(1, end_ids, -torch.inf) if step < least - 1 else logits
        tokens = rule.tokens(allowed, slots, uniforms_R_T[rows, step])
        tokens = forced.replaced(tokens, rows, step) if forced else tokens
        said[rows, step] = tokens
        if keeps_values:
            values[:, rows, step] = rule.values(logits, slots, tokens)
        if keeps_certainty:
            certainty[rows] += rule.certainties(logits)[slots]
        if tell:
            tell(tokens.tolist())
        is_open = ~torch.isin(tokens, end_ids)
        rows, tokens, slots = rows[is_open], tokens[is_open], slots[is_open]
        if step + 1 == limit or not len(rows):
            break
        logits, slots = advance(engine, logits, slots, tokens)
    _fill(found, said, values if keeps_values else None, certainty if keeps_certainty else None)
    found.forced = [places.nonzero()[:, 0].tolist() for places in forced.places_R_T] if forced else []
    return found


def check_context(engine, tokens: int) -> None:
    """Warns where prompt and completion together may have more tokens than the model reads."""
    if engine.context and tokens > engine.context:
        LOG.warning(
            f"prompt and completion together may be longer than the {engine.context:,} tokens that the model was made "
            f"for: lower train.max_completion_tokens and evaluation.max_completion_tokens (--max-tokens of eval)"
        )


def _fill(found: RolledOut, said_R_T: Tensor, values_2_R_T: Tensor | None, certainty_R: Tensor | None) -> None:
    """Writes down each row's tokens, -1 behind its end, their log-probabilities and entropies, and its certainty."""
    found.ids = [[token for token in row if token >= 0] for row in said_R_T.tolist()]
    if values_2_R_T is not None:
        found.log_probs, found.entropies = (
            [row[: len(ids)] for row, ids in zip(its, found.ids, strict=True)] for its in values_2_R_T.tolist()
        )
    if certainty_R is not None:
        found.certainties = [total / len(ids) for total, ids in zip(certainty_R.tolist(), found.ids, strict=True)]


def advance(engine, logits_N_V: Tensor, slots_R: Tensor, tokens_R: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the logits behind the rows' next tokens, and the slot of each row: one for all that say the same."""
    size = logits_N_V.shape[1]
    children, child_of_row = torch.unique(slots_R * size + tokens_R, return_inverse=True)
    parents, tokens = (children // size).tolist(), children % size
    if parents == list(range(len(logits_N_V))):
        return engine.step(tokens), child_of_row
    places = torch.tensor(engine.arrange(parents), device=engine.device)
    return engine.step(torch.empty_like(tokens).index_copy_(0, places, tokens)), places[child_of_row]
