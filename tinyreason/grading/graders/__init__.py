"""What may make an answer correct, one idea a file; its name is an example's `grader`."""

import json
from functools import lru_cache

from tinyreason.grading.graders._rule import BAD_GOLD as BAD_GOLD
from tinyreason.grading.graders._rule import Rule
from tinyreason.leaves import Leaves

GRADERS = Leaves.of_folder(__name__, __path__, {"math": "math_verify"})


@lru_cache(maxsize=4096)
def read_rule(rule: str) -> Rule:
    """Returns the grader that `Example.rule` names, with what it knows of the problem; of nothing it is Math-Verify."""
    values = json.loads(rule or '{"kind": "math"}')
    return GRADERS[values["kind"]](**values)
