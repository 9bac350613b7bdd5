"""The chat template: what the model reads of a conversation, and which token ends a turn of it."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyreason.errors import ConfigError
from tinyreason.grading.thought import OPEN

OURS = ("messages", "add_generation_prompt")
"""What a template reads too, and is not for a person to set."""
SYSTEM = "Answer with one word."
"""Stands in for a system text where a template is rendered to see whether it takes one."""
Tools = Sequence[dict[str, Any]]
ANSWER = "42"
"""Stands in for an answer where a template is rendered to see what follows it."""


class TurnsRefused(ConfigError):
    """A conversation that the chat template does not take."""

    def __init__(self, roles: str, reason: str):
        super().__init__(f"the model's chat template refuses turns of {roles}: {reason}.")
        self.reason = reason


def render(
    tokenizer, chats: Sequence[list[dict[str, str]]], options: dict[str, Any], tools: Sequence[Tools] = ()
) -> list[str]:
    """Returns what the model reads of each conversation, up to where its completion begins.

    `options` are the template's own, as `enable_thinking`; `tools` those of each conversation. Errors: `ConfigError`
    for an option that the template does not read.
    """
    if any(tools):
        each = [with_tools(tokenizer, options, of_chat) for of_chat in tools]
        return [render(tokenizer, [chat], its)[0] for chat, its in zip(chats, each, strict=True)]
    check_options(str(tokenizer.chat_template), options)
    chats = fitting(tokenizer, chats, options)
    try:
        return tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=False, **options)
    except Exception as error:  # of jinja, or what the template raises
        roles = ", ".join(sorted({" ".join(message["role"] for message in chat) for chat in chats})[:4])
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise TurnsRefused(roles, reason) from None


def with_tools(tokenizer, options: dict[str, Any], tools: Tools) -> dict[str, Any]:
    """Returns the template's options with a conversation's tools; a template that writes no tools is told of none."""
    writes_tools = re.search(r"\btools\b", str(tokenizer.chat_template))
    return options | {"tools": [*tools]} if tools and writes_tools else options


def fitting(tokenizer, chats: Sequence[list[dict[str, str]]], options: dict[str, Any]) -> list[list[dict[str, str]]]:
    """Returns the conversations as the template takes them: the system text in the user's turn where it has none."""
    if all(chat[0]["role"] != "system" for chat in chats) or takes_system(tokenizer, options):
        return list(chats)
    return [folded(chat) if chat[0]["role"] == "system" and len(chat) > 1 else chat for chat in chats]


def folded(chat: list[dict[str, str]]) -> list[dict[str, str]]:
    """Returns a conversation whose system text stands at the head of the turn after it."""
    system, first, *rest = chat
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]


def takes_system(tokenizer, options: dict[str, Any]) -> bool:
    """Returns whether the chat template writes a system turn; some refuse one, some leave it out."""
    chat = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "?"}]
    try:
        return SYSTEM in tokenizer.apply_chat_template(chat, tokenize=False, **options)
    except Exception:  # what the template raises
        return False


def check_options(template: str, options: dict[str, Any]) -> None:
    """Refuses an option that the template does not read. Errors: `ConfigError`."""
    for name in options:
        if name in OURS or not re.search(rf"\b{re.escape(name)}\b", template):
            raise ConfigError(f"{name} is not an option of this model's chat template; drop template_options.{name}.")


def read_template(folder: Path) -> str | None:
    """Returns the chat template in a model's folder, as text; None where its files hold none. No library is loaded."""
    with suppress(OSError, ValueError):
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    with suppress(OSError, ValueError, AttributeError):
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
        return found if isinstance(found, str) or not found else json.dumps(found)
    return None


def opens_thought(tokenizer, options: dict[str, Any]) -> bool:
    """Returns whether the chat template ends its prompt in `<think>`, so that every completion begins in a thought."""
    if not getattr(tokenizer, "chat_template", None):
        return False
    (prompt,) = render(tokenizer, [[{"role": "user", "content": "?"}]], options)
    return prompt.rstrip().endswith(OPEN)


def probe(tokenizer) -> str:
    """Returns what the chat template makes of a small conversation; errors are the template's own."""
    return tokenizer.apply_chat_template([{"role": "user", "content": "?"}], add_generation_prompt=True, tokenize=False)


def turn_end(tokenizer) -> int | None:
    """Returns the special token that the chat template puts behind an answer; None where it puts none there."""
    if not getattr(tokenizer, "chat_template", None):
        return None
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": ANSWER}]
    _, found, after = tokenizer.apply_chat_template(chat, tokenize=False).rpartition(ANSWER)
    first = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"][:1] if found else []
    return first[0] if first and first[0] in tokenizer.added_tokens_decoder else None


def last_token(tokenizer) -> int:
    """Returns the token that a completion to learn from ends in: the template's end of a turn, else the tokenizer's."""
    end = turn_end(tokenizer)
    return tokenizer.eos_token_id if end is None else end


def end_tokens(model, tokenizer) -> set[int]:
    """Returns every token that ends a completion: the tokenizer's, the template's, those of the generation config."""
    ends = model.generation_config.eos_token_id
    found = {tokenizer.eos_token_id, turn_end(tokenizer), *(ends if isinstance(ends, list) else [ends])}
    return found - {None}


def turn_end_caveat(tokenizer) -> str | None:
    """Returns one sentence where the chat template ends a turn with another token than the tokenizer's end."""
    end = last_token(tokenizer)
    if end == tokenizer.eos_token_id:
        return None
    return (
        f"the chat template ends a turn with {tokenizer.decode([end])}, and the tokenizer's end token is "
        f"{tokenizer.eos_token}: completions end at either here, and fine-tuning teaches the template's; who samples "
        f"elsewhere must stop there too"
    )
