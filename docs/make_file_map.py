"""Writes the file map in docs/architecture.md from the docstrings of the package: `python docs/make_file_map.py`.

`tests/test_docs.py` fails where the map is not what this makes.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "tinyreason"
FILE = Path(__file__).parent / "architecture.md"
BEGIN, END = "<!-- The map is made by `python docs/make_file_map.py`. -->", "<!-- End of the map. -->"
ONE_IDEA_A_FILE = ("adapters", "algorithms/rewards", "algorithms/advantages")
"""Folders whose files are methods: their names say it, and `tinyreason show` explains them."""


def page(text: str) -> str:
    """The text of architecture.md with the map as the package has it now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{file_map()}\n{END}{after}"


def file_map() -> str:
    """The ground floor, then every folder: what it is for, and a line for each of its files."""
    folders = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
    return "\n".join(section for folder in folders if (section := "\n".join(lines(folder))))


def lines(folder: Path) -> Iterator[str]:
    """A heading, what the folder is for, its files."""
    name = folder.relative_to(PACKAGE).as_posix()
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("__"))
    if not files:
        return
    if name == ".":
        yield "### The ground floor, `tinyreason/`\n"
    else:
        yield f"### `{name}/`\n"
        if about := first_sentence(folder / "__init__.py"):
            yield f"{about}\n"
    if name in ONE_IDEA_A_FILE:
        yield f"{', '.join(f'`{file.stem}`' for file in files if not file.stem.startswith('_'))}\n"
        files = [file for file in files if file.stem.startswith("_")]
    if files:
        yield "| file | what it does |\n|---|---|"
        yield "".join(f"| `{file.name}` | {first_sentence(file)} |\n" for file in files)


def first_sentence(file: Path) -> str:
    """The first paragraph of a file's docstring, for a table: on one line, with links to papers."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    line = " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", line)


if __name__ == "__main__":
    FILE.write_text(page(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE)
