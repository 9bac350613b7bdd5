"""Further ways of asking problems for completions to imitate, one file each; its name is the `kind`."""

from tinyreason.data.asks._ask import Answerer as Answerer
from tinyreason.data.asks._ask import Ask as Ask
from tinyreason.data.asks._ask import Try as Try
from tinyreason.leaves import Leaves

ASKS = Leaves.of_folder(__name__, __path__)
