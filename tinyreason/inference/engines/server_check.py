"""What is asked of a server before it samples: does it serve this base, take adapters, and compute as this machine?"""

from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from statistics import fmean
from typing import Any

import torch

from tinyreason.adapters import write_zeros
from tinyreason.errors import ServerError
from tinyreason.inference.engines.connection import CONNECT_S, NotThere, Unanswered
from tinyreason.inference.engines.vllm_server import LOAD, NAME, Asked, ServedModel
from tinyreason.models.load import source_of

MODELS, VERSION = "/v1/models", "/version"
PROMPTS, TOKENS, TEMPERATURE = 4, 16, 2.0
"""Completions by which a server is held against the model here; at this temperature it shows whose numbers it tells."""
LARGEST_DIFFERENCE = 0.5
"""Mean difference in nats a token over which it is taken to be another model. Not measured on a card."""


def meet(served: ServedModel, longest: int) -> None:
    """Finds the base on the server, whose completions have `longest` tokens at the most. Errors: `ServerError`."""
    url = served.settings.url
    try:
        cards = served.connection.once("GET", MODELS, patience_s=CONNECT_S)["data"]
        bases = {card["id"]: card for card in cards if not card.get("parent")}
    except Unanswered as fault:
        raise ServerError(
            f"no server answers at {url} ({fault}); start one with: {served.command} (docs/server.md), or give its "
            f"address with inference.server.url=."
        ) from None
    except (NotThere, LookupError, TypeError, AttributeError):
        raise ServerError(f"what answers at {url} is not vLLM's server, as it has no {MODELS}; check it.") from None
    wanted = {served.settings.model} if served.settings.model else {served.base.name, source_of(served.base)}
    card = next((card for name, card in bases.items() if {name, card.get("root")} & wanted), None)
    if card is None:
        raise ServerError(
            f"the server at {url} serves {', '.join(bases) or 'no model'}, and this run's is {min(wanted)}; start it "
            f"with: {served.command}, or, where it is the same model under another name, type "
            f"inference.server.model={next(iter(bases), 'NAME')}"
        )
    room = card.get("max_model_len")
    if room and room <= longest:
        raise ServerError(
            f"the server at {url} holds {room:,} tokens, prompt and completion together, and this run samples "
            f"completions of up to {longest:,}; start it with a larger --max-model-len, or lower "
            f"train.max_completion_tokens and evaluation.max_completion_tokens."
        )
    served.name = card["id"]
    check_loading(served)
    for left in (card for card in cards if str(card["id"]).startswith(NAME)):  # of a run that was killed
        if Path(str(left.get("root"))).parent == served.place.absolute():
            served.unload(left["id"])
    rmtree(served.place, ignore_errors=True)


def check_loading(served: ServedModel) -> None:
    """Refuses a server that takes no adapters while it runs. Errors: `ServerError`."""
    try:
        served.connection.once("POST", LOAD, {"lora_name": "", "lora_path": ""}, CONNECT_S)
    except NotThere:
        raise ServerError(
            f"the server at {served.settings.url} takes no adapters while it runs; start it with: {served.command}"
        ) from None
    except (Unanswered, ServerError):
        return  # it complains of the empty name


def try_out(served: ServedModel, model, prompts: list[list[int]], ends: set[int]) -> str:
    """Holds a few completions of the server, with an adapter of zeros, against the bare model here.

    Returns in words what was found. Errors: `ServerError` where it takes no such adapter, is another model, or tells
    log-probabilities of something else than what it samples from.
    """
    served.ends = ends
    version = f"{served.nonce}-zeros"
    write_zeros(served.adapter, model, served.place / version)
    asked = [Asked(prompt, ["probe", n], TOKENS, TEMPERATURE) for n, prompt in enumerate(prompts[:PROMPTS])]
    try:
        served.load(version)
        found = dict(served.ask(NAME + version, asked, keeps_log_probs=True))
    finally:
        served.unload(NAME + version)
        rmtree(served.place / version, ignore_errors=True)
    difference, of_logits = (
        fmean(
            abs(theirs - ours)
            for n, answer in found.items()
            for theirs, ours in zip(answer.log_probs, log_probs_of(model, prompts[n], answer.ids, at), strict=True)
        )
        for at in (TEMPERATURE, 1.0)
    )
    url = served.settings.url
    if of_logits < min(difference, LARGEST_DIFFERENCE):
        raise ServerError(f"the server at {url} tells log-probabilities before the temperature; type: {served.command}")
    if difference > LARGEST_DIFFERENCE:
        raise ServerError(
            f"the server at {url} serves another model as {served.name}: its log-probabilities are {difference:.2g} "
            f"nats a token from those of {served.base.name} here; start it with: {served.command}"
        )
    return f"{version_of(served)} at {url}; its log-probabilities are {difference:.2g} nats a token from those here"


def version_of(served: ServedModel) -> str:
    """Returns what the server says that it is."""
    told: Any = None
    with suppress(Unanswered, NotThere, ServerError, LookupError, TypeError):
        told = served.connection.once("GET", VERSION, patience_s=CONNECT_S)["version"]
    return f"vLLM {told}" if told else "a server"


@torch.no_grad()
def log_probs_of(model, prompt: list[int], completion: list[int], temperature: float) -> list[float]:
    """Returns the log-probabilities of a completion's tokens under the model here, at a temperature."""
    ids = torch.tensor([prompt + completion], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float() / temperature
    return logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0].tolist()
