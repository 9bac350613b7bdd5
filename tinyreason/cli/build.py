"""`tinyreason critiques build` and `tinyreason solutions build`."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from tinyreason.cli.options import COUNT, JSON, PATH

NOT_NEGATIVE = click.FloatRange(min=0)
SHARED = (
    click.option("--data", metavar="FILE", help="Problems with answers: a file, sandbox or words, also with :FAMILY."),
    click.option("--index", type=click.IntRange(min=0), help="Take only the problem in this place; the first is 0."),
    click.option("--id", help="Take only the problem with this id."),
    click.option("--problems", type=COUNT, help="Take only this many problems, from the first on."),
    click.option("--teacher", metavar="KIND",
                 help="Who writes them: openai (any endpoint with its API), local (a model on this machine), oracle "
                 "(of generated problems, no model), file (answers already written) or FILE.py:FUNCTION."),
    click.option("--base-url", help="openai: the part of the address before /chat/completions."),
    click.option("--model", help="openai: the model's name at the endpoint. local: a folder or hub id."),
    click.option("--key-variable", help="openai: environment variable with the key; default OPENAI_API_KEY."),
    click.option("--concurrency", type=COUNT, help="openai: number of requests sent at once; default 16."),
    click.option("--max-tokens", type=COUNT, help="openai, local: length of the longest answer, in tokens."),
    click.option("--temperature", type=NOT_NEGATIVE, help="openai, local: sampling temperature; 0 = greedy."),
    click.option("--timeout-s", type=click.FloatRange(min=0, min_open=True),
                 help="openai: seconds to wait for an answer."),
    click.option("--retries", type=click.IntRange(min=0),
                 help="openai: tries after a failed request; waiting for a rate limit (429) does not count."),
    click.option("--price-in", type=NOT_NEGATIVE,
                 help="openai: price of a million tokens sent, in the currency of --max-cost."),
    click.option("--price-out", type=NOT_NEGATIVE,
                 help="openai: price of a million tokens received, in the same currency."),
    click.option("--max-cost", type=NOT_NEGATIVE,
                 help="openai: most that the set may cost, resumed or not; it needs both prices."),
    click.option("--teacher-file", type=PATH, help="file: the file with the answers, .jsonl, .json, .parquet or .csv."),
    click.option("--samples", type=COUNT, default=1, show_default=True,
                 help="Answers asked of the teacher for each request."),
    click.option("--n", type=COUNT, help="Number of rows wanted; default: all that pass the filters."),
    click.option("--trim", type=click.FloatRange(0, 0.5, max_open=True), default=0.05, show_default=True,
                 help="With --n: share of the longest, and of the shortest, that is left out first."),
    click.option("--near-duplicates", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True,
                 help="Share of common text from which on two rows count as one; 1 keeps all."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                 help="Seed of the attempts and of the sampling."),
    click.option("--out", type=PATH,
                 help="The .jsonl to write; every answer is kept beside it, so that the same command resumes."),
    click.option("--print-prompt", is_flag=True, help="Print the prompts for the teacher, and do nothing else."),
    JSON,
)  # fmt: skip
TEACHER_OPTIONS = {
    name: name
    for name in "base_url model key_variable concurrency max_tokens temperature timeout_s retries max_cost".split()
} | {
    "price_in": "price_per_million_input_tokens",
    "price_out": "price_per_million_output_tokens",
    "teacher_file": "file",
}
"""Name on the command line → the teacher's own."""


def shared(command):
    """Adds the options of both commands."""
    for option in reversed(SHARED):
        command = option(command)
    return command


@click.group()
def critiques() -> None:
    """Critiques of attempts at problems, for critique fine-tuning."""


@click.group()
def solutions() -> None:
    """Worked solutions of problems, for SFT."""


@critiques.command("build")
@shared
@click.option("--attempts", type=COUNT, default=100, show_default=True, help="Number of attempts at each problem.")
@click.option(
    "--attempts-file", type=PATH, help="File of attempts already made, with columns attempt and problem_id or problem."
)
@click.option(
    "--from",
    "attempts_by",
    multiple=True,
    metavar="MODEL",
    help="Who makes attempts, repeatable: oracle, sandbox, a folder (model, adapter, run) or hub id.",
)
def critiques_build_command(
    attempts: int, attempts_file: Path | None, attempts_by: tuple[str, ...], **options: Any
) -> None:
    """Have attempts criticised; keep what the grader agrees with.

    \b
    Without a key:  tinyreason critiques build --data sandbox --index 0 --teacher oracle --out critiques.jsonl
    With one:       tinyreason critiques build --data gsm8k.jsonl --index 3 --from Qwen/Qwen2.5-1.5B-Instruct
                    --teacher openai --model gpt-4.1-mini --n 600 --out critiques.jsonl
    """
    made = {"attempts": attempts, "attempts_file": attempts_file, "attempts_by": attempts_by}
    _build("critiques", options, made)


@solutions.command("build")
@shared
def solutions_build_command(**options: Any) -> None:
    """Have problems solved; keep what the grader finds correct.

    \b
    Without a key:  tinyreason solutions build --data sandbox --teacher oracle --problems 500 --out solutions.jsonl
    """
    _build("solutions", options, {})


def _build(what: str, options: dict[str, Any], attempts: dict[str, Any]) -> None:
    from tinyreason.teachers.prompts import printed

    if options["print_prompt"]:
        click.echo(printed(what))
        return
    from tinyreason.config.build_config import CritiqueBuildConfig, SolutionBuildConfig, read_build_config
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.models.load import is_on_this_machine
    from tinyreason.own_code.reference import is_file_kind

    for name in ("data", "teacher", "out"):
        if options[name] is None:
            raise click.UsageError(f"Missing option '--{name}'.")
    kind = CritiqueBuildConfig if what == "critiques" else SolutionBuildConfig
    config = read_build_config(kind, _values(options) | attempts)
    if is_file_kind(options["teacher"]):
        config.teacher.allow()  # who types a file's name trusts it
    models = [*attempts.get("attempts_by", ()), *([config.teacher.model] if options["teacher"] == "local" else [])]
    quiet_libraries(offline=all(name == "oracle" or is_on_this_machine(name) for name in models))

    from tinyreason.synthesis import build

    builder = build.build_critiques if what == "critiques" else build.build_solutions
    summary = builder(config, options["out"], Console(stderr=options["as_json"]))
    if options["as_json"]:
        click.echo(json.dumps(vars(summary), indent=1))
    else:
        click.echo("\n".join(_lines(what, summary, options["n"])))
        if summary.kept and not summary.stopped:
            recipe = _trained_by(what, is_one_problem=config.data.is_one_prompt)
            click.echo(f"train       {shlex.join(['tinyreason', 'recipe', recipe, f'data.file={summary.out}'])}")
    if summary.stopped:
        from tinyreason.runs.environment import command

        twice = re.sub(r"(--max-cost[ =])(\S+)", lambda found: f"{found[1]}{2 * float(found[2]) or 1:g}", command())
        click.echo(f"tinyreason: stopped, {summary.stopped}; to resume, type: {twice}", err=True)
        sys.exit(3)


def _trained_by(what: str, is_one_problem: bool) -> str:
    """Returns the name of the recipe that trains on such a set."""
    if what == "solutions":
        return "reasoning_sft"
    return "one_shot_cft" if is_one_problem else "critique_ft"


def _values(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the build config as plain values."""
    from tinyreason.data import world_of
    from tinyreason.errors import ConfigError

    data, place, size = options["data"], {key: options[key] for key in ("index", "id")}, options["problems"]
    place = {key: value for key, value in place.items() if value is not None}
    if len(place) + (size is not None) > 1:
        raise ConfigError("--index, --id and --problems are given; give one of them.")
    source = {"name": data} if world_of(data) else {"file": data}
    chosen = {"kind": "one_shot", **place} if place else {"kind": "problems", "size": size}
    teacher = {TEACHER_OPTIONS[name]: options[name] for name in TEACHER_OPTIONS if options[name] is not None}
    if options["teacher"] == "local":
        teacher["seed"] = options["seed"]
    filters = {name: options[name] for name in ("n", "trim", "near_duplicates", "seed")}
    return {
        "data": source | chosen,
        "teacher": {"kind": options["teacher"]} | teacher,
        "samples": options["samples"],
        "filters": filters,
        "seed": options["seed"],
    }


def _lines(what: str, summary, wanted: int | None) -> list[str]:
    short = f" ({wanted:,} wanted)" if wanted and summary.kept < wanted else ""
    cost = "unknown (give --price-in and --price-out)" if summary.cost is None else f"{summary.cost:.4f}"
    besides = f", at most {summary.possible_cost:.4f} more for broken answers" if summary.possible_cost else ""
    return [
        f"kept        {summary.kept:,} {what}{short}, in {summary.out}"
        if summary.kept
        else "kept        none, nothing written",
        *(f"dropped     {count:,}: {reason}" for reason, count in summary.dropped.items()),
        f"requests    {summary.requests:,}, {summary.from_cache:,} of them answered before",
        f"tokens      {summary.tokens_in:,} in, {summary.tokens_out:,} out",
        f"cost        {cost}{besides}",
        f"seconds     {summary.seconds:.1f}",
    ]
