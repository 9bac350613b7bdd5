"""How long the prompts of a run are, read from its data where that is on this machine. No torch, no network."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import training_examples
from tinyreason.example import Example
from tinyreason.models.gguf import gguf_file
from tinyreason.models.load import source_of
from tinyreason.prompts import USUAL_PROMPT_TOKENS, chat_messages

CHARACTERS_A_TOKEN = 3.5
"""Of a prompt, where the model's tokenizer is not on this machine; a usual figure of mathematical prose."""
TEMPLATE_TOKENS = 32
"""What a chat template adds to a prompt, a short system message included."""
COUNTED = 50
"""So many prompts with the most characters are counted in tokens."""
ASKED, KNOWN, GUESSED, MADE_BY_CODE = (
    "asked for with --prompt-tokens",
    "the longest of the problems made here",
    "a usual guess, its data is not here",
    "a usual guess, its data is made by code, which is not run",
)


@dataclass(frozen=True)
class PromptLengths:
    """Tokens of the longest prompt, and where that is known from."""

    training: int
    training_source: str
    evaluation: int
    evaluation_source: str

    def as_json(self) -> dict[str, int | str]:
        """Returns what `plan --json` says of them beside `prompt_tokens`."""
        return {
            "prompt_tokens_from": self.training_source,
            "evaluation_prompt_tokens": self.evaluation,
            "evaluation_prompt_tokens_from": self.evaluation_source,
        }


def read_prompt_lengths(config: RunConfig, asked: int | None = None) -> PromptLengths:
    """Returns the longest prompts of a run: as asked for, read from local data, or guessed. Errors: `DataError`."""
    if asked:
        return PromptLengths(asked, ASKED, asked, ASKED)
    data, other = config.data, config.evaluation.data
    training = longest_prompt(config, data, partial(training_examples, config))
    source = other or data
    return PromptLengths(*training, *longest_prompt(config, source, source.load if other else source.examples))


def longest_prompt(config: RunConfig, source, load: Callable[[], Iterable[Example]]) -> tuple[int, str]:
    """Returns the tokens of a source's longest prompt, and where they are known from."""
    if source.max_prompt_tokens:
        return source.max_prompt_tokens, KNOWN
    if source.runs_code or not source.is_offline:
        return USUAL_PROMPT_TOKENS, MADE_BY_CODE if source.runs_code else GUESSED
    examples = islice(load(), source.usual_size)
    texts = [prompt_text(example, config.prompt) for example in examples]
    longest = sorted(texts, key=len)[-COUNTED:]
    count = token_counter(config.model)
    if count is None:
        estimate = ceil(len(longest[-1]) / CHARACTERS_A_TOKEN)
        return TEMPLATE_TOKENS + estimate, f"{source.origin} at {CHARACTERS_A_TOKEN} characters a token"
    return TEMPLATE_TOKENS + max(map(count, longest)), f"{source.origin} in the model's tokens"


def prompt_text(example: Example, prompt: str) -> str:
    """Returns what the model is asked, without the chat template."""
    return "\n".join(message["content"] for message in chat_messages(example, prompt))


def token_counter(model: Model) -> Callable[[str], int] | None:
    """Returns what counts a text's tokens, from the model's folder or the hub's cache; None where it is in neither."""
    from tokenizers import Tokenizer

    if gguf_file(model):  # its vocabulary is in the file
        return None
    file = Path(source_of(model), "tokenizer.json")
    if not file.exists():
        import huggingface_hub

        with suppress(ValueError):  # the name is not an id of the hub
            cached = huggingface_hub.try_to_load_from_cache(model.name, "tokenizer.json")
            file = Path(cached) if isinstance(cached, str) else file
    if not file.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
