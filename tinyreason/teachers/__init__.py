"""Teachers, who write the critiques and the solutions, one file each; its name is the `kind`."""

from tinyreason.teachers._own import OwnTeacher as OwnTeacher
from tinyreason.teachers.file import File
from tinyreason.teachers.local import Local
from tinyreason.teachers.openai import Openai
from tinyreason.teachers.oracle import Oracle

TEACHERS = {"file": File, "local": Local, "openai": Openai, "oracle": Oracle}
