"""What `tinyreason check` looks at: the data, its gold answers, the model's chat template, the rewards. No torch."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import cached_property, partial
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from tinyreason.config.describe import sections
from tinyreason.config.model import Model
from tinyreason.config.own_code import own_leaves
from tinyreason.config.preconditions import caveats_of_problems, check_problems
from tinyreason.config.run_config import RunConfig
from tinyreason.config.stage import Stage
from tinyreason.config.train_distill import STAGE
from tinyreason.config.training_split import gold_readers, training_examples, training_split, validation_source
from tinyreason.data._source import Source
from tinyreason.data.columns import Columns, find_columns, problems_of
from tinyreason.data.critiques import Critiques
from tinyreason.data.dropped import Dropped
from tinyreason.data.files import read_lines
from tinyreason.errors import DataError, ModelError
from tinyreason.example import Example
from tinyreason.models.chat_template import check_options, read_template
from tinyreason.models.load import check_model_folder, is_on_this_machine, read_model_config, source_of
from tinyreason.models.token_fit import read_chat_template

WHOLE_BYTES = 8_000_000
"""A larger .jsonl file is read in part."""
FIRST_ROWS = 1_000
"""So many rows of it are read, and so many gold answers are looked at."""


class Finding(NamedTuple):
    """One line: what was looked at, what was found, and whether it could be looked at."""

    what: str
    text: str
    is_seen: bool = True


class Inspector:
    """Looks at the configs of one recipe; what several have alike is read once."""

    def __init__(self):
        self.known: dict[str, tuple[list[Finding], list[Example] | None]] = {}

    @cached_property
    def grader(self):
        """The grader of the gold answers; most recipes' data are not here to be looked at."""
        from tinyreason.grading.grader import Grader

        return Grader()

    def inspect(self, config: RunConfig) -> list[Finding]:
        """Returns what was found. Errors: `ConfigError`, `DataError`, `ModelError`, as a run would end in them."""
        found = []
        for path, section in sections(config):
            if isinstance(section, Source):
                is_rewarded = section is config.data and config.train.needs_rewards
                readers = gold_readers(config) if is_rewarded else {}
                key = f"{type(section).__name__} {section.model_dump_json()} {is_rewarded} {readers}"
                if key not in self.known:
                    load = partial(training_examples, config) if section is config.data else section.load
                    may_lack = is_rewarded and not readers
                    self.known[key] = self.look_at_data(path, section, load, is_rewarded, may_lack)
                lines, examples = self.known[key]
                found += lines
                if section.transforms:
                    named = ", ".join(transform.kind for transform in section.transforms)
                    found.append(Finding(path, f"transforms {named}; tinyreason preview shows what each does"))
                if section is config.data and examples is not None:
                    trained = check_held_out(config, examples)
                    check_problems(config, trained)
                    found += [Finding("caveat", line) for line in caveats_of_problems(config, trained)]
        looked_at = look_at_model(config.model, config.template_options), look_at_teacher(config)
        return [*found, *chain(*looked_at, list_rewards(config), list_stages(config), list_own_code(config))]

    def look_at_data(
        self, path: str, source: Source, load: Callable[[], list[Example]], is_rewarded: bool, may_lack_answers: bool
    ) -> tuple[list[Finding], list[Example] | None]:
        """Returns what a source of data holds, and its problems, None where they are not known."""
        if source.runs_code:
            return [Finding(path, f"{source.describe()}, which its code makes", False)], None
        if source.is_endless or (source.is_offline and not source.file):
            return [Finding(path, source.describe())], load()
        if not source.file:
            return [Finding(path, f"{source.name}, a data set of the hub", False)], None
        if source.file.suffix.lower() == ".jsonl" and source.file.stat().st_size > WHOLE_BYTES:
            examples, is_whole = read_beginning(source, not may_lack_answers), False
            text = f"the first {len(examples):,} rows of {source.origin}"
        else:
            with redirect_stderr(StringIO()):  # a run says which rows it leaves out
                examples, is_whole = load(), True
            text = f"{source.origin}, {rows_in_words(source, examples)}"
        text += "" if isinstance(source, Critiques) else columns_in_words(source, not may_lack_answers)
        found = [Finding(path, text)]
        if may_lack_answers and not any(example.answer for example in examples):
            found.append(Finding(path, "no gold answers, and nothing that trains reads one"))
        elif not isinstance(source, Critiques):
            found += self.look_at_gold(path, examples, is_rewarded)
        return found, examples if is_whole else None

    def look_at_gold(self, path: str, examples: list[Example], is_rewarded: bool) -> Iterator[Finding]:
        """Yields how many gold answers can be graded. Errors: `DataError` for one to be trained on that cannot."""
        formulas = odd = 0
        looked_at = [example for example in examples[:FIRST_ROWS] if example.answer]
        for example in looked_at:
            is_fine = self.grader.glance_at_gold(example)
            if is_fine is False and is_rewarded:
                raise DataError(
                    f"the gold answer of problem {example.id} cannot be graded: {example.answer[-80:]!r}; choose "
                    f"another problem or correct it."
                )
            formulas, odd = formulas + (is_fine is None), odd + (is_fine is False)
        fine = len(looked_at) - formulas - odd
        cannot = f", {odd:,} cannot" if odd else ""
        of = "of the first" if len(examples) > FIRST_ROWS else "of"
        yield Finding(path, f"{fine:,} {of} {len(looked_at):,} gold answers can be graded{cannot}")
        if formulas:
            yield Finding(path, f"{formulas:,} gold answers that are formulas, which a run has graded first", False)


def check_held_out(config: RunConfig, examples: list[Example]) -> list[Example]:
    """Returns which are trained on; refuses a file that leaves none to hold out of it. Errors: `DataError`."""
    split = training_split(config, examples)
    trained = {example.id for example in split.training}
    if config.data.file and config.evaluation.data is None and not split.test:
        config.data.held_out(1, "test", without=trained)
    is_asked = config.validation and validation_source(config, examples) is config.data
    if config.data.file and is_asked and not split.validation:
        config.data.held_out(1, "validation", without=trained)
    return split.training


def read_beginning(source: Source, needs_answers: bool) -> list[Example]:
    """Returns the first rows of a large file. Errors: `DataError`."""
    rows = list(islice(read_lines(source.file), FIRST_ROWS))
    strict = Dropped(source.origin, is_strict=True, needs_answers=needs_answers)
    if isinstance(source, Critiques):
        return [found for number, row in enumerate(rows) if (found := source.example(number, row, strict))]
    columns = Columns(source.problem_column, source.answer_column)
    return [example for _, example in problems_of(rows, columns, strict)]


def rows_in_words(source: Source, examples: list[Example]) -> str:
    """Returns how many rows are read of a file, and of what kind."""
    if source.is_one_prompt:
        return source.describe().removesuffix(f" of {source.origin}")
    kind = "critiques" if isinstance(source, Critiques) else "solutions" if examples[0].completion else "problems"
    return f"{len(examples):,} {kind}"


def columns_in_words(source: Source, needs_answers: bool) -> str:
    """Returns where the problems and the answers stand in a file."""
    rows = islice(read_lines(source.file), FIRST_ROWS) if source.file.suffix.lower() == ".jsonl" else source.rows()
    named = source.problem_column, source.answer_column
    problem, answer = find_columns(list(rows), source.origin, *named, needs_answers)
    return f"; problem in column '{problem}'" + (f", answer in '{answer}'" if answer else "")


def look_at_model(model: Model, options: dict) -> Iterator[Finding]:
    """Yields what a local model's folder holds. Errors: `ModelError`, `ConfigError`."""
    if not is_on_this_machine(model.name):
        if model.name.count("/") != 1 or model.name.startswith((".", "/", "~")):
            raise ModelError(f"model.name={model.name} is neither a folder on this machine nor the id of a hub model.")
        yield Finding("model", f"{model.name}, a model of the hub, and its chat template", False)
        return
    folder = Path(source_of(model))
    check_model_folder(folder, model.name)
    kind = read_model_config(model).get("model_type")
    template = read_chat_template(model.chat_template) if model.chat_template else read_template(folder)
    if template is None:
        raise ModelError(f"the tokenizer of model.name={model.name} has no chat template; choose an instruct model.")
    check_options(template, options)
    yield Finding("model", f"{model.name}, {kind}; its files are there, and its chat template")


def look_at_teacher(config: RunConfig) -> Iterator[Finding]:
    """Yields what teaches a distillation. Errors: `FolderError`, `ModelError`."""
    teacher = config.teacher_model
    if not teacher:
        return
    from tinyreason.inference.teacher_model import naming_the_teacher, teacher_reference

    found = teacher_reference(teacher, config.model)
    if found and teacher.name != STAGE:
        if not is_on_this_machine(found.model.name):
            yield Finding("teacher", f"{teacher.describe()}, a model of the hub, and its tokenizer", False)
            return
        with naming_the_teacher():
            check_model_folder(Path(source_of(found.model)), found.model.name)
    yield Finding("teacher", teacher.describe())


def list_rewards(config: RunConfig) -> Iterator[Finding]:
    """Yields what is rewarded and what samples, which the config has been checked for."""
    if config.rewards:
        named = [
            f"{reward.kind} · {reward.weight:g}" if reward.weight != 1 else reward.kind for reward in config.rewards
        ]
        yield Finding("rewards", f"{' + '.join(named)}, compared by {config.compared_by}")
    if config.samplers:
        named, train = ", ".join(sampler.kind for sampler in config.samplers), config.train
        yield Finding("samplers", f"{named}; {train.generated_rows} rollouts a step, {train.rows_per_step} trained on")
    if config.rollouts:
        yield Finding("rollouts", config.rollouts.kind)


def list_stages(config: RunConfig) -> Iterator[Finding]:
    """Yields the trainings before the run's own, which the config has been checked for."""
    if config.stages:
        times = (f" × {stage.repeat}" if stage.repeat > 1 else "" for stage in config.stages)
        named = [stage.name + count + until_in_words(stage) for stage, count in zip(config.stages, times, strict=True)]
        yield Finding("stages", f"{', '.join(named)}, then the run's own training")


def until_in_words(stage: Stage) -> str:
    """Returns what ends a stage early; empty where nothing does."""
    return f" until its {stage.until.metric} {stage.until.kind}" if stage.until else ""


def list_own_code(config: RunConfig) -> Iterator[Finding]:
    """Yields what code of the person's own a run would run, and whether it may."""
    for leaf in own_leaves(config):
        may = "" if leaf.is_allowed else "; a run needs --allow-code for it"
        yield Finding("code", f"what {leaf.kind} does, of {leaf.code or 'an installed package'}{may}", False)
