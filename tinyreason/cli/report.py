"""`tinyreason report`: the page of one run, of several together, of a folder of runs; once, or live."""

import subprocess
import sys
from pathlib import Path

import click

from tinyreason.cli.options import PATH
from tinyreason.errors import ConfigError

OPENED_BY_RUN = "--ends-with-run"


@click.command(name="report", short_help="Write the HTML page of a run, of several, of a folder of runs; or watch it.")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; default: RUN/report.html, of several runs beside them.",
)
@click.option("--watch", is_flag=True, help="Show it live instead, on a page that only this machine can open.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the live page; default: a free one.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(OPENED_BY_RUN, "ends_with_run", is_flag=True, hidden=True)
def report_command(
    runs: tuple[Path, ...], out: Path | None, watch: bool, port: int, opens: bool, ends_with_run: bool
) -> None:
    """Write report.html: verdict, curves, rollouts, config in one file that needs no network.

    The page of several runs shows their curves together. That of a folder of runs is a table of them, which links to
    each one's page. A run that is still going can be reported too, as often as you like.

    With --watch nothing is written: a page updates itself while the run trains, and can stop it. Ctrl-C ends it.
    """
    if watch:
        if len(runs) > 1 or out:
            raise ConfigError("--watch shows one run or one folder of runs, and writes no file; leave the others out.")
        return watch_run(runs[0], port, opens, ends_with_run)
    if port:
        raise ConfigError("--port is of the live page; add --watch.")
    page = written_page(list(runs), out)
    click.echo(page)
    if opens:
        open_in_browser(page.resolve().as_uri())


def written_page(runs: list[Path], out: Path | None) -> Path:
    """Writes the page of runs, or of a folder of them, and returns where it is."""
    from tinyreason.reporting.report import write_report
    from tinyreason.reporting.runs_table import is_folder_of_runs, write_runs_table

    if len(runs) == 1 and is_folder_of_runs(runs[0]):
        return write_runs_table(runs[0], out, lambda text: click.echo(text, err=True))
    return write_report(runs, out)


def watch_run(folder: Path, port: int, opens: bool, ends_with_run: bool) -> None:
    """Shows a run, or a folder of runs, until Ctrl-C. Errors: `FolderError`, `ConfigError`."""
    from tinyreason.reporting.runs_table import find_runs
    from tinyreason.reporting.watch import serve
    from tinyreason.runs.reader import check_is_run

    if not ends_with_run and not find_runs(folder):
        check_is_run(folder)

    def tell(address: str) -> None:
        click.echo(f"live page  {address}")
        if opens:
            open_in_browser(address)

    try:
        serve(folder, port, tell, ends_with_run)
    except KeyboardInterrupt:
        click.echo("the page has ended; a run that is going is not touched")


def open_in_browser(address: str) -> None:
    """Opens a page in the browser of the person, where there is one; the address is printed in any case."""
    import webbrowser

    try:
        webbrowser.open(address)
    except (webbrowser.Error, OSError):
        click.echo("no browser could be opened; open the address yourself", err=True)


def open_live_page(folder: Path) -> None:
    """Starts a process of its own that shows the run live, opens it, and ends some time after the run."""
    words = [sys.executable, "-m", "tinyreason", "report", "--watch", str(folder), "--open", OPENED_BY_RUN]
    alone = {"start_new_session": True}  # Ctrl-C is for the run
    if sys.platform == "win32":
        alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    subprocess.Popen(words, stdin=subprocess.DEVNULL, **alone)
