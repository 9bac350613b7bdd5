"""Writes docs/methods.md from the methods themselves: `python docs/make_methods.py`.

`tests/test_docs.py` fails where the file is not what this makes.
"""

from pathlib import Path

from tinyreason.cli.methods import measured_words, option_words
from tinyreason.config.methods import FAMILIES, Method, methods

FILE = Path(__file__).parent / "methods.md"
HEAD = """\
# Methods

<!-- Made by `python docs/make_methods.py`. Change the docstrings in the code, the recipes or results.md, not this. -->

Every method of the package, as `tinyreason methods` lists them. A method's name is its `kind` in a recipe; for help on
its options type `tinyreason show RECIPE`. What was measured is of a whole run in which the method had its part: by the
recipes that use it, then by the tables of [results.md](results.md), the first row of each. For methods of your own see
[extending.md](extending.md).
"""


def page() -> str:
    """The whole file."""
    found = methods()
    sections = [section(name, [one for one in found if one.family == name]) for name in FAMILIES]
    return "\n".join([HEAD, *sections])


def section(family: str, found: list[Method]) -> str:
    """A family: a table of what its methods are, then their options."""
    rows = [
        f"| `{one.name}` | {cell(one.idea)} | {papers(one)} | {cell(', '.join(one.needs))} "
        f"| {cell(' · '.join(measured_words(one)))} |"
        for one in found
    ]
    options = [f"- `{one.name}`: `{', '.join(option_words(one))}`" for one in found if one.options]
    head = "| method | idea | paper | needs | measured |\n|---|---|---|---|---|"
    listed = "\n".join(["Options, `…` where one has to be given:\n", *options, ""]) if options else ""
    return "\n".join([f"## {family.capitalize()}\n", head, *rows, "", listed])


def papers(method: Method) -> str:
    """Links to the papers of a method."""
    return ", ".join(f"[arXiv {link.rpartition('/')[2]}]({link})" for link in method.papers)


def cell(text: str) -> str:
    """A text as it may stand in a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)
