"""The command line as a person types it, in this process: how it ends, what it prints, how it answers a mistake."""

from click.testing import CliRunner, Result

from tinyreason.cli.main import main


def tinyreason(*words) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="tinyreason")


def printed(*words) -> str:
    done = tinyreason(*words)
    assert done.exit_code == 0, done.output
    assert "tinyreason:" not in done.stderr  # libraries may warn there
    return done.stdout


def complaint(*words) -> str:
    """The one line on stderr that answers a mistake."""
    done = tinyreason(*words)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    (line,) = done.stderr.splitlines()
    assert line.startswith("tinyreason: ")
    return line
