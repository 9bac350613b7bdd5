"""The options and arguments that several commands share."""

from pathlib import Path

import click

from tinyreason.errors import ConfigError

PATH = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)
TIER = click.option(
    "--on",
    "tier",
    metavar="TIER",
    help="Tier of the recipe: sandbox, cpu, 8gb, t4, 24gb or 80gb; default: by this machine.",
)
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[key=value ...]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def read_template_options(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict | None:
    """Returns the options of the chat template, None where none is given. Errors: `ConfigError`."""
    from tinyreason.config.overrides import apply_overrides

    options: dict = {}
    apply_overrides(options, words)
    return options or None


TEMPLATE_OPTIONS = click.option(
    "--template-option",
    "template_options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=read_template_options,
    help="Option of the model's chat template, as enable_thinking=false; default: the run's.",
)


ACCEPT_CHANGES = click.option(
    "--accept-changes", is_flag=True, help="Resume with other libraries or code too; not bit-exact then."
)
ALLOW_CODE = click.option(
    "--allow-code", is_flag=True, help="Run the files of Python code that the recipe's file names; read them first."
)
BASE = click.option(
    "--base", metavar="MODEL", help="Where the base of the run or adapter is; default: where it was trained on it."
)


CHAT_TEMPLATE = click.option(
    "--chat-template",
    metavar="FILE",
    help="Chat template (Jinja) of a base whose tokenizer has none, or in place of it; default: the run's.",
)


class LimitOption(click.Option):
    """Lists its first name alone; the earlier one works."""

    def get_help_record(self, context: click.Context) -> tuple[str, str]:
        words, meaning = super().get_help_record(context)
        return words.replace(", --max-tokens", ""), meaning


LONGEST = click.option(
    "--max-completion-tokens",
    "--max-tokens",
    cls=LimitOption,
    type=COUNT,
    help="Length of the longest completion, in tokens; default: the run's, else what is usual for the model.",
)


THINKING_BUDGET = click.option(
    "--thinking-budget",
    type=click.IntRange(min=0),
    metavar="TOKENS",
    help="Budget forcing: a thought that would end in fewer tokens is continued, by the adapter's new token or 'Wait'; "
    "0 = none; default: the run's.",
)


class CountOrAuto(click.ParamType):
    """A count, or `auto`."""

    name = "N|auto"

    def convert(self, value, parameter, context) -> int | str:
        return value if value == AUTO else COUNT.convert(value, parameter, context)


AUTO = "auto"
PROCESSES = click.option(
    "--processes",
    type=CountOrAuto(),
    help="So many processes share each step, on this machine's cores or cards; auto = all cards of one kind.",
)


JOBS = click.option(
    "--jobs",
    type=COUNT,
    default=1,
    show_default=True,
    metavar="N",
    help="So many runs at once, each in a process of its own, on a card or a part of the cores.",
)


def check_jobs(jobs: int, processes: int) -> None:
    """Refuses several runs at once that several processes share each. Errors: `ConfigError`."""
    if jobs > 1 and processes > 1:
        raise ConfigError(f"--jobs {jobs} and processes={processes} are both given; leave one out.")


def with_processes(overrides: tuple[str, ...], many: int | str | None) -> tuple[str, ...]:
    """Returns the overrides, with --processes as one of them."""
    if many == AUTO:
        from tinyreason.models.hardware import find_card

        card = find_card()
        many = card.alike if card else 1
    return overrides if many is None else (*overrides, f"processes={many}")


def seeds_option(meaning: str, **default):
    """Returns the option --seeds."""
    return click.option(
        "--seeds", metavar="N|A,B,…", callback=read_seeds, help=f"{meaning}: so many, or these.", **default
    )


def read_seeds(_: click.Context, __: click.Parameter, text: str | None) -> list[int]:
    """Returns the seeds of `3`, which are 0, 1 and 2, or of `0,4,7`; none of nothing. Errors: `ConfigError`."""
    if text is None:
        return []
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers) or len({*numbers}) < len(numbers) or text == "0":
        raise ConfigError(
            f"--seeds {text} is neither a count nor a list of different numbers; type e.g. --seeds 3 or --seeds 0,1,2."
        )
    return [int(number) for number in numbers] if "," in text else list(range(int(text)))
