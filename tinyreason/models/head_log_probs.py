"""Log-probabilities under a frozen vocabulary head on a CPU, a few tokens at a time, the logits made once.

The gradient of a token's log-probability is a row of its own: that of the target's weights minus the mean of all rows
of the head under the probabilities. It is computed beside the log-probability, while the logits are at hand, and only
multiplied on the way back: two products with the head, where making the logits anew takes three.
"""

import torch
from torch import Tensor

from tinyreason.models.fast_linear import frozen_linear

ROWS = 256
"""Tokens whose logits are made at once."""


class HeadLogProbs(torch.autograd.Function):
    """(hidden, head, bias, targets, temperature, whether the entropy has a gradient) → (log-probs, entropies)."""

    @staticmethod
    def forward(
        ctx, hidden: Tensor, head: Tensor, bias: Tensor | None, targets: Tensor, temperature: float, bonus: bool
    ):
        log_probs = hidden.new_empty(len(hidden), dtype=torch.float32)
        entropies = torch.empty_like(log_probs)
        is_trained = ctx.needs_input_grad[0]
        of_log_prob = torch.empty_like(hidden) if is_trained else None
        of_entropy = torch.empty_like(hidden) if is_trained and bonus else None
        for at in range(0, len(hidden), ROWS):
            rows = slice(at, at + ROWS)
            target = targets[rows, None]
            logits = frozen_linear(hidden[rows], head, bias).float()
            if temperature != 1:
                logits = logits.div_(temperature)
            logits -= logits.logsumexp(-1, keepdim=True)
            log_probs[rows] = logits.gather(1, target)[:, 0]
            probs = logits.exp()
            entropies[rows] = -torch.linalg.vecdot(probs, logits)
            if of_entropy is not None:
                slope = (logits + entropies[rows, None]).mul_(probs)
                of_entropy[rows] = frozen_linear(slope.to(head.dtype), head.t(), None) / -temperature
            if is_trained:
                probs.scatter_add_(1, target, torch.full_like(target, -1, dtype=probs.dtype))
                of_log_prob[rows] = frozen_linear(probs.to(head.dtype), head.t(), None) / -temperature
        ctx.save_for_backward(of_log_prob, of_entropy)
        if not bonus:
            ctx.mark_non_differentiable(entropies)
        return log_probs, entropies

    @staticmethod
    def backward(ctx, log_prob: Tensor, entropy: Tensor | None):
        of_log_prob, of_entropy = ctx.saved_tensors
        gradient = of_log_prob * log_prob[:, None]
        if of_entropy is not None:
            gradient += of_entropy * entropy[:, None]
        return gradient.to(of_log_prob.dtype), None, None, None, None, None
