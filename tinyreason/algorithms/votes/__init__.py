"""How several completions to a problem decide on one answer, one idea a file; its name is the word of `eval --vote`."""

from tinyreason.algorithms.votes._vote import Ballot as Ballot
from tinyreason.algorithms.votes._vote import Vote
from tinyreason.algorithms.votes.complexity import Complexity
from tinyreason.algorithms.votes.majority import Majority
from tinyreason.algorithms.votes.self_certainty import SelfCertainty

VOTES: dict[str, type[Vote]] = {"majority": Majority, "self_certainty": SelfCertainty, "complexity": Complexity}
