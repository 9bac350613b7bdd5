"""The `inference` section: what samples completions, here or on a server of vLLM's."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tinyreason.config.processes import SAMPLED_BY_TRL
from tinyreason.schema import Schema

SERVER = "vllm_server"
"""The engine that is a server elsewhere."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Largest ranks that vLLM can be told."""
OF_PART = ("top_p", "top_k", "min_p")
"""Options under `trl:` with which a token is sampled from a part of the distribution."""


class VllmServer(Schema):
    """Where vLLM's own server is, started with `--enable-lora`; read by `inference.engine=vllm_server` alone."""

    url: str = "http://localhost:8000"
    """Its address, without /v1."""
    model: str | None = None
    """The name that it serves the base under; null = model.name."""
    key_variable: str = "VLLM_API_KEY"
    """Name of the environment variable that holds its key; where that is unset, none is sent."""
    adapters: str | None = None
    """Folder that the server reads too, at the same path, for the adapter of each step; null = in the run's folder."""
    timeout_s: float = Field(600, gt=0)
    """Seconds that one completion may take."""
    patience_s: float = Field(300, ge=0)
    """Seconds without any answer after which the run ends, with what it has saved."""

    @model_validator(mode="after")
    def url_is_one(self) -> Self:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url={self.url} is not an address; type one like http://localhost:8000")
        return self


class Inference(Schema):
    """What samples completions: rollouts, evaluation and validation."""

    engine: Literal["auto", "hf", "fused", "trl", "vllm_server"] = "auto"
    """Transformers' forward pass (hf), a faster one for models like Llama (fused), vllm_server, or TRL's own (trl)."""
    server: VllmServer = Field({}, validate_default=True)
    """Of vllm_server: the address, and how long to wait."""

    def check(self, run, path: str) -> None:
        if self.engine != SERVER:
            return
        chosen = f"{path}.engine={SERVER}"
        if run.adapter.plain_rank is None:
            raise ValueError(f"{chosen} takes plain LoRA adapters, and a {run.adapter.kind} with these options is none")
        if run.adapter.plain_rank > RANKS[-1]:
            raise ValueError(f"{chosen} takes adapters of rank {RANKS[-1]} at most; lower adapter.rank")
        if run.model.gguf_file or run.model.name.lower().endswith(".gguf"):
            raise ValueError(f"{chosen} puts no adapter on a GGUF file; type model.name= the folder it was made from")
        if run.processes > 1:
            raise ValueError(f"{chosen} samples for one process; leave out processes={run.processes}")
        others = [name for source in run.training_sources for name in getattr(source, "other_models", {}).values()]
        if others:
            raise ValueError(f"{chosen} samples this run's own model alone, and data names {others[0]}; leave one out")
        if run.rollouts:
            raise ValueError(f"{chosen} does not go with rollouts.kind={run.rollouts.kind}, which asks in turns")
        if getattr(run.train, "rollout_dtype", "auto") != "auto":
            raise ValueError(f"{chosen} samples in the server's number format; leave train.rollout_dtype out")
        theirs = set(run.trl.get("generation_kwargs") or ()) - {"min_new_tokens"}
        if theirs or any(run.trl.get(name) for name in SAMPLED_BY_TRL):
            raise ValueError(f"{chosen} samples in TRL's place; leave out what has TRL sample itself")
        if part := next((name for name in OF_PART if run.trl.get(name) not in (None, 0, 1.0)), None):
            raise ValueError(
                f"{chosen} with trl.{part} would weigh tokens by log-probabilities of a part of the distribution; "
                f"leave trl.{part} out"
            )
