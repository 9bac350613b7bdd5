"""`tinyreason chat`: ask a run, an adapter or a model, and watch it answer."""

import sys
from collections.abc import Iterator

import click

from tinyreason.cli.options import BASE, CHAT_TEMPLATE, LONGEST, TEMPLATE_OPTIONS, THINKING_BUDGET


@click.command("chat", short_help="Ask a run, an adapter or a model, and watch it answer.")
@click.argument("target", metavar="RUN|ADAPTER|MODEL")
@click.option("--compare", is_flag=True, help="Answer with the base and with the adapter, side by side.")
@click.option(
    "--history", "keeps_history", is_flag=True, help="Keep what was said before, instead of asking each question alone."
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    help="Sampling temperature, 0 = greedy; default: as in the run's evaluation.",
)
@LONGEST
@THINKING_BUDGET
@BASE
@CHAT_TEMPLATE
@TEMPLATE_OPTIONS
@click.option("--trust-remote-code", is_flag=True, help="Run Python code that comes with the model.")
def chat_command(
    target: str,
    compare: bool,
    keeps_history: bool,
    temperature: float | None,
    max_completion_tokens: int | None,
    thinking_budget: int | None,
    base: str | None,
    chat_template: str | None,
    template_options: dict | None,
    trust_remote_code: bool,
) -> None:
    """Ask a run, an adapter or a model: the reasoning is dimmed, the answer plain.

    Questions are lines, typed or piped in. `exit` or Ctrl-D ends.
    """
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.errors import ConfigError
    from tinyreason.inference.chat import Talker
    from tinyreason.inference.model_reference import read_model_reference

    reference = read_model_reference(target, trust_remote_code, is_finished=False, base=base).asked_with(chat_template)
    if compare and not reference.adapter:
        raise ConfigError(f"{target} has no adapter to compare its base with; give a run or an adapter folder.")
    quiet_libraries(offline=reference.is_local)
    console = Console()
    with Console(stderr=True).saying_caveats():
        talker = Talker.load(reference, temperature, max_completion_tokens, template_options, thinking_budget)
    titles = ("base", "adapter") if compare else ("model",)
    histories: list[list[dict[str, str]]] = [[] for _ in titles]
    if sys.stdin.isatty():
        console.say("Ask away; exit or Ctrl-D ends, Ctrl-C stops an answer.")
    for question in questions():
        for history in histories:
            history[:] = [*(history if keeps_history else ()), {"role": "user", "content": question}]
        try:
            with console.completions(titles) as stream:
                for number, history in enumerate(histories):
                    is_base = titles[number] == "base"
                    history.append(
                        talker.answer(history, lambda text, dim, n=number: stream.write(n, text, dim), is_base)
                    )
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
            console.say("(stopped)")


def questions() -> Iterator[str]:
    """Yields lines until the end of the input, or `exit`; bytes that are not text become a replacement character."""
    sys.stdin.reconfigure(errors="replace")
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if line.lower() in ("exit", "quit"):
            return
        if line:
            yield line
