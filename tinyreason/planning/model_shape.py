"""The shape of a language model: the numbers of its config.json, and what follows from them. No weights, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyreason.config.model import Model
from tinyreason.errors import ModelError
from tinyreason.models.load import read_model_config, source_of
from tinyreason.planning.known_models import KNOWN

SHAPED_LIKE_LLAMA = frozenset(
    "gemma gemma2 gemma3_text granite llama mistral olmo2 olmo3 phi3 qwen2 qwen3 smollm3".split()
)
"""The architectures (`model_type`) whose layers this module describes."""
HAS_QUERY_BIAS = frozenset({"qwen2"})
"""Those whose queries, keys and values have biases."""
NORMS_HEADS = frozenset("qwen3 gemma3_text".split())
"""Those that normalise queries and keys head by head."""


@dataclass(frozen=True)
class Shape:
    """A decoder with grouped-query attention and a gated MLP."""

    model_type: str
    hidden: int
    layers: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    """Whether the LM head is the embedding."""

    @property
    def query(self) -> int:
        """Width of a layer's queries, all heads."""
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        """Width of a layer's keys, and of its values."""
        return self.kv_heads * self.head_dim

    @property
    def norms_heads(self) -> bool:
        """Whether queries and keys are normalised head by head."""
        return self.model_type in NORMS_HEADS

    def layer(self) -> dict[str, tuple[int, int]]:
        """Returns name → (out, in) of the linear layers of one block."""
        h, q, k, m = self.hidden, self.query, self.key, self.intermediate
        if self.model_type == "phi3":
            return {"qkv_proj": (q + 2 * k, h), "o_proj": (h, q), "gate_up_proj": (2 * m, h), "down_proj": (h, m)}
        attention = {"q_proj": (q, h), "k_proj": (k, h), "v_proj": (k, h), "o_proj": (h, q)}
        return attention | {"gate_proj": (m, h), "up_proj": (m, h), "down_proj": (h, m)}

    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Returns the same for the whole model, as adapters count them: without the LM head."""
        return {f"{n}.{name}": size for n in range(self.layers) for name, size in self.layer().items()}

    @property
    def embedding(self) -> tuple[int, int]:
        """Tokens, and the width of each one's row."""
        return self.vocab, self.hidden

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers, the LM head apart."""
        return self.layers * sum(rows * columns for rows, columns in self.layer().values())

    @property
    def parameters(self) -> int:
        """All weights, embeddings, norms and biases included."""
        biases = self.query + 2 * self.key if self.model_type in HAS_QUERY_BIAS else 0
        norms = 2 * self.hidden + (2 * self.head_dim if self.norms_heads else 0)
        embeddings = self.vocab * self.hidden * (1 if self.tied else 2)
        return self.linear_parameters + self.layers * (biases + norms) + embeddings + self.hidden


def read_shape(config: Model) -> Shape:
    """Reads the shape of the sandbox, a local folder, a model known here, or one of the hub. Errors: `ModelError`."""
    if config.name in KNOWN and not Path(source_of(config)).exists():
        return Shape(*KNOWN[config.name])
    return shape_of(read_model_config(config), config.name)


def shape_of(values: dict[str, Any], name: str) -> Shape:
    """Returns the shape that a config.json describes. Errors: `ModelError`."""
    text = values.get("text_config")
    values = values | text if isinstance(text, dict) else values
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in SHAPED_LIKE_LLAMA:
        raise ModelError(
            f"model.name={name} is of type {kind!r:.80}, whose memory cannot be predicted; types known: "
            f"{', '.join(sorted(SHAPED_LIKE_LLAMA))}."
        )
    heads = _number(values, "num_attention_heads", name)
    hidden = _number(values, "hidden_size", name)
    return Shape(
        model_type=kind,
        hidden=hidden,
        layers=_number(values, "num_hidden_layers", name),
        intermediate=_number(values, "intermediate_size", name),
        heads=heads,
        kv_heads=_number(values, "num_key_value_heads", name, heads),
        head_dim=_number(values, "head_dim", name, max(1, hidden // heads)),
        vocab=_number(values, "vocab_size", name),
        tied=values.get("tie_word_embeddings", kind.startswith("gemma")) is True,
    )


def _number(values: dict[str, Any], key: str, name: str, default: int | None = None) -> int:
    value = values.get(key) if values.get(key) is not None else default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise ModelError(f"the config.json of model.name={name} has no usable {key}: {value!r:.40}.")
    return value
