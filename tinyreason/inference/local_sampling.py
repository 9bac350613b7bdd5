"""Replies of a model of this machine: its base, or an adapter on it."""

import json
from collections.abc import Iterator
from pathlib import Path

from tinyreason.adapters import with_adapter
from tinyreason.config.run_config import Kernels, Model
from tinyreason.errors import ModelError
from tinyreason.example import Example
from tinyreason.inference.sampling import Sampling, sample_completions
from tinyreason.models.hardware import find_card
from tinyreason.models.load import SANDBOX, compute_settings_for, load_model
from tinyreason.teachers.request import Request

MAX_TOKENS = {"sandbox": 160}
USUAL_MAX_TOKENS = 1024
BATCHES_AT_ONCE = 4
"""so many are sorted by length together, and delivered before the next are begun"""


def sample_locally(local, requests: list[Request]) -> Iterator[tuple[Request, str, int, int]]:
    """(request, text, tokens in, tokens out) of each request; `local` is the teacher of that kind."""
    model, tokenizer = load_base_or_adapter(local.model)
    base = Path(model.name_or_path).resolve()
    most = local.max_tokens or MAX_TOKENS.get("sandbox" if base == SANDBOX.resolve() else "", USUAL_MAX_TOKENS)
    size = local.batch_size * BATCHES_AT_ONCE
    for at in range(0, len(requests), size):
        part = requests[at : at + size]
        sampling = Sampling(
            samples=1,
            temperature=local.temperature,
            max_completion_tokens=most,
            batch_size=local.batch_size,
            prompt="plain",
            seed=(int(part[0].id[:12], 16) + local.seed) % 2**32,  # the same draw again only for the same requests
        )
        examples = [Example(request.id, request.messages, request.example.answer) for request in part]
        texts, tokens, _ = sample_completions(model, tokenizer, examples, sampling, lambda count: None)
        chats = [list(request.messages) for request in part]
        prompts = tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=False)
        tokens_in = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False)["input_ids"]]
        yield from zip(part, texts, tokens_in, tokens, strict=True)


def load_base_or_adapter(name: str):
    """(model, tokenizer) of `sandbox`, a model folder, a hub id, or the folder of an adapter or of a run."""
    folder = next((place for place in (Path(name), Path(name, "adapter")) if is_adapter(place)), None)
    return load_with_adapter(Model(name=base_of(folder) if folder else name), folder)


def load_with_adapter(base: Model, adapter: Path | None):
    """(model, tokenizer) of a base with the adapter of a folder on it, if there is one."""
    card = None if base.name == "sandbox" else find_card()
    model, tokenizer = load_model(base, compute_settings_for(base, Kernels(), card))
    if adapter:
        try:
            model = with_adapter(model, adapter)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
            raise ModelError(f"the adapter {adapter} does not fit its base {base.name}: {reason}.") from None
    return model.eval(), tokenizer


def is_adapter(folder: Path) -> bool:
    """Whether PEFT wrote it."""
    return (folder / "adapter_config.json").is_file()


def base_of(folder: Path) -> str:
    """The model that an adapter was trained on, by the name it has here."""
    try:
        base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str) or not base:
        raise ModelError(f"{folder}/adapter_config.json does not name the base model of the adapter.")
    is_sandbox = not Path(base).exists() and Path(base).parts[-2:] == SANDBOX.parts[-2:]
    return "sandbox" if is_sandbox or Path(base) == SANDBOX else base
