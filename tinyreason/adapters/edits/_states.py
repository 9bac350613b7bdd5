"""Reads the states of a transformer's attention over traces, through hooks on its own layers."""

from collections.abc import Callable, Sequence

from tinyreason.adapters._low_rank import bare_layer, low_rank_factors
from tinyreason.adapters._svd import float_weight
from tinyreason.adapters.edits._edit import States, Trace
from tinyreason.errors import ModelError
from tinyreason.tensors import Tensor


def attention_layers(model) -> list:
    """Returns the decoder layers, adapted or not. Errors: `ModelError` where o_proj does not write into the stream."""
    layers = list(_decoder(model).layers)
    for layer in layers:
        is_known = hasattr(getattr(layer, "self_attn", None), "o_proj") and hasattr(layer, "post_attention_layernorm")
        if not is_known or hasattr(layer, "post_feedforward_layernorm"):
            raise ModelError(
                f"an edit knows layers whose attention adds its o_proj to the residual stream, as those of Llama, "
                f"Qwen, Mistral and Phi-3; a {model.config.model_type} model has others."
            )
    return layers


def output_weights(model) -> list[Tensor]:
    """Returns W (hidden × in) of each layer's o_proj in float32, with what a LoRA on it adds."""
    found = []
    for layer in attention_layers(model):
        output = layer.self_attn.o_proj
        weight, lora = float_weight(bare_layer(output)), low_rank_factors(output)
        found.append(weight if lora is None else weight + lora[1] @ lora[0])
    return found


def read_states(model, traces: Sequence[Trace], advance: Callable[[int], None] = lambda count: None) -> States:
    """Returns the states of a model over the thoughts of the traces, one trace at a time."""
    import torch

    layers, residual, mixed, place = attention_layers(model), [], [], slice(None)

    def keep(rows: list):
        return lambda module, inputs: rows.append(inputs[0][0, place].float().mean(dim=0).cpu())

    hooks = [
        hook
        for layer in layers
        for hook in (
            layer.post_attention_layernorm.register_forward_pre_hook(keep(residual)),
            layer.self_attn.o_proj.register_forward_pre_hook(keep(mixed)),
        )
    ]
    try:
        with torch.no_grad():
            for trace in traces:
                place = slice(trace.begin, trace.end)
                _decoder(model)(input_ids=torch.tensor([trace.ids], device=model.device), use_cache=False)
                advance(1)
    finally:
        for hook in hooks:
            hook.remove()
    shape = (len(traces), len(layers), -1)
    return States(torch.stack(residual).view(shape), torch.stack(mixed).view(shape))


def _decoder(model):
    return (model.get_base_model() if hasattr(model, "peft_config") else model).get_decoder()
