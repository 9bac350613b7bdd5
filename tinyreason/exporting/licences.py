"""The licences of bases and data, where they are known: said by their own README, or by their page on the hub."""

import re
from contextlib import suppress
from pathlib import Path

from tinyreason.config.model import Model
from tinyreason.data._source import Source
from tinyreason.models.load import source_of

PACKAGE = "apache-2.0"
"""Of what this package makes itself."""
KNOWN = (
    (r"HuggingFaceTB/SmolLM2-.*", "apache-2.0"),
    (r"Qwen/Qwen2\.5-(0\.5B|1\.5B|7B)(-Instruct)?", "apache-2.0"),
    (r"Qwen/Qwen2\.5-Math-(1\.5B|7B)(-Instruct)?", "apache-2.0"),
    (r"Qwen/Qwen3-(0\.6B|1\.7B|4B|8B)", "apache-2.0"),
    (r"deepseek-ai/DeepSeek-R1-Distill-Qwen-(1\.5B|7B)", "mit"),
    (r"meta-llama/Llama-3\.2-.*", "llama3.2"),
    (r"openai/gsm8k", "mit"),
)
"""Hub id → its licence as its page on the hub has it."""
LICENCE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)


def licence_of_base(base: Model) -> str | None:
    """Returns the licence of a base; None where it is not known."""
    if base.is_built_in:
        return PACKAGE
    place = Path(source_of(base))
    with suppress(OSError, UnicodeDecodeError):
        head = (place / "README.md").read_text(encoding="utf-8").removeprefix("---\n").partition("\n---")[0]
        if found := LICENCE.search(head):
            return found[1]
    return known_licence(base.name)


def licence_of_data(data: Source) -> str | None:
    """Returns the licence of what a run learned from; None where it is not known, as of a file."""
    if data.file:
        return None
    return PACKAGE if data.is_endless else known_licence(str(data.name))


def known_licence(name: str) -> str | None:
    """Returns the licence that a hub id is known to have."""
    return next((licence for pattern, licence in KNOWN if re.fullmatch(pattern, name)), None)
