"""The text of a recipe of one's own: it extends another, whose values stand in it as comments, each with its help."""

import json
from collections.abc import Iterator
from typing import Any

from tinyreason.adapters import ADAPTERS
from tinyreason.config.describe import option_help
from tinyreason.config.run_config import RunConfig
from tinyreason.data import DATA
from tinyreason.schema import Schema

OPTIONS = {
    "": "about prompt seed rewards advantage validation",
    "model": "name quantize",
    "data": "kind file name subset split size index id problem_column answer_column",
    "adapter": "kind rank alpha targets",
    "train": "max_steps rollouts_per_step group_size batch_size micro_batch_size max_tokens max_completion_tokens "
    "temperature learning_rate schedule kl loss",
    "evaluation": "data problems samples temperature max_completion_tokens batch_size",
}
"""Section, never null, → those of its options that people change most; a recipe's own class may lack some."""
KINDS = {"adapter": ADAPTERS, "data": DATA}


def new_recipe(file: str, extends: str, config: RunConfig) -> str:
    """Returns the text of a recipe that extends another and changes nothing yet; `config` is the other on one tier."""
    return "\n".join((*_head(file, extends, config), *_sections(config), *_tiers(config), ""))


def _head(file: str, extends: str, config: RunConfig) -> Iterator[str]:
    yield f"# {extends}, with changes of one's own."
    yield f"# Run     tinyreason recipe {file}"
    yield f"# Check   tinyreason check {file}"
    yield "#"
    yield "# To change an option, take the '# ' before it away; it then holds on all tiers. The values here are"
    yield f"# those of the tier {config.tier}. All options: tinyreason show {file}"
    yield f"extends: {json.dumps(extends, ensure_ascii=False)}"


def _sections(config: RunConfig) -> Iterator[str]:
    for name, options in OPTIONS.items():
        section = getattr(config, name) if name else config
        indent, texts = "  " * bool(name), option_help(type(section))
        if name:
            yield f"{name}:  # {(type(section).__doc__ or '').partition(chr(10))[0]}"
        for option in options.split():
            if option in type(section).model_fields:
                help_text = f"One of {', '.join(KINDS[name])}." if option == "kind" else texts.get(option, "")
                line = f"{indent}# {option}: {_written(getattr(section, option))}"
                yield f"{line:<44}  # {' '.join(help_text.split())}".rstrip(" #")


def _tiers(config: RunConfig) -> Iterator[str]:
    yield "tiers:  # What holds on one tier alone."
    yield f"  # {config.tier}: {{train: {{max_steps: {config.train.max_steps}}}}}"


def _written(value: Any) -> str:
    """Returns a value as YAML on one line: of a section what the recipe sets."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Schema):
        value = value.model_dump(mode="json", exclude_unset=True)
    return json.dumps(value, default=str, ensure_ascii=False)
