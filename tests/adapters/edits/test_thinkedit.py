import pytest
import torch

from tinyreason.adapters import merge_adapter, with_adapter
from tinyreason.adapters.edits import Trace, output_weights, read_states, write_change
from tinyreason.adapters.edits._edit import States
from tinyreason.adapters.edits.thinkedit import Thinkedit
from tinyreason.adapters.lora import Lora
from tinyreason.errors import DataError

IDS = torch.tensor([[300, 12, 40, 301, 77, 5]])


def states(residual, mixed):
    return States(torch.tensor(residual).float(), torch.tensor(mixed).float())


def trace(tokens, ids=(1,) * 300):
    return Trace("0", tuple(ids), 1, 1 + tokens, None)


def test_a_heads_weights_lose_what_they_write_along_the_direction():
    heads_by_hidden = torch.tensor([[2.0, 3.0], [4.0, 5.0]])
    long, short = states([[[3.0, 1.0]]], [[[0.0, 0.0]]]), states([[[1.0, 1.0]]], [[[1.0, 1.0]]])
    change = Thinkedit().change((long, short), [heads_by_hidden.T], heads=1)
    inner, outer = change.factors[0]
    assert torch.equal((heads_by_hidden.T + outer @ inner).T, torch.tensor([[0.0, 3.0], [0.0, 5.0]]))


def test_the_head_that_writes_most_towards_short_thoughts_is_edited_alone():
    outputs = [torch.eye(2), torch.eye(2)]  # two layers of two heads, each one number wide
    long, short = states([[[1.0, 0.0], [0.0, 1.0]]], [[[0.0] * 2] * 2]), states([[[0.0] * 2] * 2], [[[-1, 9], [9, -2]]])
    change = Thinkedit(heads=0.25).change((long, short), outputs, heads=2)
    assert list(change.factors) == [1]  # −v there is (0, −1), and head 1 writes −2 along (0, 1)
    inner, outer = change.factors[1]
    assert torch.equal(outer @ inner, torch.tensor([[0.0, 0.0], [0.0, -1.0]]))
    assert "1 of 4 edited (layer.head): 1.1" in change.said[0]


def test_thoughts_of_other_lengths_are_refused_with_lengths_that_there_are():
    traces = [trace(tokens) for tokens in range(10, 110, 10)]
    with pytest.raises(DataError, match=r"0 of 10 thoughts have more than 1000 .* longer_than=79 shorter_than=31"):
        Thinkedit().sides(traces)
    long, short = Thinkedit(longer_than=79, shorter_than=31).sides(traces)
    assert [one.tokens for one in long] == [80, 90, 100] and [one.tokens for one in short] == [10, 20, 30]


def test_the_states_are_those_of_the_thought_before_and_after_the_attention(tiny, load):
    model, _ = load(tiny("Llama"))
    found = read_states(model, [Trace("0", tuple(IDS[0].tolist()), 2, 5, None)])
    with torch.no_grad():
        read = model(IDS, output_hidden_states=True).hidden_states
    for layer, weight in enumerate(output_weights(model)):
        wanted = read[layer][0, 2:5].mean(dim=0) + weight @ found.mixed[0, layer]
        assert torch.allclose(found.residual[0, layer], wanted, atol=1e-5)


@pytest.mark.parametrize("has_lora", [False, True])
def test_the_lora_that_is_written_answers_as_the_edited_weights_do(tiny, load, tmp_path, has_lora):
    folder = tiny("Llama")
    base, before = load(folder)[0], tmp_path / "before"
    if has_lora:
        adapter = Lora(rank=2, targets=("o_proj", "up_proj"))
        trained = adapter.attach(base, seed=0)
        for name, parameter in trained.named_parameters():
            parameter.data += 0.1 * ("lora_B" in name)
        adapter.save(trained, before)
        base = with_adapter(load(folder)[0], before)
    edit = Thinkedit(heads=0.5)
    sides = tuple(read_states(base, [Trace("0", tuple(ids), 1, len(ids), None)]) for ids in (range(5, 40), (7, 9, 8)))
    weights = output_weights(base)
    change = edit.change(sides, weights, base.config.num_attention_heads)
    assert write_change(base, change, tmp_path / "edited", str(folder)) == (3 if has_lora else 1)

    edited = merge_adapter(base, before) if has_lora else load(folder)[0]
    for layer, (inner, _) in change.factors.items():
        output = edited.model.layers[layer].self_attn.o_proj
        assert torch.allclose(output.weight, weights[layer], atol=1e-6)
        width = output.in_features // 4
        its = sides[0].residual[0, layer] - sides[1].residual[0, layer]
        away = torch.eye(64) - torch.outer(its, its) / its.dot(its)
        for head in range(4):
            columns = slice(width * head, width * head + width)
            if inner[0, columns].any():
                output.weight.data[:, columns] = away @ output.weight.data[:, columns]
    with torch.no_grad():
        written = with_adapter(load(folder)[0], tmp_path / "edited").eval()(IDS).logits
        assert torch.allclose(written, edited.eval()(IDS).logits, atol=1e-5)
        assert not torch.allclose(written, load(folder)[0].eval()(IDS).logits, atol=1e-3)
