"""Tasks whose problems are made on the way and check themselves, one file each; its name is the `kind`."""

from tinyreason.data.tasks._task import Task as Task
from tinyreason.leaves import Leaves

TASKS = Leaves.of_folder(__name__, __path__)
