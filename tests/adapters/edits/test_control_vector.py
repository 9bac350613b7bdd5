import pytest
import torch

from tinyreason.adapters import merge_adapter, with_adapter
from tinyreason.adapters.edits import Trace, output_weights, read_states, write_change
from tinyreason.adapters.edits._edit import LayerChange, States
from tinyreason.adapters.edits.control_vector import ControlVector, first_axis
from tinyreason.errors import DataError, ModelError

IDS = torch.tensor([[300, 12, 40, 301, 77, 5]])
V = torch.tensor([3.0, 4.0, 0.0])


def trace(problem, tokens, correct):
    return Trace(problem, (1,) * 99, 1, 1 + tokens, correct)


def test_states_of_plus_and_minus_v_have_the_axis_v():
    plus = States(V.expand(5, 2, 3), torch.zeros(5, 2, 3))
    minus = States(-V.expand(5, 2, 3), torch.zeros(5, 2, 3))
    for direction in ("axis", "mean"):
        edit = ControlVector(direction=direction, strength=0.5, first=0.5, last=1)
        change = edit.change((plus, minus), [torch.eye(3)] * 2, heads=1)
        assert list(change.biases) == [1] and torch.allclose(change.biases[1], V, atol=1e-5)
        assert "layers 1 to 1 of 2 move by 100.0%" in change.said[0]


def test_the_axis_is_not_tilted_by_what_is_not_along_it():
    across = torch.tensor([0.0, 0.0, 2.0])
    axis = first_axis(torch.stack([4 * V, 4 * V + across, 4 * V - across]))
    assert torch.allclose(axis, 4 * V, atol=1e-4)


def test_a_problems_pair_is_a_correct_and_an_incorrect_completion_or_its_longest_and_shortest():
    traces = [trace("a", 5, True), trace("a", 9, False), trace("a", 7, True), trace("b", 4, True), trace("b", 4, None)]
    assert ControlVector().sides(traces) == ([traces[0]], [traces[1]])
    assert ControlVector(contrast="longer").sides(traces) == ([traces[1]], [traces[0]])
    with pytest.raises(DataError, match="none of 1 problems has both"):
        ControlVector().sides(traces[3:])
    with pytest.raises(ValueError, match=r"not below last=0\.2"):
        ControlVector(last=0.2)


@pytest.mark.parametrize("architecture", ["Llama", "Qwen2"])
def test_the_adapter_moves_the_state_by_the_vector_and_is_merged_where_there_is_a_bias(
    tiny, load, tmp_path, architecture
):
    folder = tiny(architecture)
    base, seen = load(folder)[0], [Trace("0", tuple(IDS[0].tolist()), 1, 6, None)]
    vector = torch.linspace(-1, 1, 64)
    write_change(base, LayerChange(biases={1: vector}), tmp_path, str(folder))
    adapted = with_adapter(base, tmp_path).eval()
    with adapted.disable_adapter():
        before = read_states(adapted, seen).residual[0]
    moved = read_states(adapted, seen).residual[0] - before
    assert torch.allclose(moved[1], vector, atol=1e-5) and not moved[0].any()
    assert torch.equal(output_weights(adapted)[1], output_weights(load(folder)[0])[1])
    with torch.no_grad():
        logits = adapted(IDS).logits
        if architecture == "Qwen2":
            with pytest.raises(ModelError, match="qwen2 model has no bias behind its attention"):
                merge_adapter(adapted, tmp_path)
            return
        merge_adapter(adapted, tmp_path).save_pretrained(tmp_path / "merged")
        load(folder)[1].save_pretrained(tmp_path / "merged")
        assert torch.allclose(load(tmp_path / "merged")[0](IDS).logits, logits, atol=1e-5)
