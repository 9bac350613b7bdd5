"""Further ways of asking problems for completions to imitate, one file each; its name is the `kind`."""

from tinyreason.data.asks._ask import Answerer as Answerer
from tinyreason.data.asks._ask import Ask as Ask
from tinyreason.data.asks._ask import Try as Try
from tinyreason.data.asks.critique_in_the_loop import CritiqueInTheLoop
from tinyreason.data.asks.dots import Dots
from tinyreason.data.asks.regenesis import Regenesis
from tinyreason.data.asks.smart_strategy import SmartStrategy
from tinyreason.data.asks.with_answer import WithAnswer

ASKS = {
    "critique_in_the_loop": CritiqueInTheLoop,
    "dots": Dots,
    "regenesis": Regenesis,
    "smart_strategy": SmartStrategy,
    "with_answer": WithAnswer,
}
