"""`tinyreason report`: the page of one run, or of several together."""

from pathlib import Path

import click

from tinyreason.cli.options import PATH


@click.command(name="report", short_help="Write the HTML page of a run, or of several together.")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; default: RUN/report.html, of several runs beside them.",
)
def report_command(runs: tuple[Path, ...], out: Path | None) -> None:
    """Write report.html: verdict, curves, rollouts, config in one file that needs no network.

    The page of several runs shows their curves together. A run that is still going can be reported too, as often as
    you like.
    """
    from tinyreason.reporting.report import write_report

    click.echo(write_report(list(runs), out))
