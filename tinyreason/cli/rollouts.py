"""`tinyreason rollouts export`: what a run has sampled, for others."""

import json
from pathlib import Path

import click

from tinyreason.cli.options import JSON, PATH


@click.group("rollouts")
def rollouts_group() -> None:
    """What a run has sampled, to train on once more."""


@rollouts_group.command("export", short_help="Write a run's rollouts as a data set for others.")
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, required=True, help="The .jsonl to write; one that is there is not overwritten.")
@click.option("--format", "form", type=click.Choice(["completions", "messages"]), default="completions",
              show_default=True,
              help="Columns prompt and completion, or messages: the chat with its answer.")  # fmt: skip
@click.option("--correct", "only_correct", is_flag=True, help="Write the correct completions alone.")
@JSON
def export_rollouts_command(run: Path, out: Path, form: str, only_correct: bool, as_json: bool) -> None:
    """Write the rollouts of RUN as a data set: a row for each completion, with whether it is correct, and its reward.

    RUN is the folder of a run, or of a stage in it. TRL reads the file as it is, and so does
    data={kind: rollouts, file: OUT}. Prompts are the problems, without what prompt= puts to them.
    """
    from tinyreason.exporting.rollouts import export_rollouts

    found = export_rollouts(run, out, form, only_correct)
    if as_json:
        click.echo(json.dumps(found))
        return
    left_out = "; left out " + ", ".join(f"{n:,} {why}" for why, n in found["left_out"].items())
    click.echo(
        f"{out}: {found['rows']:,} completions to {found['problems']:,} problems, "
        f"{found['correct'] / found['rows']:.1%} correct{left_out if found['left_out'] else ''}"
    )
