"""Completions of a model on this machine: a base, or an adapter on it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tinyreason.adapters import with_adapter
from tinyreason.config.run_config import Kernels, Model
from tinyreason.errors import ModelError
from tinyreason.example import Example
from tinyreason.inference.sampling import Sampling, sample_completions
from tinyreason.models.chat_template import render
from tinyreason.models.load import (
    card_for,
    compute_settings_for,
    load_model,
    max_completion_tokens_of,
    name_of_base,
)
from tinyreason.models.saved import BASE_FACTS, CHAT_TEMPLATE
from tinyreason.teachers.request import Request

REASON_CHARACTERS = 300
"""So much of what a library says of an adapter that does not fit is shown."""
BATCHES_AT_ONCE = 4
"""So many are sorted by length together, and delivered before the next are begun."""


def sample_locally(local, requests: list[Request]) -> Iterator[tuple[Request, str, int, int]]:
    """Yields (request, text, tokens in, tokens out) of each request; `local` is the teacher of that kind."""
    model, tokenizer = load_base_or_adapter(local.model)
    most = local.max_tokens or max_completion_tokens_of(model.name_or_path)
    size = local.batch_size * BATCHES_AT_ONCE
    for at in range(0, len(requests), size):
        part = requests[at : at + size]
        sampling = Sampling(
            samples=1,
            temperature=local.temperature,
            max_completion_tokens=most,
            batch_size=local.batch_size,
            prompt="plain",
            seed=(int(part[0].id[:12], 16) + local.seed) % 2**32,  # the same completions only for the same requests
        )
        examples = [Example(request.id, request.messages, request.example.answer) for request in part]
        texts, tokens, _ = sample_completions(model, tokenizer, examples, sampling, lambda count: None)
        chats = [list(request.messages) for request in part]
        prompts = render(tokenizer, chats, sampling.template_options)
        tokens_in = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
        yield from zip(part, texts, tokens_in, tokens, strict=True)


def load_base_or_adapter(name: str):
    """Returns (model, tokenizer) of `sandbox`, a model, a hub id, or the folder of an adapter or of a run."""
    return load_with_adapter(*base_and_adapter(name))


def base_and_adapter(name: str) -> tuple[Model, Path | None]:
    """Returns (base, folder of the adapter on it or None) of such a name. Errors: `ModelError`."""
    folder = next((place for place in (Path(name), Path(name, "adapter")) if is_adapter(place)), None)
    return base_of(folder) if folder else Model(name=name), folder


def load_with_adapter(base: Model, adapter: Path | None, needs_template: bool = True):
    """Returns (model, tokenizer) of a base, with the adapter of a folder on it where given. Errors: `ModelError`."""
    model, tokenizer = load_model(base, compute_settings_for(base, Kernels(), card_for(base)), needs_template)
    if adapter:
        try:
            model = with_adapter(model, adapter)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())[:REASON_CHARACTERS] or type(error).__name__
            raise ModelError(
                f"the adapter {adapter} does not fit its base {base.name}: {reason.rstrip('.:')}."
            ) from None
    return model.eval(), tokenizer


def is_adapter(folder: Path) -> bool:
    """Returns whether PEFT wrote the folder."""
    return (folder / "adapter_config.json").is_file()


def base_of(folder: Path, trust: dict[str, bool] | None = None) -> Model:
    """Returns the model that an adapter was trained on. Errors: `ModelError` where it does not say."""
    try:
        base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str) or not base:
        raise ModelError(f"{folder}/adapter_config.json does not name the base model of the adapter; give it --base.")
    return Model(name=name_of_base(base), **saved_beside(folder), **(trust or {}))


def saved_beside(folder: Path) -> dict[str, str]:
    """Returns what an adapter's folder says of its base beside the name: its GGUF file, its chat template."""
    found = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        found["gguf_file"] = str(json.loads((folder / BASE_FACTS).read_text(encoding="utf-8"))["gguf_file"])
    if (folder / CHAT_TEMPLATE).is_file():
        found["chat_template"] = str(folder / CHAT_TEMPLATE)
    return found
