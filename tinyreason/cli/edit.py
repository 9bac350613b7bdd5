"""`tinyreason edit`."""

import shlex
from pathlib import Path

import click

from tinyreason.cli.options import BASE, COUNT, LONGEST, OVERRIDES, PATH


@click.command("edit", short_help="Edit a model's attention by its own traces, without training.")
@click.argument("reference", metavar="RUN|ADAPTER|MODEL")
@OVERRIDES
@click.option(
    "--with",
    "kind",
    default="thinkedit",
    show_default=True,
    help="thinkedit (longer thoughts) or control_vector (what tells correct completions apart).",
)
@click.option(
    "--from",
    "source",
    type=PATH,
    help="Folder of a run or of an evaluation with the model's completions; default: the run's own rollouts.",
)
@click.option("--bench", metavar="NAME,NAME", help="Sample the completions here, to these benchmarks, as eval does.")
@click.option("--data", type=PATH, multiple=True, help="A local copy of the benchmark, or a file of problems.")
@click.option("--problems", type=COUNT, help="With --bench or --data: only this many problems of each.")
@click.option("--samples", type=COUNT, default=4, show_default=True, help="Completions sampled for each of them.")
@LONGEST
@click.option("--batch-size", type=COUNT, help="Completions sampled at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the completions.")
@BASE
@click.option("--out", type=PATH, help="Folder to write the adapter into; default: edits/NAME-KIND.")
def edit_command(
    reference: str,
    overrides: tuple[str, ...],
    kind: str,
    source: Path | None,
    bench: str | None,
    data: tuple[Path, ...],
    problems: int | None,
    base: str | None,
    out: Path | None,
    **asked,
) -> None:
    """Change what a model's attention heads write, by what its own traces tell, and write that as an adapter.

    key=value sets an option of the edit; `tinyreason methods --family edits` lists them. Nothing is trained. A LoRA
    that the model has already is joined with the edit, so that `eval`, `chat` and `export` take what comes of it.
    """
    from tinyreason.config.edit_options import read_edit
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.errors import ConfigError
    from tinyreason.evaluation.benchmark_request import evaluate_sides, load_benches, needs_no_network
    from tinyreason.evaluation.benchmark_run import settle
    from tinyreason.evaluation.benchmarks import bench_for
    from tinyreason.inference.model_reference import read_model_reference
    from tinyreason.pipeline.edit import check_editable, make_edit

    edit, model = read_edit(kind, overrides), read_model_reference(reference, base=base)
    out = out or Path("edits") / f"{model.name.replace('/', '_')}-{kind}"
    check_editable(model, out)
    if source and (bench or data):
        raise ConfigError("give --from or --bench and --data: the completions are there, or sampled here.")
    is_run = Path(reference, "rollouts.jsonl").is_file()
    if not source and not (bench or data or is_run):
        raise ConfigError(f"{reference} has no rollouts; give --from a run or an evaluation of it, --bench or --data.")
    quiet_libraries(offline=needs_no_network([model], bench, data))
    console, sampling = Console(), settle(model, asked)
    console.say(f"edit    {model.name} with {kind}")
    if bench or data:
        benches = load_benches(bench, data, problems)
        _, source = evaluate_sides({"model": model}, benches, sampling, None, console, check_template=False)
    with console.saying_caveats():
        make_edit(model, edit, source or Path(reference), sampling, out, console)
    words = ["tinyreason", "eval", str(out), "--against", reference, "--bench", bench or bench_for(model.model.name)]
    console.say(f"\nWhat next:\nevaluate    {shlex.join(words)}")
    console.say(f"chat        {shlex.join(['tinyreason', 'chat', str(out), '--compare'])}")
    if kind == "thinkedit":
        console.say(f"export      {shlex.join(['tinyreason', 'export', str(out), 'merged'])}")
