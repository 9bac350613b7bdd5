"""What each row of fine-tuning adds to the loss: towards its completion, or with a negative weight away from it.

Why: incorrect completions teach too. DFT (arXiv 2508.05629): −log p pulls hardest at what the model finds least likely,
and times p it no longer does. TOPR (arXiv 2503.14286): what is pushed away is left alone once it has become unlikely,
which bounds the loss; REDI (arXiv 2505.24850): each completion counts by the mean of its own tokens.
Formula: Σ_t w_t · nll_t of a row, over its number of tokens with `normalize: sequence`. nll = −log p; `dft` times
sg(p); `topr` in rows of negative weight times sg(min(1, exp(Σ log p − mu_logp))), over the whole completion.
How it fails: without `topr` the loss of a negative row has no lower bound; watch `logp/positive` in metrics.jsonl. A
whole completion's ratio is soon near 0 where completions are long, so that negative rows then count little. `mu_logp`
is of the tokens that were sampled, at the temperature of the rollouts; a text may be tokenised otherwise.
Example: `train: {loss: topr, normalize: sequence}`, `data: {kind: rollouts, run: NAME, transforms: [{kind: signed}]}`
"""

from torch import Tensor


def row_losses(
    log_probs_N_T: Tensor, mask_N_T: Tensor, weights_N_T: Tensor, loss: str, normalize: str, mu_logp_N: Tensor | None
) -> Tensor:
    """Returns (N,) what each row adds to the loss; log-probabilities and weights are 0 outside the mask.

    `mu_logp_N` holds the log-probabilities with which the completions were sampled, for the loss `topr` alone.
    """
    nll = -log_probs_N_T
    if loss == "dft":
        nll = nll * log_probs_N_T.detach().exp()
    found = (weights_N_T * nll).sum(dim=1)
    if loss == "topr":
        ratio = (log_probs_N_T.detach().sum(dim=1) - mu_logp_N).clamp(max=0).exp()
        found = found * ratio.where(weights_N_T.sum(dim=1) < 0, 1.0)
    return found / mask_N_T.sum(dim=1).clamp(min=1) if normalize == "sequence" else found


def sign_means(log_probs_N_T: Tensor, mask_N_T: Tensor, weights_N_T: Tensor) -> dict[str, float]:
    """Returns the mean log-probability of a token in rows of positive and of negative weight, where there are both."""
    signs, found = weights_N_T.sum(dim=1), {}
    if (signs < 0).any():
        for name, rows in (("positive", signs > 0), ("negative", signs < 0)):
            if rows.any():
                found[name] = float(log_probs_N_T[rows].sum() / mask_N_T[rows].sum())
    return found
