"""Leaves out of an evaluation what the runs in it were trained on: copies of their training problems."""

from collections.abc import Iterator
from pathlib import Path

from tinyreason.config.run_config import RunConfig
from tinyreason.config.training_split import training_examples, training_split
from tinyreason.console import Console
from tinyreason.data._source import Source
from tinyreason.data.problems import Problems
from tinyreason.errors import DataError, FolderError, TinyReasonError
from tinyreason.evaluation.benchmarks import BENCHES
from tinyreason.evaluation.contamination import copies_in_words, without_copies
from tinyreason.example import Example
from tinyreason.inference.model_reference import ModelReference, read_run_config


def leave_out_trained(
    sides: dict[str, ModelReference], benches: dict[str, list[Example]], console: Console
) -> dict[str, list[Example]]:
    """Returns the benches less the problems that a side was trained on, whole or nearly, and says how many those are.

    What cannot be looked for is said too. Errors: `DataError` where nothing is left of a bench.
    """
    for reference in sides.values():
        known = training_problems(reference, next(iter(benches)), console)
        benches = {
            name: untrained(name, problems, known, reference.name, console) for name, problems in benches.items()
        }
    return benches


def untrained(
    name: str, problems: list[Example], known: list[tuple[bool, list[Example]]], who: str, console: Console
) -> list[Example]:
    """Returns the problems of a bench that copy none of the known; `(is of the sandbox, problems)` each."""
    is_made = is_made_by_the_sandbox(name, problems) if any(is_endless for is_endless, _ in known) else False
    compared = [example for is_endless, examples in known if not (is_made and is_endless) for example in examples]
    with console.live(f"looking for training problems in {name}", total=len(problems)) as live:
        kept, passed = without_copies(problems, compared, len(problems), live.advance)
    if passed:
        console.say(
            f"leaks     {passed.total():,} of {len(problems):,} problems of {name} are left out: {who} was trained on "
            f"{copies_in_words(passed)}"
        )
    if not kept:
        raise DataError(
            f"{who} was trained on every problem of {name}, whole or nearly; give another --bench or --data."
        )
    return kept


def is_made_by_the_sandbox(name: str, problems: list[Example]) -> bool:
    """Returns whether these are problems that the sandbox makes for its tests, which its training never sees."""
    bench = BENCHES.get(name)
    return bool(bench and bench.is_endless) and problems == bench.load(limit=len(problems))


def training_problems(reference: ModelReference, bench: str, console: Console) -> list[tuple[bool, list[Example]]]:
    """Returns what a model's adapter was trained on, as far as its runs tell, each with whether the sandbox made it.

    Says what cannot be read, and how to look for leaks in it.
    """
    found, against = [], bench if bench in BENCHES else "FILE"
    for problems, is_made, unread in sources_of(reference):
        if unread:
            console.say(
                f"leaks     not looked for in what {reference.name} was trained on: {unread}; where you have it, type: "
                f"tinyreason audit DATA --against {against}"
            )
        else:
            found.append((is_made, problems))
    return found


def sources_of(reference: ModelReference) -> Iterator[tuple[list[Example], bool, str | None]]:
    """Yields (problems, whether the sandbox made them, why they cannot be read) of each set that a model learned from.

    These are the data of its run, and of the runs of the adapters that it started from.
    """
    if reference.is_merged:
        yield from sources_of_run(reference.run, Path(reference.model.name))
    elif reference.adapter:
        yield from sources_of_adapter(reference.adapter, reference.run)


def sources_of_adapter(adapter: Path, run: RunConfig | None = None) -> Iterator[tuple[list[Example], bool, str | None]]:
    """Yields them of an adapter in its run's folder, or elsewhere of a known run."""
    folder = adapter.parent
    try:
        config = read_run_config(folder)
    except FolderError:
        if run is None:
            yield [], False, f"{folder} is not a run's folder"
            return
        config = run
    yield from sources_of_run(config, folder)


def sources_of_run(config: RunConfig, folder: Path) -> Iterator[tuple[list[Example], bool, str | None]]:
    """Yields them of a run with this config, in this folder."""
    for source in config.training_sources:
        try:
            yield read_source(source, folder, config), source.is_endless and source.split != "test", None
        except TinyReasonError:
            yield [], False, f"{source.origin} cannot be read here"
    if config.adapter.start:
        yield from sources_of_adapter(Path(config.adapter.start))


def read_source(source: Source, folder: Path, config: RunConfig) -> list[Example]:
    """Returns a run's training problems; of data that are gone, those in the critiques that it has built."""
    built = folder / "critiques.jsonl"
    try:
        if source is config.data:
            return training_split(config, training_examples(config)).training
        return source.load()
    except DataError:
        if source is not config.data or not built.is_file():
            raise
        return Problems(file=built).load()
