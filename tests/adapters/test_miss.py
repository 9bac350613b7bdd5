import torch

from tinyreason.adapters.miss import Miss


def test_the_inputs_of_a_shard_are_summed_before_the_shared_matrix(sandbox):
    model = Miss(rank=4, targets=("up_proj",)).attach(sandbox[0], seed=0)
    layer = model.base_model.model.model.layers[0].mlp.up_proj
    shared = layer.miss_block["default"]
    assert shared.shape == (4, 256)
    shared.data = torch.randn(shared.shape, generator=torch.Generator().manual_seed(0))
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    sums = torch.stack([x[:, j::4].sum(dim=1) for j in range(4)], dim=1)
    assert torch.allclose(layer(x) - layer.get_base_layer()(x), sums @ shared, atol=1e-4)
