"""Finds where a completion begins to go round in circles."""

LONGEST_PERIOD = 256
FEWEST_ROUNDS = 3
FEWEST_TOKENS = 24


def loop_start(ids: list[int]) -> int:
    """Returns the first token of the loop that the completion ends in, its length where it ends in none.

    A loop is a stretch of 1 to 256 tokens that stands at least three times in a row, 24 tokens or more in all, up to
    the last token.
    """
    import numpy

    tokens = numpy.asarray(ids)
    count = start = len(ids)
    if count < FEWEST_TOKENS:
        return start
    for period in range(1, min(LONGEST_PERIOD, count // FEWEST_ROUNDS) + 1):
        if tokens[-1] != tokens[-1 - period]:
            continue
        differs = numpy.flatnonzero(tokens[period:] != tokens[:-period])
        begin = int(differs[-1]) + 1 if len(differs) else 0
        if count - begin >= max(FEWEST_ROUNDS * period, FEWEST_TOKENS):
            start = min(start, begin)
    return start
