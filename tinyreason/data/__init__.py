"""Sources of a run's problems, one file each; its name is the `kind`."""

from tinyreason.data._own import OwnData as OwnData
from tinyreason.data.files import read_rows as read_rows
from tinyreason.data.worlds import world_of as world_of
from tinyreason.leaves import Leaves

DATA = Leaves(__name__, ("critiques", "generated", "one_shot", "problems", "rollouts", "sampled", "solutions"))
