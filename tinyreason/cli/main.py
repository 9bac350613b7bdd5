"""The command line: a group of commands, and how each of them ends."""

import sys
from copy import copy

import click

from tinyreason.cli.build import critiques, solutions
from tinyreason.cli.chat import chat_command
from tinyreason.cli.doctor import doctor_command
from tinyreason.cli.evaluate import audit_command, compare_command, evaluate_command
from tinyreason.cli.grade import grade_command, select_command
from tinyreason.cli.new import new_command
from tinyreason.cli.plan import dry_run_command, plan_command
from tinyreason.cli.preview import preview_command
from tinyreason.cli.recipes import check_command, recipes_command, show_command
from tinyreason.cli.report import report_command
from tinyreason.cli.sweep import sweep_command
from tinyreason.cli.train import recipe_command
from tinyreason.errors import Stopped, TinyReasonError


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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tinyreason")
def main() -> None:
    """One command from a recipe's name to a trained adapter whose gain is proven.

    Begin with: tinyreason recipe one_shot_rlvr
    """


for command in (
    *(recipe_command, recipes_command, show_command, new_command, check_command, preview_command),
    *(plan_command, dry_run_command, doctor_command),
    *(evaluate_command, compare_command, audit_command, sweep_command, report_command, chat_command),
    *(critiques, solutions, grade_command, select_command),
):
    main.add_command(command)

for earlier_name, command in (("frontier", sweep_command), ("rehearse", dry_run_command)):
    alias = copy(command)
    alias.hidden = True
    main.add_command(alias, earlier_name)
