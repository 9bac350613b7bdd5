"""What may make an answer correct, one idea a file; its name is an example's `grader`."""

import json
from functools import lru_cache

from tinyreason.grading.graders._rule import BAD_GOLD as BAD_GOLD
from tinyreason.grading.graders._rule import Rule
from tinyreason.grading.graders.abstain import Abstain
from tinyreason.grading.graders.assignment import Assignment
from tinyreason.grading.graders.choice import Choice
from tinyreason.grading.graders.expression import Expression
from tinyreason.grading.graders.label import Label
from tinyreason.grading.graders.math_verify import MathVerify
from tinyreason.grading.graders.reasoning_gym import ReasoningGym
from tinyreason.grading.graders.sat import Sat

GRADERS = {
    "abstain": Abstain,
    "assignment": Assignment,
    "choice": Choice,
    "expression": Expression,
    "label": Label,
    "math": MathVerify,
    "reasoning_gym": ReasoningGym,
    "sat": Sat,
}


@lru_cache(maxsize=4096)
def read_rule(rule: str) -> Rule:
    """Returns the grader that `Example.rule` names, with what it knows of the problem; of nothing it is Math-Verify."""
    values = json.loads(rule or '{"kind": "math"}')
    return GRADERS[values["kind"]](**values)
