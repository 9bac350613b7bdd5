"""Tasks whose problems are made on the way and check themselves, one file each; its name is the `kind`."""

from tinyreason.data.tasks._task import Task as Task
from tinyreason.data.tasks.countdown import Countdown
from tinyreason.data.tasks.graph_tasks import GraphTasks
from tinyreason.data.tasks.knights_knaves import KnightsKnaves
from tinyreason.data.tasks.minus_sign import MinusSign
from tinyreason.data.tasks.random_calculation import RandomCalculation
from tinyreason.data.tasks.reasoning_gym import ReasoningGym
from tinyreason.data.tasks.sat import Sat
from tinyreason.data.tasks.skill_pairs import SkillPairs
from tinyreason.data.tasks.story import Story
from tinyreason.data.tasks.treecut import Treecut

TASKS = {
    "countdown": Countdown,
    "minus_sign": MinusSign,
    "graph_tasks": GraphTasks,
    "knights_knaves": KnightsKnaves,
    "random_calculation": RandomCalculation,
    "reasoning_gym": ReasoningGym,
    "sat": Sat,
    "skill_pairs": SkillPairs,
    "story": Story,
    "treecut": Treecut,
}
