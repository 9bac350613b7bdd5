"""What a build makes: a set of solutions or of critiques, every option with its help text under it."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from tinyreason.data import DATA, OwnData
from tinyreason.data.filters import Filters
from tinyreason.errors import ConfigError, nearest
from tinyreason.schema import Schema, one_of
from tinyreason.teachers import TEACHERS, OwnTeacher


class SolutionBuildConfig(Schema):
    """A set of worked solutions, for supervised fine-tuning."""

    data: one_of(DATA, OwnData)
    """Problems to solve."""
    teacher: one_of(TEACHERS, OwnTeacher)
    """Teacher that answers."""
    samples: int = Field(1, ge=1)
    """Answers asked for to each request."""
    filters: Filters = Filters()
    """Rules that decide which rows are kept."""
    seed: int = Field(0, ge=0)
    """Seed of the attempts."""


class CritiqueBuildConfig(SolutionBuildConfig):
    """A set of critiques of attempts, for critique fine-tuning."""

    attempts: int = Field(100, ge=1)
    """Attempts at each problem, shared evenly among those who make them."""
    attempts_by: tuple[str, ...] = ()
    """Makers of attempts: `oracle` (generated problems only), `sandbox`, ids, folders of models, adapters or runs."""
    attempts_file: Path | None = None
    """File of attempts already made: rows with `attempt` (or `completion`) and `problem_id` or `problem`."""


OPTIONS = {
    "attempts_by": "from",
    "file": "teacher-file",
    "price_per_million_input_tokens": "price-in",
    "price_per_million_output_tokens": "price-out",
}
"""Option → what it is called on the command line, where that is another word."""


def read_build_config(kind: type[SolutionBuildConfig], values: dict[str, Any]) -> SolutionBuildConfig:
    """Returns the build config that these options make. Errors: `ConfigError`, in the command line's words."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    option = str(first["loc"][-1]) if first["loc"] else ""
    option = f"--{OPTIONS.get(option, option.replace('_', '-'))}"
    teacher = values["teacher"].get("kind")
    match first["type"]:
        case "value_error":
            text = f"{first['ctx']['error']}."
        case "union_tag_invalid":
            text = f"there is no --teacher '{teacher}'{nearest(str(teacher), TEACHERS)}."
        case "extra_forbidden":
            fields = [name for name in TEACHERS[teacher].model_fields if name != "kind"]
            takes = ", ".join(f"--{OPTIONS.get(name, name.replace('_', '-'))}" for name in fields) or "no options"
            text = f"the teacher {teacher} has no {option}; it takes {takes}."
        case "missing":
            text = f"the teacher {teacher} needs {option}."
        case _:
            text = f"{option} {first['input']!r:.80}: {first['msg'][0].lower()}{first['msg'][1:]}."
    raise ConfigError(text)
