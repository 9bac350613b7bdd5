"""`tinyreason export` and `push`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyreason.cli.options import BASE, PATH

if TYPE_CHECKING:
    from tinyreason.exporting.request import Exported, Kind


@click.command(name="export", short_help="Export a run merged, as GGUF, for Ollama or vLLM.")
@click.argument("reference", metavar="RUN|ADAPTER")
@click.argument("kind", type=click.Choice(["merged", "gguf", "modelfile", "vllm"]))
@click.option("--to", type=PATH, help="Folder to write into; default: exports/NAME-KIND.")
@click.option(
    "--type",
    "file_type",
    type=click.Choice(["f16", "q8_0"]),
    default="f16",
    show_default=True,
    help="Number format of a GGUF file.",
)
@click.option("--adapter-only", is_flag=True, help="With gguf: the adapter alone, for llama.cpp's --lora.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="Number format of a merged folder; default: the base's own.",
)
@BASE
@click.option(
    "--problems",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="So many problems of the run's own evaluation are asked again, once each; 0 = none.",
)
@click.option("--check", is_flag=True, help="Write nothing: hold an export that is there against the adapter again.")
def export_command(
    reference: str,
    kind: str,
    to: Path | None,
    file_type: str,
    adapter_only: bool,
    dtype: str | None,
    base: str | None,
    problems: int,
    check: bool,
) -> None:
    """Write a run or an adapter as a merged folder, as GGUF, for Ollama (modelfile) or for vLLM.

    What was written is loaded again by its own reader and held against the live adapter: template, end tokens, logits,
    completions, weights, accuracy on the run's own evaluation. Where something differs, nothing is deleted, and the
    exit code is 1.
    """
    exported = export_and_say(reference, kind, to, file_type, dtype, adapter_only, problems, base, check)
    if not exported.passes:
        differing = ", ".join(finding.what for finding in exported.findings if not finding.agrees)
        click.echo(
            f"tinyreason: {exported.place} is not the adapter: {differing} differ; it is left as it is.", err=True
        )
        sys.exit(1)


def export_and_say(
    reference: str,
    kind: "Kind",
    to: Path | None,
    file_type: str,
    dtype: str | None,
    adapter_only: bool,
    problems: int,
    base: str | None,
    check: bool,
) -> "Exported":
    """Exports, or checks what is exported, and says what agrees; returns both. Errors: `TinyReasonError`."""
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.errors import ConfigError
    from tinyreason.exporting.request import make_export, read_export

    if adapter_only and kind != "gguf":
        raise ConfigError(f"--adapter-only is of gguf, and {kind} is asked for; leave it out.")
    if dtype and kind != "merged":
        raise ConfigError(f"--dtype is of merged, and {kind} is asked for; leave it out.")
    export, why = read_export(reference, kind, to, file_type, dtype, adapter_only, problems, base)
    quiet_libraries(offline=export.reference.is_local)
    console = Console()
    console.say(f"export  {export.name} as {kind}, {export.format}{why and f' ({why})'}")
    console.say(f"folder  {export.to}")
    with console.saying_caveats():
        exported = make_export(export, console, is_written=check)
    for finding in exported.findings:
        console.say(f"{'same  ' if finding.agrees else 'DIFFERS'} {finding.what}: {finding.said}")
    if exported.line:
        console.say(f"\nIn {export.to} type:\n  {exported.line}")
    if exported.passes:
        console.say(f"\n{exported.place} answers as the adapter does.")
    return exported


@click.command(name="push", short_help="Send a run or an export to the hub, in private.")
@click.argument("reference", metavar="RUN|ADAPTER|EXPORT")
@click.argument("hub_id", metavar="HUB_ID")
@click.option("--public", is_flag=True, help="Let anyone read it.")
@click.option("--dry-run", is_flag=True, help="List what would be sent, and send nothing.")
def push_command(reference: str, hub_id: str, public: bool, dry_run: bool) -> None:
    """Send the adapter of a run, with its model card, or a folder that `export` wrote, to the hub.

    The token is read from HF_TOKEN. No path of this machine and no secret is sent: a file that holds one is refused.
    """
    from tinyreason.console import Console
    from tinyreason.exporting.push import check_hub_id, files_of_stage, push, staged

    console = Console()
    check_hub_id(hub_id)
    with staged(reference) as folder:
        files = files_of_stage(folder)
        seen = "which anyone can read" if public else "private"
        console.say(f"{'would send' if dry_run else 'sending'} {len(files)} files to {hub_id}, {seen}:")
        for name, size in files:
            console.say(f"  {size:>13,} bytes  {name}")
        if not dry_run:
            console.say(f"sent    {push(folder, hub_id, public)}")
