"""The choice of a token: as likely as the model says, the same as by the plain distribution function."""

import pytest
import torch

from tinyreason.inference.engines.tokens import CHUNK, TokenRule, inverse_cdf, uniforms_of


def plainly(scores_N_V, uniforms_N):
    """The token whose step of the whole distribution function, in float64, holds the uniform number."""
    cumulative = scores_N_V.double().softmax(dim=-1).cumsum(dim=-1)
    return torch.searchsorted(cumulative, uniforms_N[:, None] * cumulative[:, -1:], right=True)[:, 0]


@pytest.mark.parametrize("size", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 1000, 49152])
def test_two_levels_choose_what_the_whole_distribution_function_does(size):
    generator = torch.Generator().manual_seed(size)
    scores = 3 * torch.randn(200, size, generator=generator)
    scores[:, torch.rand(size, generator=generator) < 0.3] = -torch.inf
    scores[:, size // 2] = 0.0
    uniforms = torch.rand(200, generator=generator, dtype=torch.float64)
    found = inverse_cdf(scores, torch.arange(200), uniforms)
    assert torch.equal(found, plainly(scores, uniforms))


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_no_uniform_number_chooses_a_token_without_probability(uniform):
    for size in (3, CHUNK, 3 * CHUNK + 5):
        scores = torch.full((1, size), -torch.inf)
        scores[0, size // 2] = 1.0
        found = inverse_cdf(scores, torch.tensor([0]), torch.tensor([uniform], dtype=torch.float64))
        assert found.tolist() == [size // 2]


def test_tokens_are_sampled_as_often_as_their_probabilities_say():
    wanted = torch.tensor([0.5, 0.0, 0.3, 0.2])
    uniforms = uniforms_of(list(range(20_000)), 2)
    for step in range(2):
        tokens = TokenRule().tokens(wanted.log()[None], torch.zeros(20_000, dtype=torch.long), uniforms[:, step])
        found = tokens.bincount(minlength=4) / 20_000
        assert torch.allclose(found, wanted, atol=0.011)  # three standard errors
        assert found[1] == 0


def test_a_temperature_flattens_and_none_takes_the_likeliest():
    scores, slots = torch.tensor([[0.0, 1.0, 2.0]]), torch.zeros(20_000, dtype=torch.long)
    uniforms = uniforms_of(list(range(20_000)), 1)[:, 0]
    found = TokenRule(temperature=2.0).tokens(scores, slots, uniforms).bincount() / 20_000
    assert torch.allclose(found, (scores[0] / 2).softmax(dim=-1), atol=0.011)
    assert TokenRule(temperature=0.0).tokens(scores, slots, uniforms).unique().tolist() == [2]


def test_a_rows_numbers_begin_alike_whatever_the_length_and_differ_from_anothers():
    short, long = uniforms_of([[0, 1, 2], [0, 1, 3]], 4), uniforms_of([[0, 1, 2], [0, 1, 3]], 40)
    assert torch.equal(short, long[:, :4])
    assert not torch.equal(short[0], short[1])
