"""Problems of the library reasoning-gym: its own scorer decides, where that can be trusted.

Why: dozens of tasks come with a scorer each, and some problems have many answers that are correct.
Formula: correct if the scorer gives at least 0.999; a scorer that raises gives nothing. The options of the rule are the
task's name and what the library stores beside the problem.
Reward hacking: of its 106 scorers nine run the completion as Python, two more run what stands beside the problem, and
others pay for what is incorrect: any text, `nan`, extra words, a time that is a minute off. `grading/gym.py` lists
the tasks whose scorers were read and tried and do none of it. Parts of a point count for nothing here.
Example: an example as the task `reasoning_gym` makes them.
"""

import copy
import io
from contextlib import redirect_stdout
from typing import Any, ClassVar, Literal

from tinyreason.grading.graders._rule import Graded, Rule
from tinyreason.grading.gym import SafeName, check_reasoning_gym, scorer_of

PASS_MARK = 0.999


class ReasoningGym(Rule):
    """Grades an answer by the scorer of a task of reasoning-gym."""

    runs_foreign_code: ClassVar[bool] = True
    kind: Literal["reasoning_gym"] = "reasoning_gym"
    name: SafeName = "chain_sum"
    """The task, by the library's name."""
    metadata: dict[str, Any] = {}
    """What the library stores beside the problem, for its scorer."""

    def check_installed(self) -> None:
        """Raises `DataError` where the library is not installed."""
        check_reasoning_gym()

    def prepare(self) -> None:
        """Loads the library and the task's scorer."""
        scorer_of(self.name)

    def grade(self, gold: str, answer: str) -> Graded:
        """Returns whether the scorer gives a whole point."""
        scorer, entry = scorer_of(self.name), {"answer": gold, "metadata": copy.deepcopy(self.metadata)}
        try:
            with redirect_stdout(io.StringIO()):
                score = scorer(answer, entry)
        except Exception:
            return False, "the scorer cannot read it"
        return bool(score >= PASS_MARK), ""
