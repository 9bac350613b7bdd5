"""What of a run's data is trained on, and what is held back from it where nothing else is the test."""

from tinyreason.config.run_config import RunConfig
from tinyreason.data._source import Source
from tinyreason.data.held_back import Split, hold_back
from tinyreason.errors import NoAnswers
from tinyreason.example import Example


def training_examples(config: RunConfig) -> list[Example]:
    """Returns what a run's data hold to train on; without answers too, where none is read. Errors: `DataError`."""
    if config.train.needs_completions:
        return config.data.load()
    readers = gold_readers(config)
    try:
        return config.data.load(needs_answers=bool(readers))
    except NoAnswers as error:
        types = " ".join(dict.fromkeys(readers.values()))
        raise NoAnswers(
            f"{str(error).removesuffix('.')}; {' and '.join(readers)} must know what is correct: to train without "
            f"answers type {types}."
        ) from None


def gold_readers(config: RunConfig) -> dict[str, str]:
    """Returns what of a run must know gold answers, or what is correct → what to type in its place.

    Of its stages those too that train on the run's own data.
    """
    on_the_same = [its for stage, its in config.stage_configs if stage.data is None]
    return {reader: typed for one in (config, *on_the_same) for reader, typed in own_gold_readers(one).items()}


def own_gold_readers(config: RunConfig) -> dict[str, str]:
    """Returns the same of a run without its stages."""
    gates = {reward.gate for reward in config.rewards}
    counting = [reward for reward in config.rewards if reward.ever_counts or reward.kind in gates]
    families = (
        ("reward", "'rewards=[{kind: empo_cluster}]'", counting),
        ("advantage", "advantage.kind=dr_grpo", config.advantages),
        ("sampler", "'samplers=[]'", config.samplers),
        ("rollouts", "rollouts=null", [config.rollouts] if config.rollouts else []),
    )
    return {f"{name} {one.kind}": typed for name, typed, leaves in families for one in leaves if one.reads_gold}


def validation_source(config: RunConfig, examples: list[Example]) -> Source:
    """Returns where the validation comes from: the data, or where they have no answer the evaluation's own."""
    has_answers = any(example.answer for example in examples)
    return config.data if has_answers else config.evaluation.data or config.data


def training_split(config: RunConfig, examples: list[Example]) -> Split:
    """Returns the parts of what `training_examples` gave; a set that is taken whole holds back a share of itself.

    Where the config says how many are trained on, the others are there to be asked, and nothing is held back.
    """
    data = config.data
    tests = config.evaluation.problems if config.evaluation.data is None else 0
    is_validated = config.validation and validation_source(config, examples) is data
    validations = config.validation.problems if is_validated else 0
    if not (data.is_taken_whole and (tests or validations)):
        return Split(examples, [], [], 0)
    return hold_back(examples, data.origin, tests, validations)
