"""The engine for models of the shape of Llama: fused projections and key/value slots that are allocated once."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, pad, rms_norm, scaled_dot_product_attention, silu

from tinyreason.adapters import bare_layer, learnt_row
from tinyreason.inference.engines import FUSED_MODELS
from tinyreason.inference.engines.fixed_steps import FixedSteps
from tinyreason.inference.engines.projection import Projection

ROPES = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose frequencies do not depend on the length."""


def fused_obstacle(model) -> str | None:
    """Returns why a model cannot be driven by this engine; None = it can."""
    base = decoder_of(model)
    config = base.config
    if config.model_type not in FUSED_MODELS or type(base).__module__.split(".")[0] != "transformers":
        return f"models of type {config.model_type} have another shape"
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {"full_attention"} or (not kinds and getattr(config, "sliding_window", None)):
        return "the attention of some layers sees a window alone"
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope not in ROPES:
        return f"its rotary embedding is of type {rope}"
    if config.hidden_act not in ("silu", "swish"):
        return f"its MLP has the activation {config.hidden_act}"
    rows = base.model.embed_tokens
    rows = bare_layer(rows) if learnt_row(base) or getattr(rows, "disable_adapters", False) else rows
    if type(rows) is not torch.nn.Embedding or not isinstance(base.lm_head, torch.nn.Linear):  # or a faster kind of it
        return "an adapter is on its embeddings"
    return None


def decoder_of(model):
    """Returns the transformers model under an adapter, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class FusedEngine:
    """Decodes without transformers' layers, in the number format of the base or in another.

    It takes the weights up, the adapter's included, when it is made: make it anew after they have changed.
    """

    def __init__(self, model, rows: int, dtype: torch.dtype | None = None):
        base = decoder_of(model)
        config, weights = base.config, bare_layer(base.model.embed_tokens).weight
        self.device, self.dtype = weights.device, dtype or weights.dtype
        self.parameters, self.context = base.num_parameters(), config.max_position_embeddings
        self.heads, self.groups = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.epsilon = config.rms_norm_eps
        self.rotary = base.model.rotary_emb
        self.embeddings, self.learnt = weights.detach().to(self.dtype), learnt_row(base)
        self.layers = [FusedLayer(layer, self.dtype, rows) for layer in base.model.layers]
        self.norm = base.model.norm.weight.detach().to(self.dtype)
        self.head = Projection([base.lm_head], self.dtype, rows)
        self.cache: Tensor | None = None
        self.width = 0
        self.has_fixed_steps = self.device.type == "cuda"
        self.fixed_steps: FixedSteps | None = None

    def prefill(self, prompts: list[list[int]], rows: int, limit: int) -> Tensor:
        """Returns (N, V) logits behind the N prompts; slot n holds prompt n, and there is room for `rows` slots."""
        widest = max(map(len, prompts))
        self.pads = torch.tensor([widest - len(prompt) for prompt in prompts], device=self.device)
        self._allocate(max(rows, len(prompts)), widest + limit)
        ids = torch.tensor([[0] * (widest - len(prompt)) + prompt for prompt in prompts], device=self.device)
        is_seen = torch.arange(widest, device=self.device) >= self.pads[:, None]
        mask = None
        if bool((~is_seen).any()):
            causal = torch.ones(widest, widest, dtype=torch.bool, device=self.device).tril()
            itself = torch.eye(widest, dtype=torch.bool, device=self.device)  # else a padded place sees nothing
            mask = ((causal & is_seen[:, None]) | itself)[:, None]
        positions = (torch.arange(widest, device=self.device) - self.pads[:, None]).clamp(min=0)
        self.width = widest
        return self.logits(ids, positions, mask, slice(widest), widest)

    def step(self, tokens_N: Tensor) -> Tensor:
        """Returns (N, V) logits behind one more token in each of the slots."""
        if self.has_fixed_steps:
            self.fixed_steps = self.fixed_steps or FixedSteps(self)
            return self.fixed_steps.step(self, tokens_N)
        mask, place, self.width = None, self.width, self.width + 1
        if bool(self.pads.any()):
            mask = (torch.arange(self.width, device=self.device) >= self.pads[:, None])[:, None, None]
        return self.logits(tokens_N[:, None], (place - self.pads)[:, None], mask, slice(place, self.width), self.width)

    def arrange(self, parents: list[int]) -> list[int]:
        """Gives child i what slot `parents[i]` holds; returns the children's slots, the first ones in some order.

        A slot's first child stays where it is, so that little is copied.
        """
        places, moves = assign_slots(parents)
        if moves:
            sources, targets = (torch.tensor(side, device=self.device) for side in zip(*moves, strict=True))
            self.cache[:, :, targets, :, : self.width] = self.cache[:, :, sources, :, : self.width]
        inherited = self.pads[torch.tensor(parents, device=self.device)]
        self.pads = torch.empty_like(inherited)
        self.pads[torch.tensor(places, device=self.device)] = inherited
        return places

    def begin_tree(self, columns: int) -> None:
        """Empties slot 0, to be filled by `grow`."""
        self._allocate(1, columns)

    def grow(self, tokens: list[int], positions: list[int], mask_Q_C: Tensor) -> Tensor:
        """Returns (Q, V) logits behind Q more places of slot 0, which see those of all C that their mask says."""
        columns = self.cache.shape[-2]
        if self.width + len(tokens) > columns:
            more = max(columns, self.width + len(tokens) - columns)
            self.cache = pad(self.cache, (0, 0, 0, more))
            self._turn(columns + more)
        ids, places = (torch.tensor([row], device=self.device) for row in (tokens, positions))
        start, self.width = self.width, self.width + len(tokens)
        hidden = self._layers(ids, places, mask_Q_C[None, None], slice(start, self.width), self.width)
        return self._logits(hidden[0])

    def _allocate(self, rows: int, columns: int) -> None:
        """Makes room for keys and values, all of it empty."""
        self.width, self.fixed_steps = 0, None
        empty = torch.zeros if self.has_fixed_steps else torch.empty  # they read all places, where nan would count
        shape = 2, len(self.layers), rows, self.groups, columns, self.size
        self.cache = empty(shape, dtype=self.dtype, device=self.device)
        self._turn(columns)

    def _turn(self, columns: int) -> None:
        """Computes the rotary embedding of so many positions."""
        places = torch.arange(columns, dtype=torch.float32, device=self.device)
        angles = torch.outer(places, self.rotary.inv_freq.to(self.device, torch.float32)).repeat(1, 2)
        scale = getattr(self.rotary, "attention_scaling", 1.0)
        signs = torch.ones(self.size, device=self.device)
        signs[: self.size // 2] = -1
        self.cos, self.sin = ((angles.cos() * scale).to(self.dtype), (angles.sin() * scale * signs).to(self.dtype))

    def logits(self, ids_N_Q: Tensor, positions_N_Q: Tensor, mask: Tensor | None, new: Any, seen: int) -> Tensor:
        """Returns (N, V) logits behind the last of the Q places of each slot; the rest as `_layers` has it."""
        return self._logits(self._layers(ids_N_Q, positions_N_Q, mask, new, seen)[:, -1])

    def _layers(self, ids_N_Q: Tensor, positions_N_Q: Tensor, mask: Tensor | None, places: Any, seen: int) -> Tensor:
        """Returns (N, Q, D) hidden states of the first N slots.

        It keeps the keys and values of the Q new `places` of the cache (a slice or a tensor), and attends to its first
        `seen` ones.
        """
        count, new = ids_N_Q.shape
        cos, sin = (table[positions_N_Q][:, :, None] for table in (self.cos, self.sin))
        x = self._embedded(ids_N_Q).view(count * new, -1)
        turned = (self.heads + self.groups) * self.size
        for layer, keys, values in zip(self.layers, *self.cache, strict=True):
            qkv = layer.qkv(self._norm(x, layer.norm_before_attention))
            qk = qkv[:, :turned].view(count, new, self.heads + self.groups, self.size)
            if layer.norm_of_heads is not None:
                qk = rms_norm(qk, (self.size,), None, self.epsilon) * layer.norm_of_heads
            qk = qk * cos + qk.roll(self.size // 2, -1) * sin
            keys[:count, :, places] = qk[:, :, self.heads :].transpose(1, 2)
            values[:count, :, places] = qkv[:, turned:].view(count, new, self.groups, self.size).transpose(1, 2)
            mixed = attend(qk[:, :, : self.heads], keys[:count, :, :seen], values[:count, :, :seen], mask)
            x = x + layer.out(mixed.reshape(count * new, -1))
            both = layer.gate_up(self._norm(x, layer.norm_before_mlp))
            gate, up = both.chunk(2, dim=-1)
            x = x + layer.down(silu(gate) * up)
        return x.view(count, new, -1)

    def _embedded(self, ids_N_Q: Tensor) -> Tensor:
        """Returns (N, Q, D) the tokens' embeddings, one of which an adapter may have learnt."""
        x = embedding(ids_N_Q, self.embeddings)
        if self.learnt is None:
            return x
        token, row = self.learnt
        return torch.where((ids_N_Q == token)[..., None], row.to(self.dtype), x)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return rms_norm(x, weight.shape, weight, self.epsilon)

    def _logits(self, hidden_N_D: Tensor) -> Tensor:
        return self.head(self._norm(hidden_N_D, self.norm))


class FusedLayer:
    """The weights of one decoder layer."""

    def __init__(self, layer, dtype: torch.dtype, rows: int):
        attention, mlp = layer.self_attn, layer.mlp
        self.qkv = Projection([attention.q_proj, attention.k_proj, attention.v_proj], dtype, rows)
        self.out = Projection([attention.o_proj], dtype, rows)
        self.gate_up = Projection([mlp.gate_proj, mlp.up_proj], dtype, rows)
        self.down = Projection([mlp.down_proj], dtype, rows)
        self.norm_before_attention = layer.input_layernorm.weight.detach().to(dtype)
        self.norm_before_mlp = layer.post_attention_layernorm.weight.detach().to(dtype)
        self.norm_of_heads = None
        if hasattr(attention, "q_norm"):
            heads = attention.config.num_attention_heads, attention.config.num_key_value_heads
            norms = attention.q_norm.weight.detach(), attention.k_norm.weight.detach()
            parts = [norm.to(dtype).expand(count, -1) for norm, count in zip(norms, heads, strict=True)]
            self.norm_of_heads = torch.cat(parts)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Returns (N, Q, H, d) of queries (N, Q, H, d) over keys and values (N, G, columns, d); G divides H.

    For one place a row the heads that share keys are its queries, so that no key is copied.
    """
    count, new, heads, size = queries.shape
    groups = keys.shape[1]
    if new == 1:
        queries = queries.reshape(count, groups, heads // groups, size)
        return scaled_dot_product_attention(queries, keys, values, attn_mask=mask).view(count, 1, heads, size)
    keys, values = (cached.repeat_interleave(heads // groups, dim=1) for cached in (keys, values))
    queries = queries.transpose(1, 2)
    mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=mask is None)
    return mixed.transpose(1, 2)


def assign_slots(parents: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Returns the slot of each child, all below their count, and the copies (from, to) which that needs."""
    count = len(parents)
    staying: dict[int, int] = {}
    for child, parent in enumerate(parents):
        if parent < count:
            staying.setdefault(parent, child)
    places = [-1] * count
    for slot, child in staying.items():
        places[child] = slot
    free = iter(slot for slot in range(count) if slot not in staying)
    moves = []
    for child, parent in enumerate(parents):
        if places[child] < 0:
            places[child] = next(free)
            moves.append((parent, places[child]))
    return places, moves
