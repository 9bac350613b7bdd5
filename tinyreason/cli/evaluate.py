"""`tinyreason eval`, `compare` and `audit`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyreason.cli.options import BASE, CHAT_TEMPLATE, COUNT, JSON, LONGEST, PATH, TEMPLATE_OPTIONS, THINKING_BUDGET
from tinyreason.prompts import PROMPTS


@click.command(name="eval", short_help="Evaluate a run, an adapter or a model on benchmarks.")
@click.argument("reference", metavar="RUN|ADAPTER|MODEL")
@click.option(
    "--bench",
    metavar="NAME,NAME",
    help="Benchmarks: gsm8k, math500, aime24, aime25, amc23, minerva, olympiadbench; made here: words, "
    "missing_premise, and of the sandbox chain, long_chain, compare; with --data its file: mathcheck.",
)
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    help="A local copy of the benchmark (one for each, in their order), or "
    "without --bench a file of problems with answers.",
)
@click.option(
    "--against", metavar="BASE", help="A second run, adapter or model; `base` is the model that was trained on."
)
@BASE
@click.option("--samples", type=COUNT, default=8, show_default=True, help="Completions sampled for each problem.")
@click.option("--problems", type=COUNT, help="Evaluate only this many problems of each benchmark, from the first on.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    help="Sampling temperature, 0 = greedy; default: the run's, else 0.6.",
)
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), help="Nucleus sampling; default: 1, off.")
@LONGEST
@THINKING_BUDGET
@click.option(
    "--prompt",
    type=click.Choice(list(PROMPTS)),
    help="The problem as it is, with the request for a boxed answer, or with that as a system message; re2 says it "
    "twice, self_ask asks for follow-up questions, "
    "one_shot_cot, right_wrong and concepts show an example; default: the run's, else boxed.",
)
@click.option(
    "--template",
    type=click.Choice(["chat", "none"]),
    help="Write the prompt with the tokenizer's chat template, or without one; default: chat.",
)
@CHAT_TEMPLATE
@TEMPLATE_OPTIONS
@click.option(
    "--batch-size", type=COUNT, help="Completions sampled at once; it changes speed and memory, not the completions."
)
@click.option(
    "--template-check/--no-template-check",
    default=True,
    help="Ask the base without the chat template and with the other prompt too, 64 problems of each benchmark; where "
    "it does much better so, a gain that is not more than that is not certified.",
)
@click.option(
    "--vote",
    "votes",
    metavar="NAME,NAME",
    default="",
    help="Also let the samples of a problem vote: majority, self_certainty, complexity; the tokens of all of them are "
    "counted.",
)
@click.option(
    "--circular",
    is_flag=True,
    help="Ask each question of multiple choice under every rotation of its options; it is correct if all of them are.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the completions.")
@click.option(
    "--out", type=PATH, help="Folder of the evaluation; default: under evals/. The same command resumes there."
)
@JSON
def evaluate_command(
    reference: str,
    bench: str | None,
    data: tuple[Path, ...],
    against: str | None,
    base: str | None,
    problems: int | None,
    chat_template: str | None,
    template_check: bool,
    votes: str,
    circular: bool,
    out: Path | None,
    as_json: bool,
    **asked,
) -> None:
    """Evaluate a run, an adapter or a model on benchmarks; keep every completion, give every figure its interval."""
    from tinyreason.cli.evaluation_output import announce_evaluation, conclude_evaluation
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.evaluation.benchmark_request import evaluate_sides, load_benches, needs_no_network, read_sides
    from tinyreason.evaluation.benchmark_run import settle

    sides = read_sides(reference, against, base, chat_template)
    quiet_libraries(offline=needs_no_network(sides.values(), bench, data))
    benches = load_benches(bench, data, problems, circular)
    sampling, console = settle(sides["model"], asked), Console(stderr=as_json)
    names = tuple(name.strip() for name in votes.split(",") if name.strip())
    result, folder = evaluate_sides(sides, benches, sampling, out, console, template_check, announce_evaluation, names)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=1))
    else:
        conclude_evaluation(console, result, folder)


@click.command(name="compare", short_help="Compare runs and evaluations with the first.")
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="RUN RUN ...")
@JSON
def compare_command(folders: tuple[Path, ...], as_json: bool) -> None:
    """Compare folders of runs or evaluations with the first, paired on the problems they share."""
    from tinyreason.cli.evaluation_output import show_comparison
    from tinyreason.console import Console
    from tinyreason.evaluation.compare import compare_folders

    rows = compare_folders(list(folders))
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=1))
    else:
        show_comparison(Console(), rows)


@click.command(name="audit", short_help="Find test problems that are in the training data.")
@click.argument("train", metavar="DATA")
@click.option(
    "--against", required=True, metavar="BENCH|FILE", help="The test set: a benchmark, or a file of problems."
)
@click.option("--data", type=PATH, help="A local copy of the benchmark.")
@click.option("--split", default="train", show_default=True, help="Split of a hub data set or of generated problems.")
@click.option("--subset", help="Subset of a hub data set.")
@JSON
def audit_command(train: str, against: str, data: Path | None, split: str, subset: str | None, as_json: bool) -> None:
    """Find test problems that are in the training data: whole, nearly, or in 13 words in a row.

    DATA is a file, sandbox, words, either with :FAMILY, or a data set on the hub.
    """
    from tinyreason.cli.evaluation_output import show_audit
    from tinyreason.console import Console
    from tinyreason.evaluation.benchmarks import read_test, read_training
    from tinyreason.evaluation.contamination import KINDS, audit_summary, find_contamination

    examples, test = read_training(train, split, subset), read_test(against, data)
    with Console(stderr=as_json).live("audited", total=len(test)) as live:
        result = audit_summary(find_contamination(examples, test, live.advance), examples, test)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=1))
    else:
        show_audit(Console(), result, KINDS)
