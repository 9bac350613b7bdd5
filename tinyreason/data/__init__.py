"""Sources of a run's problems, one file each; its name is the `kind`."""

from tinyreason.data._own import OwnData as OwnData
from tinyreason.data.critiques import Critiques
from tinyreason.data.files import read_rows as read_rows
from tinyreason.data.generated import Generated
from tinyreason.data.one_shot import OneShot
from tinyreason.data.problems import Problems
from tinyreason.data.rollouts import Rollouts
from tinyreason.data.sampled import Sampled
from tinyreason.data.solutions import Solutions
from tinyreason.data.worlds import world_of as world_of

DATA = {
    "critiques": Critiques,
    "generated": Generated,
    "one_shot": OneShot,
    "problems": Problems,
    "rollouts": Rollouts,
    "sampled": Sampled,
    "solutions": Solutions,
}
