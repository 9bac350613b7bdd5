"""The losses of fine-tuning's rows are the published formulas, in double precision, and add up over micro-batches."""

import json
from dataclasses import replace
from math import exp, nan

import pytest
import torch
from pydantic import ValidationError
from sessions import session_of

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.config.train_config import TrainSft
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.trainers.row_losses import row_losses, sign_means


def rows_of(*log_probs, weights):
    """(log-probabilities, mask, weights) (N, T) in double precision of rows of several lengths, padded with 0."""
    longest = max(map(len, log_probs))
    padded = [[*row, *[0.0] * (longest - len(row))] for row in log_probs]
    there = [[True] * len(row) + [False] * (longest - len(row)) for row in log_probs]
    mask = torch.tensor(there)
    return torch.tensor(padded, dtype=torch.float64), mask, torch.tensor(weights, dtype=torch.float64)[:, None] * mask


def test_redi_of_a_pair():  # log p(y+) = −3 in 6 tokens, log p(y−) = −6 in 4, α = 0.8
    rows = rows_of([-0.5] * 6, [-1.5] * 4, weights=[1.0, -0.8])
    assert float(row_losses(*rows, "nll", "sequence", None).sum()) == pytest.approx(-0.7, abs=1e-12)


def test_the_mean_over_tokens_and_over_rows_by_the_plain_formula():
    rows = rows_of([-0.1, -0.3, -2.0], [-0.7], [-1.0, -4.0], weights=[1.0, -0.8, 0.5])
    by_token = (1.0 * 2.4 - 0.8 * 0.7 + 0.5 * 5.0) / 6
    by_row = (1.0 * 2.4 / 3 - 0.8 * 0.7 / 1 + 0.5 * 5.0 / 2) / 3
    assert float(row_losses(*rows, "nll", "tokens", None).sum() / 6) == pytest.approx(by_token, abs=1e-12)
    assert float(row_losses(*rows, "nll", "sequence", None).sum() / 3) == pytest.approx(by_row, abs=1e-12)
    for loss in ("nll", "dft"):  # micro-batches of 1 and 2 rows of other lengths add up to the whole
        whole = row_losses(*rows, loss, "sequence", None)
        parts = [row_losses(*(part[cut] for part in rows), loss, "sequence", None) for cut in (slice(1), slice(1, 3))]
        assert torch.cat(parts).tolist() == pytest.approx(whole.tolist(), abs=1e-15)


def test_dft_is_trls_formula_and_its_probability_has_no_gradient():
    log_probs, mask, weights = rows_of([-0.1, -2.0], [-0.7], weights=[1.0, 1.0])
    log_probs.requires_grad_()
    found = row_losses(log_probs, mask, weights, "dft", "tokens", None).sum() / 3
    theirs = (-log_probs * log_probs.exp().detach()).sum() / 3  # trl.SFTTrainer, loss_type="dft"
    assert float(found) == float(theirs)
    (gradient,) = torch.autograd.grad(found, log_probs)
    assert gradient[mask].tolist() == pytest.approx([-exp(value) / 3 for value in (-0.1, -2.0, -0.7)], abs=1e-12)


def test_topr_tapers_negative_rows_alone():  # incorrect: log p −12 where it was sampled with −10, and −8
    rows = rows_of([-3.0] * 4, [-2.0] * 4, [-1.5] * 2, weights=[-1.0, -1.0, 1.0])
    log_probs = rows[0].requires_grad_()
    found = row_losses(*rows, "topr", "tokens", torch.tensor([-10.0, -10.0, nan], dtype=torch.float64))
    assert found.tolist() == pytest.approx([-12 * 0.1353, -8.0, 3.0], abs=1e-3)
    (gradient,) = torch.autograd.grad(found.sum(), log_probs)
    assert gradient[:, 0].tolist() == pytest.approx([exp(-2), 1.0, -1.0], abs=1e-12)  # the ratio has none


def test_the_means_of_either_sign_are_by_the_token():
    rows = rows_of([-0.5] * 6, [-1.5] * 4, [-2.0], weights=[1.0, -0.8, -0.8])
    assert sign_means(*rows) == pytest.approx({"positive": -0.5, "negative": -8 / 5})
    assert sign_means(*rows_of([-0.5], weights=[1.0])) == {}


OPTIONS = {"max_steps": 1, "max_tokens": 64, "max_completion_tokens": 32}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"packing": True, "normalize": "sequence"}, "normalize=sequence counts by the row"),
        ({"packing": True, "loss": "dft"}, "loss=dft counts by the row"),
        ({"loss": "topr", "truncate_ratio": 0.5}, "type train.truncate_ratio=1"),
        ({"loss": "topr", "mask_rate": 0.5}, "type train.mask_rate=0"),
    ],
)
def test_what_cannot_be_together_is_refused(given, sentence):
    with pytest.raises(ValidationError, match=sentence):
        TrainSft(**OPTIONS, **given)


def example(completion="\\boxed{2}", weight=1.0, id="a", **meta):
    return Example(id, ({"role": "user", "content": "1+1?"},), "2", completion, meta, weight)


def test_rows_that_the_loss_cannot_be_computed_of_are_refused_in_a_sentence():
    rows = [example(), example(weight=-1.0, id="b")]
    with pytest.raises(
        DataError, match=r"needs 'mu_logp' of every row of negative weight, and row b has none \(1 of 2\)"
    ):
        TrainSft(**OPTIONS, loss="topr").check_rows(rows)
    TrainSft(**OPTIONS, loss="topr").check_rows([rows[0], replace(rows[1], meta={"mu_logp": -3.0})])
    with pytest.raises(ConfigError, match="rows of one weight above 0"):
        TrainSft(**OPTIONS, packing=True).check_rows([replace(row, weight=-1.0) for row in rows])


def steps(folder, examples, *overrides):
    """(metrics, what is trained) after a step on 8 rows."""
    options = ("train.max_steps=1", "train.batch_size=8", "train.schedule=constant", *overrides)
    config = read_recipe("reasoning_sft").resolve("sandbox", options)
    with session_of(config, folder) as session:
        trainers.train(session, examples, lambda *_: {})
    (metrics,) = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return metrics, {name: p.detach() for name, p in session.model.named_parameters() if p.requires_grad}


def test_a_step_in_uneven_micro_batches_is_the_step_in_one(tmp_path):
    texts = ["1+1=2 \\boxed{2}", "\\boxed{3}", "<think>\n1+1=2\n</think>\n\\boxed{2}", "\\boxed{12}"]
    weights = [1.0, -0.8, 1.0, -0.8]
    rows = [example(text, weight, str(n)) for n, (text, weight) in enumerate(zip(texts, weights, strict=True))] * 2
    found = [steps(tmp_path / n, rows, "train.normalize=sequence", f"train.micro_batch_size={n}") for n in ("8", "2")]
    (whole, trained), (parts, again) = found
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert parts["gradient/norm"] == pytest.approx(whole["gradient/norm"], rel=1e-4)
    assert {"logp/positive", "logp/negative"} <= whole.keys()
    assert all(torch.allclose(trained[name], again[name], atol=1e-6) for name in trained)


def test_a_row_of_negative_weight_alone_makes_its_completion_less_likely(tmp_path):
    rows = [example(weight=-1.0)] * 8
    towards, _ = steps(tmp_path / "towards", [example()] * 8)
    away, _ = steps(tmp_path / "away", rows)
    assert away["loss"] == pytest.approx(-towards["loss"], rel=1e-4)
