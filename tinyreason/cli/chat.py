"""`tinyreason chat`: ask a run, an adapter or a model, and watch it answer."""

import sys
from collections.abc import Iterator

import click


@click.command("chat", short_help="Ask a run, an adapter or a model, and watch it answer.")
@click.argument("target", metavar="RUN|ADAPTER|MODEL")
@click.option("--compare", is_flag=True, help="Answer with the base and with the adapter, side by side.")
@click.option("--history", "keeps_history", is_flag=True, help="Keep what was said; else each question stands alone.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0 = greedy. Default: as in the run's evaluation.")
@click.option("--max-completion-tokens", type=click.IntRange(min=1), help="Longest reply.")
@click.option("--trust-remote-code", is_flag=True, help="Run Python code that comes with the model.")
def chat_command(
    target: str,
    compare: bool,
    keeps_history: bool,
    temperature: float | None,
    max_completion_tokens: int | None,
    trust_remote_code: bool,
) -> None:
    """Ask a run, an adapter or a model: the reasoning is dimmed, the answer plain.

    Questions are lines, typed or piped in. `exit` or Ctrl-D ends.
    """
    from tinyreason.console import Console, quiet_libraries
    from tinyreason.errors import ConfigError
    from tinyreason.inference.chat import Talker
    from tinyreason.inference.model_reference import read_model_reference

    reference = read_model_reference(target, trust_remote_code, is_finished=False)
    if compare and not reference.adapter:
        raise ConfigError(f"{target} has no adapter to compare its base with; give a run or an adapter folder.")
    quiet_libraries(offline=reference.is_local)
    talker, console = Talker.load(reference, temperature, max_completion_tokens), Console()
    titles = ("base", "adapter") if compare else ("reply",)
    histories: list[list[dict[str, str]]] = [[] for _ in titles]
    if sys.stdin.isatty():
        console.say("Ask away; exit or Ctrl-D ends, Ctrl-C stops a reply.")
    for question in questions():
        for history in histories:
            history[:] = [*(history if keeps_history else ()), {"role": "user", "content": question}]
        try:
            with console.replies(titles) as replies:
                for number, history in enumerate(histories):
                    is_base = titles[number] == "base"
                    history.append(
                        talker.answer(history, lambda text, dim, n=number: replies.write(n, text, dim), is_base)
                    )
        except KeyboardInterrupt:
            if not sys.stdin.isatty():
                raise
            console.say("(stopped)")


def questions() -> Iterator[str]:
    """Lines until the end of the input, or `exit`; bytes that are no text are taken for a replacement character."""
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
