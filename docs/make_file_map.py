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
IS_A_METHOD = re.compile(r"^    kind: Literal\[", re.MULTILINE)
"""A file that holds a method is left out, so that a new one changes no page: `tinyreason show` explains them."""


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
        yield f"### [`{name}/`](../tinyreason/{name})\n"
        if about := first_sentence(folder / "__init__.py"):
            yield f"{about}\n"
    if files := [file for file in files if not is_a_method(folder, file)]:
        yield "| file | what it does |\n|---|---|"
        yield "".join(f"| `{file.name}` | {first_sentence(file)} |\n" for file in files)


def is_a_method(folder: Path, file: Path) -> bool:
    """Whether a file holds one of the kinds that its folder registers."""
    return folder.name != "config" and bool(IS_A_METHOD.search(file.read_text(encoding="utf-8")))


def first_sentence(file: Path) -> str:
    """The first paragraph of a file's docstring, for a table: on one line, with links to papers."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    line = " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", line)


if __name__ == "__main__":
    FILE.write_text(page(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE)
