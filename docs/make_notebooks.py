"""Writes into the notebooks where they install tinyreason from: its own repository, pinned, and a badge to open them.

Both come from `[project.urls]` of pyproject.toml (`Repository`) and the version, whose tag is `v` and that version.
Without the URL there is no badge, and a notebook asks for a source: never for a bare name, which anybody could register
on an index.

    python docs/make_notebooks.py
"""

import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOURCE, BADGE = "SOURCE = ", "[![Open in Colab]"
"""How the lines begin that are written here."""
COLAB = "https://colab.research.google.com"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for path in NOTEBOOKS:
        path.write_text(notebook(path.read_text(encoding="utf-8"), path.stem, project), encoding="utf-8")
        print(path)


def notebook(text: str, name: str, project: dict) -> str:
    """Returns the notebook with the lines of this project in place of those that are there."""
    content = json.loads(text)
    title, settings = content["cells"][:2]
    lines = [line for line in "".join(title["source"]).splitlines() if not line.startswith(BADGE)]
    found = badge(name, project)
    head = [lines[0], "", found, ""] if found else [lines[0], ""]
    title["source"] = "\n".join([*head, *"\n".join(lines[1:]).strip("\n").splitlines()]).splitlines(keepends=True)
    settings["source"] = [source_line(project) if line.startswith(SOURCE) else line for line in settings["source"]]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def repository(project: dict) -> str:
    """Returns the URL of the repository; empty until the project has one."""
    return project.get("urls", {}).get("Repository", "").removesuffix("/").removesuffix(".git")


def source_line(project: dict) -> str:
    """Returns the line that says where to install from."""
    url = repository(project)
    default = f"git+{url}@v{project['version']}" if url else ""
    return (
        f'{SOURCE}os.environ.get("TINYREASON_SOURCE", "{default}")'
        "  # for pip: git+https://…, a wheel, or the folder of a clone\n"
    )


def badge(name: str, project: dict) -> str:
    """Returns the badge that opens the notebook in Colab, which reads GitHub; empty where the project is not there."""
    owner = repository(project).partition("https://github.com/")[2]
    place = f"{COLAB}/github/{owner}/blob/v{project['version']}/notebooks/{name}.ipynb"
    return f"{BADGE}({COLAB}/assets/colab-badge.svg)]({place})" if owner else ""


if __name__ == "__main__":
    main()
