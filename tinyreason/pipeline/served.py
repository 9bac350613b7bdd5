"""Where a run's completions come from: an engine of this process, or a server, which is met before anything is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from tinyreason.config.inference import SERVER
from tinyreason.config.run_config import RunConfig
from tinyreason.evaluation.score import Evaluator
from tinyreason.example import Example
from tinyreason.inference.engines import choose_engine
from tinyreason.inference.sampling import prompt_ids
from tinyreason.models.chat_template import end_tokens
from tinyreason.runs.context import RunContext

PLACE = "served"
"""Folder of a run in which a server finds the adapters, where no other is named."""
ASKED = 4
"""So many problems are asked of a server at first."""


@contextmanager
def served(config: RunConfig, out: Path, context: RunContext) -> Iterator[RunContext]:
    """Gives the context with the server that samples, where the config names one, and leaves nothing of it there.

    Errors: `ServerError` where it cannot sample for this run.
    """
    if config.inference.engine != SERVER:
        yield context
        return
    from tinyreason.inference.engines.server_check import meet
    from tinyreason.inference.engines.vllm_server import ServedModel

    settings = config.inference.server
    of_run = sha256(str(out.absolute()).encode()).hexdigest()[:12]
    place = Path(settings.adapters) / f"tinyreason-{of_run}" if settings.adapters else out / PLACE
    server = ServedModel(settings, config.model, config.adapter, place, context.console.say)
    trainings = [config, *(stage for _, stage in config.stage_configs)]
    longest = max(config.evaluation.max_completion_tokens, *(one.train.max_completion_tokens for one in trainings))
    meet(server, longest)
    try:
        yield replace(context, server=server)
    finally:
        server.close()


def engine_of(evaluator: Evaluator, model, examples: list[Example]) -> tuple[str, str]:
    """Returns what samples, and why or what was found of it. Errors: `ServerError`, `ConfigError`."""
    config, server = evaluator.config, evaluator.context.server
    if server is None:
        return choose_engine(model, config.inference.engine, config.train.sampling_dtype)
    from tinyreason.inference.engines.server_check import try_out

    prompts = prompt_ids(evaluator.tokenizer, examples[:ASKED], evaluator.sampling(1))
    return SERVER, try_out(server, model, prompts, end_tokens(model, evaluator.tokenizer))
