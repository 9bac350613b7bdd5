import pytest
import torch

from tinyreason.adapters.miss import Miss
from tinyreason.errors import ConfigError, ModelError


def test_the_inputs_of_a_shard_are_summed_before_the_shared_matrix(sandbox):
    model = Miss(rank=4, targets=("up_proj",)).attach(sandbox[0], seed=0)
    layer = model.base_model.model.model.layers[0].mlp.up_proj
    shared = layer.miss_block["default"]
    assert shared.shape == (4, 256)
    shared.data = torch.randn(shared.shape, generator=torch.Generator().manual_seed(0))
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    sums = torch.stack([x[:, j::4].sum(dim=1) for j in range(4)], dim=1)
    assert torch.allclose(layer(x) - layer.get_base_layer()(x), sums @ shared, atol=1e-4)


def test_one_bone_a_row_changes_what_the_paper_says():
    from peft import inject_adapter_in_model

    module = torch.nn.ModuleDict({"w": torch.nn.Linear(2, 2, bias=False)})
    module["w"].weight.data = torch.tensor([[2.0, 3.0], [4.0, 5.0]])
    layer = inject_adapter_in_model(Miss(rank=1, variant="bat").peft_config(["w"]), module)["w"]
    layer.miss_block["default"].data = torch.tensor([0.1, 0.0]).view(2, 1, 1)
    wanted = torch.tensor([[2.3, 3.4], [4.0, 5.0]])
    assert torch.allclose(layer(torch.eye(2)).T, wanted)


def test_each_block_of_a_row_is_multiplied_by_that_rows_bone(sandbox):
    weight = sandbox[0].model.layers[1].mlp.down_proj.weight.detach().clone()
    model = Miss(rank=64, variant="bat", targets=("down_proj",)).attach(sandbox[0], seed=0)
    layer = model.base_model.model.model.layers[1].mlp.down_proj
    bones = layer.miss_block["default"]
    assert bones.shape == (128 // 64, 64, 64)
    bones.data = 0.01 * torch.randn(bones.shape, generator=torch.Generator().manual_seed(0))
    wanted = weight.clone()
    for row in range(2):
        for column in range(4):
            block = slice(64 * row, 64 * row + 64), slice(64 * column, 64 * column + 64)
            wanted[block] += weight[block] @ bones[row].detach() + bones[row].detach()
    x = torch.randn(3, 256, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(layer(x), x @ wanted.T, atol=1e-4)


def test_bat_has_the_papers_rank_and_refuses_one_that_does_not_divide_with_one_that_does():
    assert (Miss(variant="bat").rank, Miss(variant="bat", rank=8).rank, Miss().rank) == (64, 8, 16)
    linear = {"layers.0.q_proj": (576, 576), "layers.0.k_proj": (192, 576)}
    assert len(Miss(variant="bat").choose(linear)) == 2
    with pytest.raises(ConfigError, match=r"blocks of 80 × 80, and layers.0.q_proj is 576 × 576; .*rank=64,"):
        Miss(variant="bat", rank=80).choose(linear)


def test_a_start_of_the_other_variant_is_refused(load, tmp_path):
    model = Miss(rank=4).attach(load()[0], seed=0)
    Miss(rank=4).save(model, tmp_path)
    with pytest.raises(ModelError, match=r"of another variant than bat; type adapter.variant=balance"):
        Miss(rank=4, variant="bat", start=str(tmp_path)).check_model(load()[0])
