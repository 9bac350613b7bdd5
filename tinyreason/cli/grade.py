"""`tinyreason grade` and `select`: grade completions of a file; rank problems by how much they teach."""

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from tinyreason.cli.options import COUNT, JSON, PATH

if TYPE_CHECKING:
    from tinyreason.grading.audit import AuditedKind, ErrorRate

ALL = "all"


@click.command("grade", short_help="Grade the completions of a file against its gold answers.")
@click.argument("file", type=PATH, required=False)
@click.option("--completion-field", default="completion", show_default=True, help="Column of the completions.")
@click.option("--answer-field", default="answer", show_default=True, help="Column of the gold answers.")
@click.option(
    "--out",
    type=click.File("w", "utf-8", atomic=True),
    help="JSONL file to write, a line with the verdict for each row.",
)
@click.option("--audit", metavar="COLUMN", help="Column of labels, true or false: measure the grader's own errors.")
@click.option(
    "--probe",
    metavar="[GRADER]",
    is_flag=False,
    flag_value=ALL,
    help="Without FILE: put known answers and strings that only look like answers to a grader, or to each of ours.",
)
@JSON
def grade_command(
    file: Path | None,
    completion_field: str,
    answer_field: str,
    out: IO[str] | None,
    audit: str | None,
    probe: str | None,
    as_json: bool,
) -> None:
    """Grade the completions in FILE against its gold answers.

    With --audit, measure the grader itself: false positives and false negatives by kind of answer; with --probe, do so
    on answers of our own.
    """
    from tinyreason.errors import ConfigError

    if (file is None) == (probe is None):
        raise ConfigError("give a FILE of completions to grade, or --probe without one, one of the two.")
    if file is None:
        _probe(probe, as_json)
        return
    from tinyreason.console import Console
    from tinyreason.data import read_rows
    from tinyreason.grading.audit import audit_verdicts
    from tinyreason.grading.grader import Grader, grade_rows, tally

    rows, verdicts = read_rows(file), []
    with Grader() as grader, Console(stderr=as_json).live("graded", total=len(rows)) as live:
        for verdict in grade_rows(rows, completion_field, answer_field, grader):
            verdicts.append(verdict)
            live.advance()
            if out:
                out.write(json.dumps(vars(verdict)) + "\n")
    counts = tally(verdicts)
    if audit:
        _print_audit(audit_verdicts(rows, verdicts, audit, answer_field), as_json)
        return
    if as_json:
        click.echo(json.dumps(counts))
        return
    accuracy = "unknown" if counts["accuracy"] is None else f"{counts['accuracy']:.2%}"
    click.echo(f"accuracy {accuracy}: {counts['right']} of {counts['judged']} correct")
    if counts["judged"] < counts["rows"]:
        click.echo(f"rows not graded, their gold answers cannot be parsed: {counts['rows'] - counts['judged']}")


def _probe(word: str, as_json: bool) -> None:
    from tinyreason.console import Console
    from tinyreason.errors import ConfigError, nearest
    from tinyreason.grading.grader import Grader
    from tinyreason.grading.probe import GOLDS, run_probe

    if word not in (ALL, *GOLDS):
        raise ConfigError(f"there is no probe of a grader '{word}'{nearest(word, (ALL, *GOLDS))}.")
    with Grader() as grader:
        found = {kind: run_probe(kind, grader) for kind in (GOLDS if word == ALL else (word,))}
    if as_json:
        errors = ("false_positives", "false_negatives")
        rates = {
            kind: {one.kind: {name: getattr(one, name).as_json() for name in errors} for one in kinds}
            for kind, (kinds, _) in found.items()
        }
        click.echo(json.dumps(rates))
        return
    for kind, (kinds, missed) in found.items():
        rows = [(one.kind, _shown(one.false_positives, "-"), _shown(one.false_negatives, "-")) for one in kinds]
        Console().table(rows, header=(kind, "false positives", "false negatives"))
        for one in missed:
            what = "not graded correct" if one.is_correct else "graded correct"
            click.echo(f"  {what}: {one.completion!r}, gold answer {one.example.answer!r}")


def _print_audit(kinds: list["AuditedKind"], as_json: bool) -> None:
    from tinyreason.console import Console

    if as_json:
        errors = ("false_positives", "false_negatives")
        click.echo(json.dumps({kind.kind: {name: getattr(kind, name).as_json() for name in errors} for kind in kinds}))
        return
    rows = [(kind.kind, _shown(kind.false_positives), _shown(kind.false_negatives)) for kind in kinds]
    Console().table(rows, header=("kind of answer", "false positives", "false negatives"))


def _shown(rate: "ErrorRate", nothing: str = "none labelled so") -> str:
    if not rate.rows:
        return nothing
    low, high = rate.interval
    return f"{rate.errors} of {rate.rows}: {rate.share:.1%} [{low:.1%}, {high:.1%}]"


@click.command("select", short_help="Rank problems by how much they teach.")
@click.argument("run", required=False, type=PATH)
@click.option("--history", type=PATH, help="JSON file that maps a problem's id to its accuracies, epoch by epoch.")
@click.option("--by", type=click.Choice(["variance", "pass_rate"]), default="variance", show_default=True,
              help="What to rank by: variance of the accuracies over the epochs, or their mean.")  # fmt: skip
@click.option("--top", type=COUNT, help="Number of problems to list; default: all.")
@JSON
def select_command(run: Path | None, history: Path | None, by: str, top: int | None, as_json: bool) -> None:
    """Rank problems by how much they teach, from the rollouts of RUN or from a --history file."""
    from tinyreason.console import Console
    from tinyreason.data.selection import history_of_run, rank, read_history
    from tinyreason.errors import ConfigError

    if (run is None) == (history is None):
        raise ConfigError("give the folder of a run or --history FILE, one of the two.")
    ranked = rank(read_history(history) if history else history_of_run(run), by, top)
    if as_json:
        click.echo(json.dumps(ranked, indent=1))
        return
    rows = [(str(row["rank"]), row["id"], f"{row['score']:.4f}", f"{row['mean_accuracy']:.2f}") for row in ranked]
    Console().table(rows, header=("rank", "problem", by.replace("_", " "), "mean accuracy"))
