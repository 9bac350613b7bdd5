"""The rollouts of a step: sampled by an engine of ours, each row with random numbers of its own."""

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from trl import GRPOConfig

from tinyreason.inference.engines import EngineName, RolloutDtype, make_engine
from tinyreason.inference.engines.forcing import Forcing
from tinyreason.inference.engines.loop import roll_out
from tinyreason.inference.engines.tokens import TokenRule, uniforms_of
from tinyreason.inference.engines.tree import Drafts, grow_rollouts, is_worth_it

THEIRS = {"use_vllm": False, "use_transformers_continuous_batching": False, "repetition_penalty": 1.0}
"""Options of TRL's config with which TRL samples itself → their values where it need not."""
OURS_OF_GENERATE = {"min_new_tokens"}
"""What of TRL's `generation_kwargs` is done here too."""


def samples_itself(arguments: GRPOConfig, engine: EngineName) -> bool:
    """Returns whether TRL is to sample: it is asked to, or for what is not done here."""
    others = set(arguments.generation_kwargs or ()) - OURS_OF_GENERATE
    return engine == "trl" or bool(others) or any(getattr(arguments, name) != usual for name, usual in THEIRS.items())


@dataclass
class RolloutSampler:
    """Samples the rows of a step; a row depends on the weights, its prompt, the seed, the step and its number alone."""

    arguments: GRPOConfig
    ends: set[int]
    """Tokens that end a completion."""
    engine: EngineName
    dtype: RolloutDtype = "auto"
    keeps_values: bool = False
    """Whether anybody asks for `values`."""
    forcing: Forcing | None = None
    """What is put in where a thought is too short, and when; a plan rolls out then."""
    forced: dict[int, list[int]] = field(default_factory=dict)
    """Row of the last call → the numbers of its tokens that were put in."""
    server: Any = None
    """The `ServedModel` that samples in this process's place."""
    drafts: Drafts = field(default_factory=Drafts)
    values: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    """Row of the step → its tokens' log-probabilities and entropies as they were sampled, but for drafted rows.

    A server tells no entropies: they are empty.
    """
    tokens: int = 0
    """How many were sampled in the present step."""

    def sample(
        self, model, prompts: list[list[int]], step: int, first: int, limit: int, call: int | None = None
    ) -> list[list[int]]:
        """Returns the token ids of the step's rows from number `first` on, at most `limit` of each.

        `call` counts the times that a plan asks in a step, each with random numbers of its own.
        """
        rows = self.sampled(model, prompts, step, first, limit, call)
        self.tokens += sum(map(len, rows))
        return rows

    def sampled(
        self, model, prompts: list[list[int]], step: int, first: int, limit: int, call: int | None
    ) -> list[list[int]]:
        """Returns the same, uncounted."""
        seed, of_call = self.arguments.seed, [call] if call else []
        seeds = [[seed, step, first + row, *of_call] for row in range(len(prompts))]
        least = (self.arguments.generation_kwargs or {}).get("min_new_tokens", 0)
        if self.server:
            return self.by_server(model, prompts, seeds, first, limit, least)
        uniforms = uniforms_of(seeds, limit)
        engine = make_engine(
            model, self.engine, len(prompts), None if self.dtype == "auto" else getattr(torch, self.dtype)
        )
        if least or self.dtype != "auto" or call is not None or not is_worth_it(engine):
            keeps = self.keeps_values and call is None
            options = {"keeps_values": keeps, "forcing": self.forcing}
            found = roll_out(engine, prompts, uniforms, self.rule(), self.ends, least, **options)
            self.forced |= {first + row: places for row, places in enumerate(found.forced)}
            kept = zip(found.log_probs, found.entropies, strict=True)
            self.values |= {first + row: its for row, its in enumerate(kept)}
            return found.ids
        tries = self.drafts.tries()
        if all(tuple(prompt) in tries for prompt in prompts):
            rows = grow_rollouts(engine, prompts, uniforms, self.rule(), self.ends, tries)
        else:
            rows = roll_out(engine, prompts, uniforms, self.rule(), self.ends).ids
        self.drafts.learn(step, prompts, rows)
        return rows

    def by_server(
        self, model, prompts: list[list[int]], seeds: list[list[int]], first: int, limit: int, least: int
    ) -> list[list[int]]:
        """Returns what the server samples."""
        from tinyreason.inference.engines.vllm_server import Asked

        asked = [
            Asked(prompt, seed, limit, self.arguments.temperature, least=least)
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        found = dict(self.server.completions(model, asked, keeps_log_probs=True))
        self.values |= {first + row: (answer.log_probs, []) for row, answer in found.items()}
        return [found[row].ids for row in range(len(prompts))]

    @property
    def is_foreign(self) -> bool:
        """Whether rows are sampled from other numbers than those that are trained, as each token's weight then says."""
        return self.dtype != "auto" or self.server is not None

    def found(self, step: int) -> tuple[dict, dict, list]:
        """Returns what is known of the rows that were sampled here in this step, for other processes: `take` it."""
        return self.values, self.forced, self.drafts.of(step)

    def take(self, step: int, parts: list[tuple[dict, dict, list]]) -> None:
        """Takes what all processes found of a step, in the order of its rows."""
        self.values = {row: its for values, _, _ in parts for row, its in values.items()}
        self.forced = {row: places for _, forced, _ in parts for row, places in forced.items()}
        self.drafts.replace(step, [pair for _, _, pairs in parts for pair in pairs])

    def taken_values(self, mask_N_T: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """Returns the step's log-probabilities and entropies (N, T), 0 where no token is; None for what is unknown."""
        taken = self.values
        if len(taken) < len(mask_N_T):
            return None
        found = torch.zeros(2, *mask_N_T.shape, device=mask_N_T.device)
        for row, values in taken.items():
            for known, its in zip(found, values, strict=True):
                known[row, : len(its)] = torch.tensor(its)
        return found[0], None if self.server else found[1]

    def logp_sums(self, rows: int) -> torch.Tensor | None:
        """Returns the sum of each of the step's rows' log-probabilities (N,); None if some are unknown."""
        if len(self.values) < rows:
            return None
        return torch.tensor([sum(self.values[row][0]) for row in range(rows)])

    def rule(self) -> TokenRule:
        """Returns how a token is chosen by the logits."""
        arguments, warpers = self.arguments, []
        if arguments.top_k:
            warpers.append(TopKLogitsWarper(arguments.top_k))
        if arguments.top_p < 1:
            warpers.append(TopPLogitsWarper(arguments.top_p))
        if arguments.min_p:
            warpers.append(MinPLogitsWarper(arguments.min_p))
        return TokenRule(arguments.temperature, warpers)
