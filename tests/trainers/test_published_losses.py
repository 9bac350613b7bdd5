"""At one update for each generation TRL's loss with our per-token weights has the gradient of the published loss.

In double precision, on the logits of every position: the published loss is written out plainly, TRL's is TRL's.
"""

from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from trl import GRPOTrainer

from tinyreason.algorithms.advantages import ADVANTAGES, estimate
from tinyreason.store import Store

VOCABULARY, TEXTS = 7, ["x", "xxx", "xx", "xxx", "xx", "x", "xxx", "x"]
CORRECT = [1.0, 0, 0, 1, 0, 1, 0, 0]
"""Two groups of four."""


@pytest.fixture
def scored(batch_of):
    """(logits (N, T, V) that the gradient is of, tokens, their batch in double precision)."""
    torch.manual_seed(0)
    batch = batch_of(TEXTS, CORRECT, CORRECT, 4)
    logits = torch.randn(*batch.mask.shape, VOCABULARY, dtype=torch.float64).requires_grad_()
    tokens = torch.randint(VOCABULARY, batch.mask.shape)
    logp, entropy = (values.detach().where(batch.mask, 0.0) for values in of_tokens(logits, tokens))
    reference = torch.randn(batch.mask.shape, dtype=torch.float64).where(batch.mask, 0.0) - 1
    known = {"logp": logp, "entropy": entropy, "ref_logp": reference, "reward": batch.reward.double()}
    return logits, tokens, replace(batch, correct=batch.correct.double(), **known)


def of_tokens(logits, tokens):
    """Log-probabilities of the tokens and entropies, (N, T)."""
    logs = logits.log_softmax(-1)
    return logs.gather(2, tokens[..., None])[..., 0], -(logs.exp() * logs).sum(-1)


def trl_gradient(logits, tokens, batch, advantages, loss):
    """The gradient of TRL's own loss, given the advantages."""
    trl = SimpleNamespace(
        top_entropy_quantile=1.0,
        aux_loss_enabled=False,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=0.0,
        loss_type=loss,
        epsilon_low=0.2,
        epsilon_high=0.2,
        use_vllm=False,
        max_completion_length=4,
        current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(delta=None, steps_per_generation=1),
        accelerator=SimpleNamespace(num_processes=1, gather=lambda value: value, reduce=lambda value, **_: value),
        _get_per_token_logps_and_entropies=lambda *_, **__: (*of_tokens(logits, tokens), None),
    )
    inputs = {
        "prompt_ids": tokens[:, :0],
        "prompt_mask": tokens[:, :0],
        "completion_ids": tokens,
        "completion_mask": batch.mask.long(),
        "advantages": advantages,
        "num_items_in_batch": batch.mask.sum(),
    }
    return torch.autograd.grad(GRPOTrainer._compute_loss(trl, None, inputs), logits)[0]


def chain(*kinds, **options):
    return [ADVANTAGES[kind](**(options if kind == kinds[-1] else {})) for kind in kinds]


def close(one, other):
    assert other.abs().max() > 1e-4
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def row_means(logits, tokens, batch):
    logp = of_tokens(logits, tokens)[0]
    return (logp * batch.mask).sum(1) / batch.mask.sum(1)


@pytest.mark.parametrize("tau", [0.3, 10.0])
def test_disco(scored, tau):
    logits, _, batch = scored
    advantages = estimate(chain("disco", tau=tau), batch, torch.zeros(8), Store())
    loss = 0.0
    for score, correct in zip(row_means(*scored).split(4), batch.correct.split(4), strict=True):
        up, down = score[correct == 1], score[correct == 0]
        loss = loss - (up.mean() - tau * (down / tau).exp().mean().log()) / 2
    assert close(trl_gradient(*scored, advantages, "grpo"), torch.autograd.grad(loss, logits)[0])


def test_flowrl_with_the_partition_function_that_makes_its_loss_least(scored):
    logits, _, batch = scored
    (leaf,) = chain("flowrl", beta=15.0)
    loss = 0.0
    scores = batch.z_scores(batch.in_groups(batch.reward)).split(4)
    reference = ((batch.ref_logp * batch.mask).sum(1) / batch.mask.sum(1)).split(4)
    for logp, score, ref in zip(row_means(*scored).split(4), scores, reference, strict=True):
        log_z = (15 * score - logp + ref).mean()  # whether a gradient comes through it or not, the sum is 0
        loss = loss + (log_z + logp - 15 * score - ref).square().mean() / 2
    found = trl_gradient(*scored, 2 * leaf.beta * leaf(batch, None, Store()), "grpo")
    assert close(found, torch.autograd.grad(loss, logits)[0])


def test_clip_cov(scored):
    logits, tokens, batch = scored
    given = estimate(chain("grpo"), batch, torch.zeros(8), Store())
    found = estimate(chain("grpo", "clip_cov", share=1.0, low=0.5), batch, torch.zeros(8), Store())
    logp, mask = of_tokens(logits, tokens)[0], batch.mask
    spread = given[:, None].expand(mask.shape)
    cov = (spread - spread[mask].mean()) * (logp.detach() - logp.detach()[mask].mean())
    kept = mask & ~((cov > 0.5) & (cov < 5))
    assert 0 < kept.sum() < mask.sum()
    ratio = (logp - logp.detach()).exp()
    clipped = torch.max(-spread * ratio, -spread * ratio.clamp(0.8, 1.2))
    loss = (clipped * kept).sum() / mask.sum()
    assert close(trl_gradient(*scored, found, "dapo"), torch.autograd.grad(loss, logits)[0])


def test_light_if_on_average_over_a_token_for_coefficients_that_are_given(scored):
    """Each token in turn is all of the vocabulary, as often as it is sampled; its coefficient stays as it was."""
    logits, tokens, batch = scored
    given = batch.over_tokens(estimate(chain("grpo"), batch, torch.zeros(8), Store()))
    added = estimate(chain("grpo", "light_if", weight=3.0), batch, torch.zeros(8), Store()) - given
    coefficients = added / (-batch.logp - batch.entropy).where(batch.mask, 1.0)
    logp, entropy = of_tokens(logits, tokens)
    mean = (given * logp - coefficients * -entropy).where(batch.mask, 0.0).sum() / batch.mask.sum()
    wanted = torch.autograd.grad(-mean, logits)[0]
    chances, on_average = logits.detach().softmax(-1), trl_gradient(*scored, given, "dapo")
    for token in range(VOCABULARY):
        sampled = torch.full_like(tokens, token)
        weights = coefficients * (-of_tokens(logits, sampled)[0] - entropy).detach()
        found = trl_gradient(logits, sampled, batch, weights, "dapo")
        on_average = on_average + chances[..., token, None] * found
    assert close(on_average, wanted)
