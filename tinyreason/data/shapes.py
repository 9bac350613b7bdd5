"""Reads the shapes that sets are published in, chats, instructions and preferences, as a problem and a completion."""

import json
from typing import Any

from tinyreason.data.files import Row

CHAT_COLUMNS = ("messages", "conversations", "conversation")
INPUT_COLUMNS = ("input", "context")
"""Beside an instruction, what it is about (Alpaca, Dolly)."""
OUTPUT_COLUMNS = ("output", "response", "completion")
ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
    "ipython": "tool",
}
"""What published sets call a speaker → what chat templates call it."""
ASKING = ("user", "tool")
KEPT = ("name", "tool_call_id")
"""What else of a tool's turn the chat template may read."""

Turns = tuple[dict[str, Any], ...]


def in_usual_columns(rows: list[Row], known: tuple[tuple[str, ...], tuple[str, ...]]) -> list[Row]:
    """Returns the rows, each of another shape with its `problem` and `completion` added.

    `known` are the columns of problems and of completions: a row that has one of both stays as it is.
    """
    return [row if all(map(row_has(row), known)) else row | (shaped(row) or {}) for row in rows]


def row_has(row: Row):
    """Returns a function that tells whether the row has something in one of these columns, of any case."""
    present = {str(name).strip().lower() for name, value in row.items() if value not in (None, "", [])}
    return lambda columns: bool(present & {*columns})


def shaped(row: Row) -> Row | None:
    """Returns the problem and completion of a chat, a preference or an instruction; None of anything else."""
    row = {str(name).strip().lower(): value for name, value in row.items()}
    system = row.get("system")
    for name in CHAT_COLUMNS:
        if (turns := read_turns(row.get(name))) is not None:
            return asked_and_answered(with_system(turns, system))
    if "chosen" in row:
        return preferred(row)
    if isinstance(row.get("instruction"), str):
        about = next((row[name] for name in INPUT_COLUMNS if isinstance(row.get(name), str) and row[name].strip()), "")
        asked = "\n".join(text for text in (row["instruction"], about) if text.strip())
        found = {name: row[name] for name in OUTPUT_COLUMNS if row.get(name)}
        return {"problem": list(with_system(({"role": "user", "content": asked},), system)), "completion": None} | (
            {"completion": next(iter(found.values()))} if found else {}
        )
    return None


def preferred(row: Row) -> Row | None:
    """Returns the prompt of a preference and the completion that was chosen."""
    chosen, prompt = row["chosen"], row.get("prompt")
    turns = read_turns(chosen)
    if turns is None:
        return {"completion": chosen}
    if len(turns) > 1:  # the whole conversation, its prompt included
        return asked_and_answered(turns)
    return {"problem": prompt, "completion": turns[-1]["content"] if turns else None}


def asked_and_answered(turns: Turns) -> Row:
    """Returns a chat up to its last answer as problem, and that as completion; a chat that has none is all problem."""
    for place in range(len(turns) - 1, 0, -1):
        turn = turns[place]
        if turn["role"] == "assistant" and turn["content"].strip() and turns[place - 1]["role"] in ASKING:
            return {"problem": list(turns[:place]), "completion": turn["content"]}
    return {"problem": list(turns), "completion": None}


def with_system(turns: Turns, system: Any) -> Turns:
    """Returns the chat with the system message of its row, where it has none of its own."""
    if not isinstance(system, str) or not system.strip() or (turns and turns[0]["role"] == "system"):
        return turns
    return ({"role": "system", "content": system}, *turns)


def read_tools(row: Row) -> tuple[dict[str, Any], ...]:
    """Returns the tools that a row offers, in a column of that name, a list or the text of one; none of anything else.

    A bare function becomes what templates ask for: `{"type": "function", "function": {"name": …}}`.
    """
    value = next((value for name, value in row.items() if str(name).strip().lower() == "tools"), None)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        return ()
    return tuple({"type": "function", "function": tool} if "name" in tool else tool for tool in value)


def read_turns(value: Any) -> Turns | None:
    """Returns the turns of a chat, {"role", "content"} each, or ShareGPT's {"from", "value"}; None of anything else."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):  # a table's cell
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    turns = tuple(read_turn(turn) for turn in value)
    return None if None in turns else turns


def read_turn(turn: Any) -> dict[str, Any] | None:
    """Returns one turn in the words of chat templates, with the tools that it calls; None where it is not one."""
    if not isinstance(turn, dict):
        return None
    role, content = turn.get("role") or turn.get("from"), turn.get("content", turn.get("value"))
    if isinstance(content, list):  # parts, as {"type": "text", "text": …}
        texts = [part.get("text") if isinstance(part, dict) else None for part in content]
        content = "".join(texts) if all(isinstance(text, str) for text in texts) else None
    calls = turn.get("tool_calls")
    if content is None and calls:
        content = ""
    if not isinstance(role, str) or not isinstance(content, str):
        return None
    role = ROLES.get(role.lower(), role)
    kept = {name: turn[name] for name in KEPT if role == "tool" and isinstance(turn.get(name), str)}
    called = {"tool_calls": [read_call(call) for call in calls]} if isinstance(calls, list) and calls else {}
    return {"role": role, "content": content} | kept | called


def read_call(call: Any) -> Any:
    """Returns a call of a tool with its arguments as an object, as templates want them, where a text holds them."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        return call | {"function": function | {"arguments": json.loads(function["arguments"])}}
    except (ValueError, RecursionError):
        return call
