"""What of a run's data is trained on, and what is held back from it where nothing else is the test."""

from tinyreason.config.run_config import RunConfig
from tinyreason.data.held_back import Split, hold_back
from tinyreason.example import Example


def training_split(config: RunConfig, examples: list[Example]) -> Split:
    """Returns the parts of what `config.data.load()` gave; a set that is taken whole holds back a share of itself.

    Where the config says how many are trained on, the others are there to be asked, and nothing is held back.
    """
    data = config.data
    tests = config.evaluation.problems if config.evaluation.data is None else 0
    validations = config.validation.problems if config.validation else 0
    if not (data.is_taken_whole and (tests or validations)):
        return Split(examples, [], [], 0)
    return hold_back(examples, data.origin, tests, validations)
