"""The options of an edit, as a person types them after `tinyreason edit`."""

from typing import Any

from pydantic import ValidationError

from tinyreason.adapters.edits import EDITS, Edit
from tinyreason.config.overrides import apply_overrides
from tinyreason.errors import ConfigError, nearest


def read_edit(kind: str, overrides: tuple[str, ...]) -> Edit:
    """Returns the edit of this kind with its options, `key=value`. Errors: `ConfigError`."""
    if kind not in EDITS:
        raise ConfigError(f"there is no edit '{kind}'{nearest(kind, EDITS)}.")
    values: dict[str, Any] = {}
    apply_overrides(values, overrides)
    try:
        return EDITS[kind].model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = [key for key in EDITS[kind].model_fields if key != "kind"]
            raise ConfigError(f"{kind} has no option '{name}'{nearest(name, known)}.") from None
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{kind}: {f'{name}={values[name]}: ' if name else ''}{reason}.") from None
