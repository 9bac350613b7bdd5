"""Teachers, who write the critiques and the solutions, one file each; its name is the `kind`."""

from tinyreason.leaves import Leaves
from tinyreason.teachers._own import OwnTeacher as OwnTeacher

TEACHERS = Leaves(__name__, ("file", "local", "openai", "oracle"))
