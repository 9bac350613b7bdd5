"""Samples on a server of vLLM's: it holds the base, and is given the adapter anew whenever that has changed.

vLLM puts a LoRA on its base (`--enable-lora`), so what travels is the adapter's folder: no NCCL, no CUDA and no vLLM in
the process that trains. Each state of the adapter has a name of its own, as vLLM finds the prompts that it remembers
(prefix cache) by an adapter's name, and would continue from what the earlier one made of them.
"""

import hashlib
import math
import os
import shlex
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tinyreason.adapters import adapts, trained_sha256
from tinyreason.config.inference import RANKS, VllmServer
from tinyreason.config.model import Model
from tinyreason.errors import ServerError, Stopped
from tinyreason.inference.engines.connection import COMPLETIONS, Connection, NotThere, Unanswered
from tinyreason.models.load import source_of

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
USUAL_PORT = 8000
NAME = "tinyreason-"
"""What the names of the adapters begin with that a server is given."""
LEAVES_IN_S = 5.0


class Asked(NamedTuple):
    """One completion to sample."""

    prompt: list[int]
    """Token ids."""
    seed: Any
    """What its random numbers follow from."""
    limit: int
    """Most tokens."""
    temperature: float
    """0 = greedy."""
    top_p: float = 1.0
    least: int = 0
    """It does not end before its token of this number."""


class SampledRow(NamedTuple):
    """What was sampled."""

    ids: list[int]
    """Token ids, up to and with the end token."""
    log_probs: list[float]
    """Of these tokens, at the temperature that they were sampled at; empty where they were not asked for."""


def serve_command(base: Model, rank: int, url: str) -> str:
    """Returns the line that starts a server for adapters of this rank on the base; on this machine for it alone."""
    largest = next((most for most in RANKS if most >= rank), RANKS[-1])
    at = urlsplit(url)
    words = ["vllm", "serve", source_of(base)]
    words += ["--host", "127.0.0.1"] if at.hostname in ("localhost", "127.0.0.1") else []
    words += ["--port", str(at.port)] if at.port and at.port != USUAL_PORT else []
    words += ["--enable-lora", "--max-lora-rank", str(largest)]
    words += ["--quantization", "bitsandbytes"] if base.quantize != "none" else []
    line = shlex.join([*words, "--logprobs-mode", "processed_logprobs"])
    return f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True {line}"


@dataclass
class ServedModel:
    """A run's model on a server: the base, and the adapter as it was when it was last asked."""

    settings: VllmServer
    base: Model
    adapter: Any
    """The config section of the run's adapter."""
    place: Path
    """Folder in which the server finds the adapters."""
    say: Callable[[str], None]
    name: str = ""
    """What the server calls the base."""
    ends: set[int] = field(default_factory=set)
    """Tokens that end a completion."""
    loaded: tuple[str, str] | None = None
    """(SHA-256 of what is trained, name) of the adapter that the server has."""
    versions: int = 0
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self):
        self.connection = Connection(self.settings, os.environ.get(self.settings.key_variable, ""), self.say)

    @property
    def command(self) -> str:
        return serve_command(self.base, self.adapter.plain_rank, self.settings.url)

    def completions(self, model, asked: list[Asked], keeps_log_probs: bool = False) -> Iterator[tuple[int, SampledRow]]:
        """Yields (number, answer) of what is asked of the model as it is now, as the answers come.

        A server that was started anew is given the adapter again. Errors: `Stopped` where it stays away; `ServerError`.
        """
        left, since = dict(enumerate(asked)), None
        while left:
            name = self.name_of(model)
            numbers = list(left)
            try:
                for place, answer in self.ask(name, [left[n] for n in numbers], keeps_log_probs):
                    del left[numbers[place]]
                    yield numbers[place], answer
            except NotThere as error:
                if since == len(left):
                    raise ServerError(f"the server at {self.settings.url} has no {name} ({error}).") from None
                since, self.loaded = len(left), None

    def ask(self, name: str, asked: list[Asked], keeps_log_probs: bool) -> Iterator[tuple[int, SampledRow]]:
        """Yields (number, answer) of what the model of this name on the server is asked."""
        bodies = {number: self.body(name, one, keeps_log_probs) for number, one in enumerate(asked)}
        for number, found in self.connection.answers(COMPLETIONS, bodies):
            yield number, self.answer(found, asked[number], keeps_log_probs)

    def body(self, name: str, asked: Asked, keeps_log_probs: bool) -> dict[str, Any]:
        """Returns a request: a completion ends at this run's end tokens alone, and nothing else changes the sampling.

        What is not said here, vLLM takes from the model's generation_config.json.
        """
        more = {"logprobs": 0, "return_tokens_as_token_ids": True} if keeps_log_probs else {}
        return more | {
            "model": name,
            "prompt": asked.prompt,
            "max_tokens": asked.limit,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "seed": number_of(asked.seed),
            "stop_token_ids": sorted(self.ends),
            "ignore_eos": True,
            "min_tokens": min(max(asked.least - 1, 0), asked.limit),
            "return_token_ids": True,
        }

    def answer(self, found: Any, asked: Asked, keeps_log_probs: bool) -> SampledRow:
        """Returns the tokens of a completion. Errors: `ServerError` for what cannot be one."""
        url = self.settings.url
        try:
            choice = found["choices"][0]
            ids = [int(token) for token in choice["token_ids"]]
            values = [float(value) for value in choice["logprobs"]["token_logprobs"]] if keeps_log_probs else []
        except (LookupError, TypeError, ValueError):
            raise ServerError(
                f"the server at {url} answers without token ids or log-probabilities; vLLM has them from 0.10.2 on."
            ) from None
        is_ended = bool(ids) and ids[-1] in self.ends
        if not ids or len(ids) > asked.limit or (keeps_log_probs and len(values) != len(ids)):
            raise ServerError(
                f"the server at {url} answers {len(ids)} tokens with {len(values)} log-probabilities, where at most "
                f"{asked.limit} were asked for."
            )
        if not is_ended and len(ids) < asked.limit:
            raise ServerError(
                f"the server at {url} ended a completion at the token {ids[-1]}, which ends none in this run; start it "
                f"with --generation-config vllm."
            )
        if not all(map(math.isfinite, values)):
            raise ServerError(f"the server at {url} computes nan or infinity; start it with --dtype bfloat16.")
        return SampledRow(ids, values)

    def name_of(self, model) -> str:
        """Returns what the server calls the model as it is now; an adapter that has changed is given to it first."""
        if not adapts(model):
            return self.name
        state = trained_sha256(model)
        if self.loaded and self.loaded[0] == state:
            return self.loaded[1]
        self.forget()
        self.versions += 1
        version = f"{self.nonce}-{self.versions}"
        self.adapter.save(model, self.place / version)
        self.load(version)
        self.loaded = (state, NAME + version)
        return NAME + version

    def load(self, version: str) -> None:
        """Has the server take an adapter that is written. Errors: `ServerError`."""
        folder = (self.place / version).absolute()
        try:
            list(self.connection.answers(LOAD, {0: {"lora_name": NAME + version, "lora_path": str(folder)}}))
        except (ServerError, NotThere) as error:
            raise ServerError(
                f"{str(error).rstrip('.')}; it has to read {folder} at this path (inference.server.adapters= names "
                f"another place), and to be started with: {self.command}"
            ) from None

    def unload(self, name: str) -> None:
        """Has the server forget an adapter, where it can be reached."""
        with suppress(Unanswered, NotThere, ServerError):
            self.connection.once("POST", UNLOAD, {"lora_name": name}, LEAVES_IN_S)

    def forget(self) -> None:
        """Takes the adapter that the server has from it and from the disk."""
        if self.loaded:
            self.unload(self.loaded[1])
            shutil.rmtree(self.place / self.loaded[1].removeprefix(NAME), ignore_errors=True)
            self.loaded = None

    def close(self) -> None:
        """Leaves nothing of the run on the server."""
        with suppress(Stopped, OSError):
            self.forget()
            self.place.rmdir()


def number_of(seed: Any) -> int:
    """Returns a seed as a server takes it: one number below 2^48."""
    return int.from_bytes(hashlib.sha256(repr(seed).encode()).digest()[:6])
