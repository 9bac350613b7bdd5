"""The base model and its tokenizer, from the package, a local folder or the hub; quantised or not."""

import filecmp
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

from tinyreason import processes
from tinyreason.config.model import Model, is_gguf_name
from tinyreason.config.run_config import Kernels
from tinyreason.errors import ModelError
from tinyreason.models.attention import avoid_enable_gqa
from tinyreason.models.chat_template import end_tokens
from tinyreason.models.gguf import as_float_model, check_gguf, gguf_file, gguf_options, read_gguf_config, reading
from tinyreason.models.hardware import Card, find_cpu, take_card, usable_cores
from tinyreason.models.kernels import ComputeSettings, choose_compute_settings, installed_packages
from tinyreason.models.token_fit import fit_to_model, read_tokenizer
from tinyreason.sandbox import BASE, NAME
from tinyreason.sandbox import MAX_COMPLETION_TOKENS as SANDBOX_MAX_COMPLETION_TOKENS

SAMPLED, SAMPLE_BYTES = 4096, 64
"""In how many places a file of weights is read for its hash, and how much there."""
MAX_COMPLETION_TOKENS = 1024
"""Longest completion of a model that nobody says more about."""
HUB_TIMEOUT_S = 5.0
REACH = (
    "Is the id right, the hub reachable, and HF_TOKEN set if the model asks for it? Without the hub type "
    "model.name=FOLDER or model.name=FILE.gguf."
)
SHOWN = 4
"""So many tensors that a base lacks are named."""
LOG = logging.getLogger(__name__)


def compute_settings_for(config: Model, kernels: Kernels, card: Card | None) -> ComputeSettings:
    """Returns how this model computes on this machine; of the model only its config.json is read."""
    return choose_compute_settings(config, kernels, card, installed_packages(), read_model_type(config), find_cpu())


def read_model_type(config: Model) -> str | None:
    """Returns the architecture's name (`model_type`) in the model's config.json."""
    if os.path.exists(source_of(config)) and not gguf_file(config):
        check_model_folder(Path(source_of(config)), config.name)
    return read_model_config(config).get("model_type")


def read_model_config(config: Model) -> dict[str, Any]:
    """Returns the model's config.json, from its folder or the hub, or the like of a GGUF. Errors: `ModelError`."""
    if file := gguf_file(config):
        check_gguf(source_of(config), config)
        if not os.path.isdir(source_of(config)):
            file_of_the_hub(config, file)
        return read_gguf_config(source_of(config), config).to_dict()
    file = Path(source_of(config), "config.json")
    if not os.path.exists(file.parent):
        file = file_of_the_hub(config, "config.json")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ModelError(f"cannot load model.name={config.name}: its config.json is missing or not a model's.")
    return values


def file_of_the_hub(config: Model, name: str) -> Path:
    """Returns a file of it in the hub's cache, fetched if need be. Errors: `ModelError`, at once when offline."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(config.name, name)
        if isinstance(cached, str):
            return Path(cached)
        get_hf_file_metadata(hf_hub_url(config.name, name), timeout=HUB_TIMEOUT_S)  # a download asks six times
        return Path(hf_hub_download(config.name, name, etag_timeout=HUB_TIMEOUT_S))
    except Exception as error:  # of whatever HTTP library the hub's client uses
        raise ModelError(cannot_load(config, error, is_local=False)) from None


def source_of(config: Model) -> str:
    """Returns what transformers loads it from: of a GGUF file its folder."""
    if is_gguf_name(config.name):
        return str(Path(config.name).absolute().parent)
    return str(BASE) if config.name == NAME else config.name


def is_built_in(name: str) -> bool:
    """Returns whether this is the name of the model that ships with the package."""
    return name == NAME


def is_on_this_machine(name: str) -> bool:
    """Returns whether a model of this name is loaded without a network."""
    return is_built_in(name) or os.path.exists(name)


def card_for(config: Model) -> Card | None:
    """Returns the card that the model computes on; the sandbox's, whose figures are a CPU's, uses none."""
    return None if config.name == NAME else take_card()


def name_of_base(source: str) -> str:
    """Returns the name of a base model by where an adapter says it lies; the sandbox's may have been elsewhere."""
    path = Path(source)
    is_named_so = path.parts[-2:] == BASE.parts[-2:]
    return NAME if path == BASE or (is_named_so and (not path.exists() or holds_the_sandbox(path))) else source


def holds_the_sandbox(folder: Path) -> bool:
    """Returns whether a folder holds the model that ships with the package, perhaps another checkout's."""
    weights = folder / "model.safetensors"
    return weights.is_file() and filecmp.cmp(weights, BASE / weights.name, shallow=False)


def max_completion_tokens_of(name: str) -> int:
    """Returns how long a completion of this model may be where nobody says otherwise."""
    is_sandbox = name == NAME or Path(name).resolve() == BASE.resolve()
    return SANDBOX_MAX_COMPLETION_TOKENS if is_sandbox else MAX_COMPLETION_TOKENS


def load_model(config: Model, compute: ComputeSettings, needs_template: bool = True):
    """Returns (model, tokenizer), the model in evaluation mode on its device. Errors: `ModelError`."""
    from transformers.utils import logging

    logging.disable_default_handler()  # what it says goes where all logs go, not to the screen
    logging.enable_propagation()
    avoid_enable_gqa(compute.avoids_enable_gqa)
    use_cores(compute)
    with loading(config):
        tokenizer = read_tokenizer(source_of(config), config, needs_template)
        model = read_weights(config, compute)
    if gguf_file(config):
        as_float_model(model)
    fit_to_model(tokenizer, model, config)
    model.generation_config.eos_token_id = sorted(end_tokens(model, tokenizer))  # TRL's rollouts stop where it says
    keep_as_loaded(model)
    if compute.fused.got == "liger":
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(model, fused_linear_cross_entropy=False)  # the trainers have their own loss
    return model.eval(), tokenizer


def use_cores(compute: ComputeSettings) -> None:
    """Has torch compute on no more threads than the cores that this process may use, where nobody set a number."""
    import torch

    is_set = os.environ.get("OMP_NUM_THREADS") or os.environ.get("MKL_NUM_THREADS")
    if compute.device == "cpu" and not is_set:
        torch.set_num_threads(min(torch.get_num_threads(), max(1, usable_cores() // processes.count())))


def read_weights(config: Model, compute: ComputeSettings):
    """Returns the model as transformers reads it; weights that its files lack are said."""
    import torch
    from transformers import AutoModelForCausalLM

    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"torch {torch.__version__} cannot use {compute.card.describe()}; type: tinyreason doctor")
    model, found = AutoModelForCausalLM.from_pretrained(
        source_of(config),
        dtype=getattr(torch, compute.dtype.got),
        attn_implementation=compute.attention.got,
        device_map={"": compute.device},
        output_loading_info=True,
        trust_remote_code=config.trust_remote_code,
        **gguf_options(config),
        **(
            {"config": read_gguf_config(source_of(config), config)}
            if gguf_file(config)
            else {"quantization_config": quantization(compute)}
        ),
    )
    if missing := sorted(found["missing_keys"]):
        names = ", ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
        LOG.warning(
            f"the files of model.name={config.name} lack {len(missing)} of the model's tensors, which begin at random: "
            f"{names}"
        )
    return model


@contextmanager
def loading(config: Model) -> Iterator[None]:
    """Turns what transformers raises at a model that it cannot load into one sentence, a `ModelError`."""
    from safetensors import SafetensorError

    try:
        with reading(config) if gguf_file(config) else nullcontext():
            yield
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise ModelError(cannot_load(config, error, is_local=os.path.exists(source_of(config)))) from None


def keep_as_loaded(model) -> None:
    """Forbids bitsandbytes to repack a 4-bit base at its first evaluation, as it does where the CPU has bfloat16.

    That would compute in bfloat16, from rounded scales, and a resumed run would have another base.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def base_sha256(config: Model) -> str:
    """Returns a SHA-256 of the files that a base is loaded from, whatever number format and card it is loaded in.

    Of each file of weights the name, the size and 4,096 places are in it, which differ between any two trainings.
    """
    whole, weights = files_of(config)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in whole))
    for path in weights:
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with open(path, "rb") as file:
            for place in range(0, size, max(SAMPLE_BYTES, size // SAMPLED)):
                file.seek(place)
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def files_of(config: Model) -> tuple[list[Path], list[Path]]:
    """Returns the small files that a base is loaded from, and those with its weights."""
    template = [Path(os.path.expanduser(config.chat_template))] if config.chat_template else []
    folder = Path(source_of(config))
    if file := gguf_file(config):
        return template, [folder / file if folder.is_dir() else file_of_the_hub(config, file)]
    if not folder.is_dir():
        folder = file_of_the_hub(config, "config.json").parent
    found = (sorted(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin"))
    return [folder / "config.json", *template], next(filter(None, found), [])


def check_finite(model, config: Model) -> None:
    """Refuses a base with a weight that is nan or infinite. Errors: `ModelError`."""
    import torch

    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            count = int((~torch.isfinite(weight)).sum())
            way = "choose another base, or load it anew: the file is damaged, or was saved by a run that broke down"
            if weight.dtype == torch.float16:
                way = "float16 may not hold its weights; type model.dtype=float32"
            raise ModelError(
                f"model.name={config.name} holds {count:,} numbers that are not finite (nan or infinity) in {name}, "
                f"so nothing can be trained on it; {way}."
            )


def skeleton(config: Model):
    """Returns the model without its weights, on torch's meta device: what layers it has and of what shapes."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    trust, source = {"trust_remote_code": config.trust_remote_code}, source_of(config)
    with loading(config):
        read = gguf_file(config) and deepcopy(read_gguf_config(source, config))
        shape = read or AutoConfig.from_pretrained(source, **trust)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(shape, **trust)


def quantization(compute: ComputeSettings):
    """Returns the configuration of bitsandbytes, or None."""
    if compute.quantize.got == "none":
        return None

    import torch
    from transformers import BitsAndBytesConfig

    if compute.quantize.got == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, compute.dtype.got),
    )


def cannot_load(config: Model, error: Exception, is_local: bool) -> str:
    """Returns one sentence from a library's error."""
    if "ignore_mismatched_sizes" in str(error):
        return f"cannot load model.name={config.name}: its weights have other shapes than its config.json says."
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    reach = "" if is_local else f" {REACH}"
    return f"cannot load model.name={config.name}: {first_line}.{reach}"


def check_model_folder(folder: Path, name: str) -> None:
    """Refuses a folder without a config, weights and a tokenizer. Errors: `ModelError`."""
    wanted = {
        "config.json": ("config.json",),
        "weights (*.safetensors)": ("*.safetensors", "*.bin"),
        "a tokenizer (tokenizer.json)": ("tokenizer.json", "tokenizer.model", "vocab.json"),
    }
    for what, patterns in wanted.items():
        if not folder.is_dir() or not any(any(folder.glob(pattern)) for pattern in patterns):
            raise ModelError(
                f"model.name={name} has no {what}; it must be 'sandbox', a model folder as save_pretrained writes it, "
                f"or a hub id."
            )


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether the memory of the card, or of the CPU, was too small."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)


def free_memory() -> None:
    """Gives back what is no longer used. Call it outside the `except`, whose traceback holds on to tensors."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_memory_gb() -> float:
    """Returns the most memory used so far, in GiB: of the card where one is used, else of this process."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        memory = psutil.Process().memory_info()
        return getattr(memory, "peak_wset", memory.rss) / 2**30
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
