import torch

from tinyreason.adapters._svd import float_weight, singular_vectors
from tinyreason.adapters.tinylora import Tinylora


def mixtures(model):
    return [
        layer.lora_B["default"].middle
        for _, layer in model.named_modules()
        if "default" in getattr(layer, "lora_B", ())
    ]


def test_the_update_is_the_papers_formula(sandbox):
    model = Tinylora(rank=2, vector=3, alpha=4).attach(sandbox[0], seed=0)
    layer = model.base_model.model.model.layers[0].self_attn.k_proj
    middle = layer.lora_B["default"].middle
    middle.v.data = torch.tensor([1.0, -2.0, 0.5])
    left, values, right = singular_vectors(float_weight(layer.get_base_layer()), 2)
    first, second, third = middle.projections
    wanted = (4 / 2) * left @ torch.diag(values) @ (first - 2 * second + 0.5 * third) @ right.T
    assert torch.allclose(layer.get_delta_weight("default"), wanted, atol=1e-5)


def test_the_random_matrices_differ_from_layer_to_layer_and_have_variance_one_over_r(sandbox):
    found = mixtures(Tinylora(rank=4, vector=200).attach(sandbox[0], seed=0))
    assert not torch.equal(found[0].projections, found[1].projections)
    assert abs(torch.stack([m.projections for m in found]).var() - 1 / 4) < 0.01


def test_they_do_not_depend_on_the_runs_seed(load):
    first, again = (mixtures(Tinylora().attach(load()[0], seed=seed)) for seed in (0, 1))
    assert all(torch.equal(a.projections, b.projections) for a, b in zip(first, again, strict=True))


def test_tied_it_trains_one_vector_for_the_whole_model(sandbox):
    model = Tinylora(vector=13, tied=True).attach(sandbox[0], seed=0)
    assert [p.numel() for p in model.parameters() if p.requires_grad] == [13]
    assert len({id(m.v) for m in mixtures(model)}) == 1
