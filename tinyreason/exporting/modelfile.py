"""The Modelfile that Ollama makes a model from: the GGUF beside it, the template in Go's notation, the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyreason.config.run_config import RunConfig
from tinyreason.errors import ModelError
from tinyreason.models.chat_template import end_tokens, render
from tinyreason.prompts import PROMPTS, SYSTEMS

SYSTEM, USER, ANSWER, AGAIN = "SYSTEM-TEXT", "USER-TEXT", "ANSWER-TEXT", "AGAIN-TEXT"
"""Stand in for texts where a template is rendered to see what stands around them."""
ROOM_TOKENS = 1024
"""So much of the context is left for the prompt."""
Chat = list[dict[str, str]]


@dataclass(frozen=True)
class Turns:
    """What a chat template writes around the text of each turn."""

    lead: str
    """At the beginning of a conversation without a system message; some templates write a default one."""
    around: dict[str, tuple[str, str]]
    """Role → what stands before its text, and behind it."""
    prompt: str
    """What the completion follows."""

    def render(self, chat: Chat) -> str:
        """Returns a conversation as Ollama writes it by these."""
        lead = "" if chat[0]["role"] == "system" else self.lead
        turns = (self.around[message["role"]] for message in chat)
        texts = (before + message["content"] + after for message, (before, after) in zip(chat, turns, strict=True))
        return lead + "".join(texts) + self.prompt


def template_turns(tokenizer, options: dict[str, Any], family: str) -> Turns:
    """Returns what a chat template writes around each turn.

    Errors: `ModelError` for a template that does more than to write turns one after the other.
    """

    def written(*turns: tuple[str, str], prompt: bool = True) -> str:
        chat = [{"role": role, "content": text} for role, text in turns]
        return tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=prompt, **options)

    try:
        alone = written(("user", USER), prompt=False)
        start, _, behind_user = alone.partition(USER)
        prompt = written(("user", USER)).removeprefix(alone)
        long = written(("user", USER), ("assistant", ANSWER), ("user", AGAIN), prompt=False)
        before_answer = long.partition(USER)[2].partition(ANSWER)[0].removeprefix(behind_user)
        between = long.partition(ANSWER)[2].partition(AGAIN)[0]
        before_user = between.removeprefix(behind_user)
        around = {"user": (before_user, behind_user), "assistant": (before_answer, behind_user)}
        lead = start.removesuffix(before_user)
        with_system = written(("system", SYSTEM), ("user", USER), prompt=False)
        before_system, _, rest = with_system.partition(SYSTEM)
        around["system"] = (before_system, rest.partition(USER)[0].removesuffix(before_user))
        turns = Turns(lead, around, prompt)
        chats = [
            [("user", "1 + 1?")],
            [("system", "Add."), ("user", "1 + 1?")],
            [("user", "1 + 1?"), ("assistant", "2"), ("user", "2 + 2?")],
        ]
        same = all(written(*c) == turns.render([{"role": r, "content": t} for r, t in c]) for c in chats)
    except Exception:  # of jinja, or what the template raises
        same = False
    if not same or any("{{" in text or '"""' in text for text in (lead, prompt, *sum(around.values(), ()))):
        raise ModelError(
            f"modelfile cannot write the chat template of this {family} model in Ollama's notation, as it does more "
            f"than to put words around each turn; export gguf, which has the template inside."
        )
    return turns


def ollama_template(turns: Turns, prompt: str) -> str:
    """Returns the turns as Ollama's TEMPLATE, with what the run's prompt adds to the last problem."""
    content = "{{ .Content }}"
    request = PROMPTS[prompt].format(problem=content).removeprefix(content)
    last = "{{ if eq (len (slice $.Messages $i)) 1 }}" + request + "{{ end }}" if request else ""
    branches = (
        ('{{ if eq .Role "system" }}', turns.around["system"], ""),
        ('{{ else if eq .Role "user" }}', turns.around["user"], last),
        ("{{ else }}", turns.around["assistant"], ""),
    )
    body = "".join(f"{test}{before}{{{{ .Content }}}}{more}{after}" for test, (before, after), more in branches)
    lead = f"{{{{ if not .System }}}}{turns.lead}{{{{ end }}}}" if turns.lead else ""
    return f"{lead}{{{{ range $i, $_ := .Messages }}}}{body}{{{{ end }}}}{{{{ end }}}}{turns.prompt}"


def write_modelfile(model, tokenizer, run: RunConfig | None, weights: str, file: Path) -> None:
    """Writes the Modelfile for the GGUF file `weights` beside it. Errors: `ModelError`, with the family."""
    options, prompt = (run.template_options, run.prompt) if run else ({}, "plain")
    turns = template_turns(tokenizer, options, model.config.model_type)
    lines = [f"FROM ./{weights}", f'TEMPLATE """{ollama_template(turns, prompt)}"""']
    if prompt in SYSTEMS:
        lines.append(f'SYSTEM """{SYSTEMS[prompt]}"""')
    for token in sorted(end_tokens(model, tokenizer)):
        lines.append(f'PARAMETER stop "{tokenizer.convert_ids_to_tokens(token)}"')
    if run:
        longest = run.evaluation.max_completion_tokens
        context = min(longest + ROOM_TOKENS, model.config.max_position_embeddings)
        lines += [
            f"PARAMETER temperature {run.evaluation.temperature:g}",
            f"PARAMETER num_predict {longest}",
            f"PARAMETER num_ctx {context}",
        ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_modelfile(file: Path, tokenizer, run: RunConfig | None, family: str, prompts: list[tuple[Chat, str]]) -> bool:
    """Returns whether a Modelfile has the template that writes these conversations as the tokenizer does."""
    options, prompt = (run.template_options, run.prompt) if run else ({}, "plain")
    turns = template_turns(tokenizer, options, family)
    same = all(render(tokenizer, [chat], options) == [text] == [turns.render(chat)] for chat, text in prompts)
    return same and f'TEMPLATE """{ollama_template(turns, prompt)}"""' in file.read_text(encoding="utf-8")
