"""Writes docs/leaderboard.md and its pictures from docs/leaderboard/*.json: `python docs/make_leaderboard.py`.

A world's file there is the `arena.json` that `tinyreason arena run WORLD` leaves. `tests/test_docs.py` fails where the
page is not what this makes.
"""

import json
from pathlib import Path

from tinyreason.config.worlds import world_names
from tinyreason.reporting.arena_plot import draw_arena
from tinyreason.reporting.arena_table import arena_markdown, rows_from

HERE = Path(__file__).parent
FILE = HERE / "leaderboard.md"
CLAIMS = HERE / "leaderboard" / "claims.md"
HEAD = """\
# The leaderboard

<!-- Made by `python docs/make_leaderboard.py` from docs/leaderboard/*.json. Change those, not this. -->

Published methods side by side at equal compute, on small generated worlds that were written down before any method was
run on them ([recipes/worlds](../recipes/worlds)). Each run of a world may spend the same number of completion tokens,
sampled and trained on, and starts from the same warm-up of its seed; plain training is the world as its file has it.
A method enters by being in the package: as a shipped recipe has it, or in its plain form.
The model is the sandbox's, of 0.66 million parameters, but in *real*, which has SmolLM2-135M-Instruct: what cannot be
told apart here may differ on a large one.

"""


def page() -> str:
    """The whole file."""
    found = {name: HERE / "leaderboard" / f"{name}.json" for name in world_names()}
    told = [json.loads(file.read_text("utf-8")) for file in found.values() if file.exists()]
    missing = [name for name, file in found.items() if not file.exists()]
    sections = [section(one) for one in told]
    rest = [f"Not run yet: {', '.join(missing)}.\n"] if missing else []
    return HEAD + "\n".join([*sections, CLAIMS.read_text("utf-8"), *rest])


def section(told: dict) -> str:
    """A world: what was expected, the picture, the table."""
    name, rows = told["world"], rows_from(told["rows"])
    seeds = max((row.seeds for row in rows), key=len)
    runs = sum(len(row.seeds) for row in rows)
    hours = sum(len(row.seeds) * (row.seconds or 0) for row in rows) / 3600
    picture = f"![{name}: each method less plain training, with its interval](images/leaderboard-{name}.svg)"
    return "\n".join(
        [
            f"## {name}\n",
            f"{told['purpose']}\n",
            f"Expected before: should show: {'; '.join(told['shows'])}. Should not: {'; '.join(told['hides'])}.\n",
            f"`tinyreason arena run {name} --seeds {len(seeds)}`, {told['measured']}: {runs} runs of "
            f"{told['budget']:,} tokens, {hours:.1f} hours of training on one core.\n",
            *([f"{told['found']}\n"] if told.get("found") else []),
            f"{picture}\n",
            arena_markdown(rows),
        ]
    )


def main() -> None:
    """Writes the page and the pictures."""
    for file in sorted((HERE / "leaderboard").glob("*.json")):
        rows = rows_from(json.loads(file.read_text("utf-8"))["rows"])
        draw_arena(rows, HERE / "images" / f"leaderboard-{file.stem}.svg")
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)


if __name__ == "__main__":
    main()
