"""The command line: a group of commands, and how each of them ends."""

import os
import sys
from collections.abc import Iterator, Mapping
from copy import copy
from importlib import import_module

import click

from tinyreason.errors import Stopped, TinyReasonError

COMMANDS = {
    "arena": "arena.arena",
    "audit": "evaluate.audit_command",
    "bench": "bench.bench_command",
    "chat": "chat.chat_command",
    "check": "recipes.check_command",
    "compare": "evaluate.compare_command",
    "critiques": "build.critiques",
    "doctor": "doctor.doctor_command",
    "dry-run": "plan.dry_run_command",
    "edit": "edit.edit_command",
    "eval": "evaluate.evaluate_command",
    "export": "export.export_command",
    "grade": "grade.grade_command",
    "methods": "methods.methods_command",
    "new": "new.new_command",
    "plan": "plan.plan_command",
    "preview": "preview.preview_command",
    "push": "export.push_command",
    "recipe": "train.recipe_command",
    "recipes": "recipes.recipes_command",
    "report": "report.report_command",
    "rollouts": "rollouts.rollouts_group",
    "select": "grade.select_command",
    "show": "recipes.show_command",
    "solutions": "build.solutions",
    "sweep": "sweep.sweep_command",
}
"""What is typed → the file of `cli/` and the function in it that answer; only the one that is typed is imported."""
EARLIER_NAMES = {"frontier": "sweep", "rehearse": "dry-run"}

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it reads what every installed package brings


class LateCommands(Mapping):
    """Maps what is typed to its command, which is imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        file, _, function = COMMANDS[EARLIER_NAMES.get(name, name)].partition(".")
        command = copy(getattr(import_module(f"tinyreason.cli.{file}"), function))
        command.hidden = name in EARLIER_NAMES
        return command

    def __iter__(self) -> Iterator[str]:
        return iter((*COMMANDS, *EARLIER_NAMES))

    def __len__(self) -> int:
        return len(COMMANDS) + len(EARLIER_NAMES)


class Commands(click.Group):
    """Ends with 2 and one sentence on a person's error, 3 where a run ended early and can be resumed, 130 abruptly."""

    def invoke(self, context: click.Context):
        try:
            return super().invoke(context)
        except Stopped as stopped:
            click.echo(f"tinyreason: {stopped}.", err=True)
            sys.exit(3)
        except (TinyReasonError, click.FileError) as error:
            text = error.format_message() if isinstance(error, click.FileError) else error
            click.echo(f"tinyreason: {text}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("tinyreason: stopped.", err=True)
            sys.exit(130)


@click.group(cls=Commands, commands=LateCommands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tinyreason")
def main() -> None:
    """One command from a recipe's name to a trained adapter whose gain is proven.

    Begin with: tinyreason recipe one_shot_rlvr
    """
