"""A step that processes share: each samples, scores and differentiates its own rows, and all take the same step.

TRL and transformers know of one process: each of them has the step's whole batch, so that whatever looks at groups, at
the batch or at histories is as it is with one. Shared out are the rows that are sampled, the rows that are scored
without a gradient, and the step's micro-batches, whose gradients are added up before the norm is clipped.
"""

from collections.abc import Callable
from typing import Any

import torch

from tinyreason import processes
from tinyreason.errors import Stopped
from tinyreason.trainers.trl_seam import METRICS, TOKENS, RolloutSeam

PRIME = 2**61 - 1


class SharedSteps:
    """Laid before a trainer of TRL: of a step's micro-batches each process takes its own."""

    tokens_of_passes: int = 0
    """What the passes of the present step have counted of the tokens that were trained on."""

    def shared_out(self, passes: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Returns the loss of a micro-batch after its passes; 0 where another process has them.

        Its random numbers (dropout) follow from seed, step and its number alone; those of the step are left as they
        were, and so are the same in every process.
        """
        number = len(self.finite.losses)
        if processes.count() == 1:
            return passes()
        if not processes.dealt_to_us(number):
            return torch.zeros((), device=self.args.device)
        before = self.counters().get(TOKENS, 0)
        with torch.random.fork_rng():
            torch.manual_seed(hash((self.args.seed, self.state.global_step, number)) % PRIME)
            loss = passes()
        self.tokens_of_passes += int(self.counters().get(TOKENS, 0) - before)
        return loss

    def summed(self, loss: torch.Tensor) -> torch.Tensor:
        """Adds up the gradients of the step's micro-batches over the processes.

        `loss` is of the last of them; returned is what the other processes' losses add to it too.
        """
        if processes.count() == 1:
            return loss
        trained = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        own = torch.stack([one.float() for one in self.finite.losses]).sum()
        total = own.clone()
        processes.add_up([total, *(parameter.grad for parameter in trained)])
        self.finite.losses = [total]
        return loss + (total - own)

    def log(self, logs: dict[str, float], *more: Any, **named: Any) -> None:
        if processes.count() > 1:
            self.gather_metrics()
        super().log(logs, *more, **named)

    def gather_metrics(self) -> None:
        """Has the step's metrics be of all processes' micro-batches. Errors: `Stopped` where their weights differ."""
        weights = sum(float(p.detach().double().sum()) for p in self.model.parameters() if p.requires_grad)
        counters = self.loss_counters()
        found = processes.gather((weights, counters[METRICS]["train"], self.tokens_of_passes))
        if len({repr(theirs) for theirs, _, _ in found}) > 1:
            raise Stopped(
                f"after step {self.state.global_step} the processes hold different weights: they compute on unlike "
                f"hardware, or something of the step is not shared out rightly; leave processes= out"
            )
        ours = counters[METRICS]["train"]
        for name in sorted({name for _, theirs, _ in found for name in theirs}):
            ours[name] = [value for _, theirs, _ in found for value in theirs.get(name, ())]
        if self.tokens_of_passes:
            tokens = counters[TOKENS] + sum(theirs for _, _, theirs in found) - self.tokens_of_passes
            counters[TOKENS], ours["num_tokens"] = tokens, [tokens]
        self.tokens_of_passes = 0
        self.restore_loss_counters(counters)


class SharedRollouts(RolloutSeam):
    """Laid before TRL's GRPO: of a step's rows each process samples, and scores without a gradient, its own."""

    def sample_rows(self, prompts: list[list[int]], sample: Callable[[list[list[int]], int], list]) -> list:
        own, step, of_ours = processes.share(len(prompts)), self.scorer.step, self.rollouts
        if len(own) == len(prompts):
            before = of_ours and of_ours.tokens
            rows = super().sample_rows(prompts, sample)
            if not processes.is_main():  # what all of them sample counts once
                of_ours.tokens = before
            return rows
        mine = prompts[own.start : own.stop]
        rows = super().sample_rows(mine, lambda some, first: sample(some, own.start + first))
        parts = processes.gather((rows, of_ours.found(step)))
        of_ours.take(step, [found for _, found in parts])
        return [row for theirs, _ in parts for row in theirs]

    def score_rows(self, ids: torch.Tensor, mask: torch.Tensor, batch_size: int | None, score: Callable) -> tuple:
        own = processes.share(len(ids))
        if torch.is_grad_enabled() or self.present_rows is not None or len(own) == len(ids):
            return super().score_rows(ids, mask, batch_size, score)
        mine = slice(own.start, own.stop)
        found = super().score_rows(ids[mine], mask[mine], batch_size, score)
        parts = zip(*processes.gather([value if value is None else value.cpu() for value in found]), strict=True)
        log_probs, entropies, auxiliary = (None if part[0] is None else list(part) for part in parts)
        return (
            torch.cat(log_probs).to(ids.device),
            entropies and torch.cat(entropies).to(ids.device),
            auxiliary and torch.stack(auxiliary).mean().to(ids.device),
        )
