"""How several completions to a problem decide on one answer, one idea a file; its name is the word of `eval --vote`."""

from tinyreason.algorithms.votes._vote import Ballot as Ballot
from tinyreason.leaves import Leaves

VOTES = Leaves.of_folder(__name__, __path__)
