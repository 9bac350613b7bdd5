"""Does what every adapter does alike: find its layers, attach, save, restore, start from an earlier one."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from tinyreason.adapters._fit import check_folder, check_scale, check_tensors, refuse
from tinyreason.errors import ConfigError, ModelError
from tinyreason.schema import Schema

TARGETS = {
    "all-linear": None,
    "mlp": ("gate_proj", "up_proj", "gate_up_proj", "down_proj"),
    "attention": ("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj"),
}
"""The names that Llama-like models give their linear layers; Phi-3 fuses some."""

TIED = ".*a tied layer is part of the adapter"
"""PEFT warns so where an embedding is adapted and the LM head, which is tied to it, is meant to stay as it is."""

Targets = Literal["all-linear", "mlp", "attention"] | tuple[str, ...]


class Adapter(Schema):
    """Holds the options of every adapter, and attaches, saves and restores it."""

    on_sandbox: ClassVar[dict[str, Any]] = {}  # option → value where none is given and the base is the sandbox's
    sandbox_learning_rate: ClassVar[float | None] = None  # the learning rate then; None is as elsewhere

    rank: int = Field(16, ge=1)
    """r, the rank of the update."""
    targets: Targets = "all-linear"
    """Which linear layers get an adapter: a group, or a list of their names; the LM head never does."""
    start: str | None = None
    """Folder of an adapter of this kind and base to start from; null = a fresh one."""

    @property
    def quantized_bases(self) -> tuple[str, ...]:
        """Returns the kinds of `model.quantize` it can sit on."""
        return ("nf4", "int8")

    def peft_config(self, targets: list[str]):
        """Returns PEFT's configuration of this adapter."""
        raise NotImplementedError

    def attach(self, model, seed: int, tokenizer: Any = None):
        """Returns a PEFT model around `model`, initialised from `seed`, that answers as the base (or as `start`).

        `tokenizer` is the model's; kinds need it that know a token by its text.
        """
        import torch
        from peft import get_peft_model

        layers = self.layers(model)
        torch.manual_seed(seed)
        adapted = get_peft_model(model, self.peft_config(sorted({name.rpartition(".")[2] for name in layers})))
        self.prepare(adapted, tokenizer)
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()  # small steps vanish in half precision
        if self.start:
            self.start_from(adapted, Path(self.start))
        return adapted

    def prepare(self, adapted, tokenizer: Any) -> None:
        """Changes in the PEFT model what this kind wants changed before training."""

    def check(self, run, path: str) -> None:
        allowed = ("none", *self.quantized_bases)
        if run.model.quantize not in allowed:
            raise ValueError(
                f"{path} {self.kind} with these switches cannot sit on a base with "
                f"model.quantize={run.model.quantize}; it can on {', '.join(allowed)}"
            )

    def check_model(self, skeleton, tokenizer: Any = None) -> None:
        """Refuses, before any weight is read, an adapter that cannot be attached to the model of this skeleton.

        `tokenizer` is as `attach` has it.
        """
        layers = self.layers(skeleton)
        if self.start:
            self.check_start(f"adapter.start={self.start}", Path(self.start), layers)

    def check_start(self, where: str, folder: Path, layers: dict[str, tuple[int, int]]) -> None:
        """Refuses, from its small files alone, a folder that this adapter cannot start from on these layers."""
        names = sorted({name.rpartition(".")[2] for name in layers})
        check_folder(where, folder, self.peft_config(names), layers)

    @property
    def trains_inputs(self) -> bool:
        """Returns whether a matrix that reads the layer's input is trained: the backward pass then needs that input."""
        return False

    @property
    def rebuilds_weights(self) -> bool:
        """Returns whether a forward pass makes W + ΔW of each layer in float32, instead of adding ΔW x to W x."""
        return False

    @property
    def plain_rank(self) -> int | None:
        """Returns the rank of the plain LoRA that `save` writes, which servers take; None where it writes another."""
        return self.rank

    @property
    def decomposes(self) -> bool:
        """Returns whether attaching it takes singular vectors or the like of each weight."""
        return False

    def trained_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        """Returns how many numbers are trained on layers of these (out, in)."""
        raise NotImplementedError

    def frozen_parameters(self, layers: dict[str, tuple[int, int]]) -> int:
        """Returns how many more are held beside the base: factors, and the copy that `start` is remembered by."""
        return self.trained_parameters(layers) if self.start else 0

    def layers(self, model) -> dict[str, tuple[int, int]]:
        """Returns name → (out, in) of every linear layer of `model` that gets an adapter. Weights are not read."""
        return self.choose(linear_layers(model))

    def layers_of_shape(
        self, linear: dict[str, tuple[int, int]], embedding: tuple[int, int]
    ) -> dict[str, tuple[int, int]]:
        """Returns the same of a model known by its linear layers, and (tokens, width) of its embedding, alone."""
        return self.choose(linear)

    def choose(self, linear: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """Returns those of a model's linear layers, name → (out, in), that get an adapter. Errors: `ConfigError`."""
        names = TARGETS[self.targets] if isinstance(self.targets, str) else self.targets
        chosen = {name: shape for name, shape in linear.items() if names is None or name.rpartition(".")[2] in names}
        known = sorted({name.rpartition(".")[2] for name in linear})
        unknown = [] if isinstance(self.targets, str) else sorted(set(self.targets) - set(known))
        if unknown or not chosen:
            asked = ", ".join(unknown) or self.targets
            raise ConfigError(f"adapter.targets={asked} matches no linear layer of this model; it has {known}.")
        name, smallest = min(chosen.items(), key=lambda item: min(item[1]))
        if self.rank > min(smallest):
            raise ConfigError(
                f"adapter.rank={self.rank} is larger than layer {name} ({smallest[0]} × {smallest[1]}); "
                f"type adapter.rank={min(smallest)} or less."
            )
        return chosen

    def save(self, model, folder: Path) -> None:
        """Writes a folder that any PEFT user can load."""
        model.save_pretrained(folder, selected_adapters=["default"])

    def restore(self, model, folder: Path) -> None:
        """Puts a saved adapter's weights back into an attached one. Errors: `ModelError` unless all of them fit."""
        from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

        tensors = load_peft_weights(str(folder), device=str(model.device))
        wanted = get_peft_model_state_dict(model, adapter_name="default", save_embedding_layers=False)
        check_tensors(f"the adapter in {folder}", shapes(tensors), shapes(wanted))
        set_peft_model_state_dict(model, tensors)

    def after_step(self, model, folder: Path, step: int) -> None:
        """Does what is to be done after each optimizer step, in the run's folder."""

    def start_from(self, adapted, folder: Path) -> None:
        """Restores the adapter in `folder`, and holds it as "ref" too: the KL penalty is to it, not to the base.

        Errors: `ModelError` unless every tensor of it has its place in both, and all of theirs are filled.
        """
        from safetensors import SafetensorError

        try:
            self.restore(adapted, folder)
            found = adapted.load_adapter(str(folder), adapter_name="ref", is_trainable=False)
        except (RuntimeError, KeyError, OSError, SafetensorError) as error:
            if isinstance(error, ModelError):
                raise
            reason = str(error).strip().splitlines()[0].rstrip(".:")
            raise ModelError(f"the adapter in {folder} does not fit this model and adapter: {reason}.") from None
        where = f"the adapter in {folder}"
        homeless, empty = list(found.unexpected_keys), list(found.missing_keys)
        refuse(where, homeless, empty, len(homeless), sorted({name.rpartition(".")[0] for name in homeless}))
        check_scale(where, adapted)
        adapted.set_adapter("default")


def shapes(tensors: dict) -> dict[str, tuple[int, ...]]:
    """Returns tensor name → its shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def with_adapter(model, folder: Path):
    """Returns a PEFT model around `model` with the adapter that a folder holds, whoever wrote it."""
    import warnings

    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lora_bias=True")  # merging such a one is ours
        warnings.filterwarnings("ignore", message=TIED)
        return PeftModel.from_pretrained(model, str(folder))


def linear_layers(model) -> dict[str, tuple[int, int]]:
    """Returns name → (out, in) of the linear layers of a transformer, quantised or not, without its LM head."""
    head = model.get_output_embeddings()
    return {
        name: (layer.out_features, layer.in_features)
        for name, layer in model.named_modules()
        if hasattr(layer, "in_features") and hasattr(layer, "weight") and layer is not head
    }


def lora_factors(model, adapter: str) -> dict:
    """Returns layer name → (A (r × in), B (out × r)), the tensors that the PEFT adapter of this name computes with."""
    return {
        name: (layer.lora_A[adapter].weight.detach(), layer.lora_B[adapter].weight.detach())
        for name, layer in model.named_modules()
        if adapter in getattr(layer, "lora_A", ())
    }


def write_lora(model, folder: Path, factors: dict, rank: int, alpha: float) -> None:
    """Writes layer name → (A, B) as a plain LoRA folder, whatever adapter they came from."""
    from copy import copy

    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = copy(model.peft_config["default"])
    config.r, config.lora_alpha, config.init_lora_weights, config.inference_mode = rank, alpha, True, True
    config.save_pretrained(str(folder))
    tensors = {f"{name}.lora_{side}.weight": pair[at] for name, pair in factors.items() for at, side in enumerate("AB")}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "adapter_model.safetensors")


def read_lora(folder: Path) -> dict:
    """Reads layer name → (A, B) from a plain LoRA folder."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "adapter_model.safetensors")
    names = [name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")]
    return {name: (tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]) for name in names}
