import pytest
import torch

from tinyreason.algorithms.advantages.adaptthink import Adaptthink
from tinyreason.store import Store

WHOLE, OPEN, TWICE = "<think>1</think>\\boxed{2}", "<think>1", "<think></think>1</think>\\boxed{2}"


def facts(thinks, forced=0, reference=0.5):
    return {"thinks": thinks, "forced": forced, "closings": int(thinks), "reference": reference}


def test_answering_at_once_gains_the_bonus_and_a_thought_has_to_end_once(batch_of):
    texts = ["2", "2", WHOLE, WHOLE, OPEN, TWICE]
    batch = batch_of(texts, [1.0, 0, 1, 0, 1, 1], [0.0] * 6)
    batch.facts = [facts(False), facts(False), *[facts(True)] * 4]
    found = Adaptthink()(batch, torch.zeros(6), Store()).tolist()
    assert found == pytest.approx([0.55, -0.45, 0.5, -0.5, -0.5, -0.5])


def test_the_start_counts_by_how_likely_it_is_and_the_clip_binds(batch_of):
    batch = batch_of(["2" * 3] * 4, [1.0, 0, 1, 0], [0.0] * 4)
    batch.logp = torch.tensor([[-3.0, -1, -1, -1]] * 2 + [[-0.01, -1, -1, -1]] * 2)
    batch.length = torch.tensor([4, 4, 1, 1])
    batch.facts = [facts(False, forced=1)] * 4
    found = Adaptthink()(batch, torch.zeros(4), Store()).tolist()
    assert found == pytest.approx([0.3090, 0.0, 0.0, -0.45 * 1.9801], abs=1e-4)  # w = 0.5617, then 1.9801


@pytest.mark.parametrize("advantage", [0.55, -0.45])
@pytest.mark.parametrize("first", [-0.5, -0.8, -3.0])
def test_it_is_the_gradient_of_the_published_loss(batch_of, advantage, first):
    """PPO's clip of the sequence's ratio, written out, in double precision."""
    logits = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    tokens = torch.tensor([2, 0, 4, 1])
    rest = (1 - torch.tensor(first).double().exp()) / 4
    logits[0] = rest.log()
    logits[0, 2] = first
    logits.requires_grad_(True)
    logp = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    given = logp.detach().clone()
    given[0] = torch.tensor(0.5).double().log()
    ratio = ((logp - given).sum() / 4).exp()
    published = -torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
    (wanted,) = torch.autograd.grad(published, logits, retain_graph=True)
    batch = batch_of(["2" * 3], [float(advantage > 0)], [0.0])
    batch.correct, batch.logp, batch.facts = batch.correct.double(), logp.detach()[None], [facts(False, forced=1)]
    (ours,) = torch.autograd.grad(-(Adaptthink()(batch, None, Store())[0] * logp).sum() / 4, logits)
    assert torch.allclose(ours, wanted, rtol=1e-9, atol=1e-12)
