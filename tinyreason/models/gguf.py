"""A base in a GGUF file, as llama.cpp writes it: which file that is, and what transformers reads of it."""

from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import Model, is_gguf_name
from tinyreason.errors import ModelError

MAGIC = b"GGUF"
"""What such a file begins with."""


def gguf_file(config: Model) -> str | None:
    """Returns the name of the GGUF file that holds the base; None where it is in none."""
    return Path(config.name).name if is_gguf_name(config.name) else config.gguf_file


def gguf_options(config: Model) -> dict[str, str]:
    """Returns what transformers' `from_pretrained` wants to know of it."""
    file = gguf_file(config)
    return {"gguf_file": file} if file else {}


def check_gguf(source: str, config: Model) -> None:
    """Refuses, before it is read, a file that is missing or not a GGUF. Errors: `ModelError`."""
    if Path(source).is_dir():
        file = Path(source, gguf_file(config))
        if not file.is_file():
            others = ", ".join(path.name for path in sorted(Path(source).glob("*.gguf"))) or "no GGUF file"
            raise ModelError(f"there is no file {file}; the folder has {others}.")
        with open(file, "rb") as opened:
            if opened.read(len(MAGIC)) != MAGIC:
                raise ModelError(f"{described(config)} is not a GGUF file: it does not begin with GGUF.")
    elif is_gguf_name(config.name):
        raise ModelError(f"there is no file {config.name}; give a GGUF file, or a hub id with model.gguf_file=NAME.")


def read_gguf_config(source: str, config: Model):
    """Returns the model's configuration as the file's own words have it. Errors: `ModelError`."""
    check_gguf(source, config)
    with reading(config):
        return _config(source, gguf_file(config), _stamp(source, config))


@contextmanager
def reading(config: Model):
    """Turns whatever a library raises at a file that it cannot read into one sentence, a `ModelError`."""
    import torch

    try:
        with reading_once():
            yield
    except (ModelError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a broken file is anything: ValueError, IndexError, struct.error, MemoryError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelError(
            f"cannot read {described(config)} as GGUF: {reason}; is the file whole, and its architecture one that "
            f"transformers reads from GGUF, as llama, qwen2, qwen3, gemma2, gemma3 or phi3?"
        ) from None


@contextmanager
def reading_once():
    """Has transformers read a file once, not two or three times, and build its table of names once, not for each layer.

    A reader's slices are of a plain array, over the same mapped file: those of a mapped one take four times as long.
    """
    import gguf

    theirs = gguf.GGUFReader, gguf.get_tensor_name_map
    if hasattr(theirs[0], "cache_info"):  # inside another such block
        yield
        return
    gguf.GGUFReader, gguf.get_tensor_name_map = lru_cache(1)(_plain_reader()), cache(theirs[1])
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = theirs


def _plain_reader() -> type:
    """Returns gguf's reader with `data` as a plain array."""
    import numpy
    from gguf import GGUFReader

    class PlainReader(GGUFReader):
        @property
        def data(self):
            return self.plain

        @data.setter
        def data(self, mapped) -> None:
            self.plain = mapped.view(numpy.ndarray)

    return PlainReader


def as_float_model(model) -> None:
    """Has a model that was read from GGUF count as what it is by now: float weights that can be trained and saved."""
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config


def described(config: Model) -> str:
    """Returns what the person typed."""
    return f"model.name={config.name}" + (f" model.gguf_file={config.gguf_file}" if config.gguf_file else "")


@lru_cache(maxsize=4)
def _config(source: str, file: str, stamp: Any):
    """Reads it once: the words of a vocabulary take seconds.

    Of qwen3 transformers leaves out how wide a head is, and takes 128.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, gguf_file=file)
    local = Path(source, file)
    if local.is_file() and getattr(config, "head_dim", None):
        config.head_dim = gguf_number(local, ".attention.key_length") or config.head_dim
    return config


def gguf_number(file: Path, ending: str) -> int | None:
    """Returns the whole number under the first key of a GGUF file that ends so; None without one."""
    from gguf import GGUFReader

    field = next((found for key, found in GGUFReader(file).fields.items() if key.endswith(ending)), None)
    return int(field.contents()) if field else None


def _stamp(source: str, config: Model) -> Any:
    file = Path(source, gguf_file(config))
    return (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else None
