"""Writes docs/commands.md from the command line itself: `python docs/make_commands.py`.

`tests/test_docs.py` fails where the file is not what this makes.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from tinyreason.cli.main import main as tinyreason

FILE = Path(__file__).parent / "commands.md"
HEAD = """\
# Commands

<!-- Made by `python docs/make_commands.py`. Change the help in the code, not this file. -->

Every command has `--help`. Options of a recipe are typed as `key=value`; `tinyreason show NAME` lists and explains
them. A mistake is one sentence and exit code 2; a run that ended early and can be resumed has exit code 3.

"""


def page() -> str:
    """The whole file."""
    found = [command for command in commands(tinyreason, "tinyreason") if not isinstance(command[1], click.Group)]
    summary = [f"| [`{path}`](#{anchor(path)}) | {command.get_short_help_str(200)} |" for path, command in found]
    table = "\n".join(("| command | what it does |", "|---|---|", *summary))
    sections = "\n".join(section(path, command) for path, command in found)
    return f"{HEAD}{table}\n{earlier_names()}\n{sections}"


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """(the words to type, the command) of a command and of all below it; hidden ones are left out."""
    yield path, command
    for name in sorted(getattr(command, "commands", ())):
        if not command.commands[name].hidden:
            yield from commands(command.commands[name], f"{path} {name}")


def earlier_names() -> str:
    """One line on the commands that are hidden: earlier names, which still work."""
    hidden = sorted(name for name, command in tinyreason.commands.items() if command.hidden)
    if not hidden:
        return ""
    return f"\nEarlier names still work: {', '.join(f'`tinyreason {name}`' for name in hidden)}.\n"


def section(path: str, command: click.Command) -> str:
    """One command: how it is called, what it does, its arguments and options."""
    context = click.Context(command, info_name=path, help_option_names=["-h", "--help"], max_content_width=120)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    text = "\n\n".join(paragraphs(command.help or ""))
    options = "\n".join(("| option | what it does |", "|---|---|", *rows(command, context)))
    return f"## {path}\n\n```\n{usage}\n```\n\n{text}\n\n{options}\n"


def paragraphs(text: str) -> Iterator[str]:
    """The help's paragraphs; those marked with \\b keep their lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f"```\n{inspect.cleandoc(paragraph[2:])}\n```"
        else:
            yield " ".join(paragraph.split())


def rows(command: click.Command, context: click.Context) -> Iterator[str]:
    """A row of the table for each option; hidden ones have none."""
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record:
            words, meaning = (" ".join(part.split()).replace("|", "\\|") for part in record)
            yield f"| `{words}` | {meaning} |"


def anchor(path: str) -> str:
    """What a heading's link is called."""
    return path.replace(" ", "-")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)
