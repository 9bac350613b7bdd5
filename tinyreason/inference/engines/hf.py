"""The engine that drives transformers' own forward pass: any model, quantised base and adapter included."""

import inspect

import torch
from torch import Tensor


class HFEngine:
    """Holds what transformers caches of each row; the slow path that the other engines are held against."""

    def __init__(self, model):
        self.model, self.device = model, model.device
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        takes_cache = "cache" in inspect.signature(base.forward).parameters
        self.cache_argument = "cache" if takes_cache else "past_key_values"  # its name before transformers 5.24
        self.cache, self.mask, self.lengths = None, None, None

    def prefill(self, prompts: list[list[int]], rows: int, limit: int) -> Tensor:
        """Returns (N, V) logits behind the N prompts; slot n holds prompt n."""
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        self.mask = (torch.arange(width, device=self.device) >= width - self.lengths[:, None]).long()
        self.cache = None
        return self._forward(ids, (self.mask.cumsum(dim=-1) - 1).clamp(min=0))

    def step(self, tokens_N: Tensor) -> Tensor:
        """Returns (N, V) logits behind one more token in each of the slots."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens_N), 1)], dim=1)
        positions = self.lengths[:, None]
        self.lengths = self.lengths + 1
        return self._forward(tokens_N[:, None], positions)

    def arrange(self, parents: list[int]) -> list[int]:
        """Gives child i what slot `parents[i]` holds; returns the children's slots, which are the first ones."""
        order = torch.tensor(parents, device=self.device)
        self.cache.reorder_cache(order)
        self.mask, self.lengths = self.mask[order], self.lengths[order]
        return list(range(len(parents)))

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        output = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **{self.cache_argument: self.cache},
        )
        self.cache = getattr(output, self.cache_argument)
        return output.logits[:, -1]
