import pytest

from tinyreason.adapters.lora import Lora


@pytest.mark.parametrize(
    ("targets", "shapes"),
    [
        ("mlp", [(128, 256), (128, 256), (256, 128)]),
        ("attention", [(128, 128), (128, 64), (128, 64), (128, 128)]),
    ],
)
def test_it_has_rank_times_in_plus_out_parameters_on_each_target(targets, shapes, sandbox):
    model, _ = sandbox
    model = Lora(rank=3, targets=targets).attach(model, seed=0)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == 4 * sum(3 * (columns + rows) for columns, rows in shapes)


def test_all_linear_is_mlp_and_attention(sandbox):
    model, _ = sandbox
    model = Lora(rank=1).attach(model, seed=0)
    assert sum("lora_A" in name for name, p in model.named_parameters() if p.requires_grad) == 4 * 7
