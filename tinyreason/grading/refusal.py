"""Tells whether a completion refuses to answer, and after how much reasoning."""

import re

_REFUSAL = re.compile(
    r"\b(?:i (?:don['’]?t|do not) know|i(?:['’]m| am) (?:not sure|unsure|sorry)|sorry\b"
    r"|i (?:can['’]?t|cannot) (?:answer|solve|determine)|(?:the answer is )?unknown\b)",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?think>")


def first_refusal(text: str, phrase: str | None = None) -> int | None:
    """Returns where a text first refuses to answer, in usual words or by this phrase; None where it does not."""
    found = re.search(re.escape(phrase), text) if phrase else _REFUSAL.search(text)
    return found and found.start()


def reasoning_lines(text: str, phrase: str | None = None) -> int:
    """Returns the lines of a completion before its refusal, or before its last line where it has none.

    Lines that are empty but for a tag of the thought do not count.
    """
    at = first_refusal(text, phrase)
    lines = [line for line in _TAG.sub("", text[:at]).splitlines() if line.strip()]
    return len(lines) if at is not None else max(0, len(lines) - 1)
