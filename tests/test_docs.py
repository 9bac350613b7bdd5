"""README and docs/: their commands run or parse, their code works, their links lead somewhere, their size is kept."""

import ast
import importlib.util
import os
import re
import shlex
import sys
import tomllib
import types
from importlib import import_module
from pathlib import Path
from random import Random

import click
import pytest
import torch
import yaml
from click.testing import CliRunner
from synthetic_run import write_run

import tinyreason.own_code.leaf
import tinyreason.own_code.reference
from tinyreason.cli.main import main
from tinyreason.config.own_code import allow_code
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import ConfigError
from tinyreason.store import Store

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
LARGEST_README_BYTES = 8_000
GENERATED = "docs/commands.md"
TROUBLES = "docs/troubleshooting.md"

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^cat > (\S+) <<'EOF'\n(.*?)^EOF$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"""\]\(([^)\s]+)\)|<img src="([^"]+)\"""")
QUICK = ("recipes", "show", "check", "plan", "doctor", "grade", "select", "audit", "report", "compare")
"""Commands that need neither a network nor more than seconds, with a few exceptions (`is_quick`)."""
RECIPES = ("recipe", "sweep", "dry-run", "plan", "preview")
"""Commands whose first words are a recipe and its options."""


def blocks(page):
    """(language, text) of every fenced block."""
    return BLOCK.findall(TEXTS[page])


def shell_lines(page):
    """The command lines of a page as lists of words, without `tinyreason`."""
    for _, text in blocks(page):
        for line in re.sub(r"\\\n\s*", " ", FILE.sub("", text)).splitlines():
            words = line.removeprefix("$ ").removeprefix(".venv/bin/")
            if words.startswith("tinyreason "):
                yield shlex.split(words, comments=True)[1:]


LINES = [(page, words) for page in PAGES if page != GENERATED for words in shell_lines(page)]


def is_quick(words):
    """Whether a command can be run here: without a network, in seconds."""
    if words[-1] in ("--help", "--version"):
        return True
    if words[0] in ("critiques", "solutions"):
        return "--print-prompt" in words or "oracle" in words
    if words[0] == "audit":  # of the published benchmarks it reads a copy, or the hub
        return "--data" in words or words[words.index("--against") + 1].endswith(".jsonl")
    return words[0] in QUICK and not {"--measure", "--watch"} & {*words}


def ids(lines):
    return [f"{page}: {shlex.join(words)}" for page, words in lines]


QUICK_LINES = [line for line in LINES if is_quick(line[1])]
OTHER_LINES = [line for line in LINES if not is_quick(line[1])]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the pages' commands begin from: the files that a page writes, and two finished runs."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("demo", "second"):
        write_run(tmp_path / "runs" / name)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


def write_files(page):
    """Writes the files that a page shows as `cat > FILE <<'EOF'`."""
    for _, text in blocks(page):
        for name, content in FILE.findall(text):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content, encoding="utf-8")


def run(words):
    return CliRunner().invoke(main, words, prog_name="tinyreason")


def test_the_readme_is_short():
    assert len(PAGES["README.md"].read_bytes()) <= LARGEST_README_BYTES


def test_there_are_commands_of_both_sorts():
    assert len(QUICK_LINES) > 10
    assert len(OTHER_LINES) > 10


@pytest.mark.parametrize(("page", "words"), QUICK_LINES, ids=ids(QUICK_LINES))
def test_a_quick_command_runs(page, words, folder):
    write_files(page)
    done = run(words)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("page", "words"), OTHER_LINES, ids=ids(OTHER_LINES))
def test_any_other_command_exists_with_its_options_and_its_recipe_resolves(page, words, folder):
    write_files(page)
    command, name, rest = main, "tinyreason", words
    while isinstance(command, click.Group):
        name, *rest = rest
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    parsed = command.make_context(name, list(rest), **main.context_settings).params  # a command keeps its help option
    if name in RECIPES:
        done = run(["show", parsed["name"], *parsed["overrides"], "--on", parsed.get("tier") or "sandbox"])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_image_is_there(page):
    for link in LINK.findall(TEXTS[page]):
        target = "".join(link)
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        place = (PAGES[page].parent / path).resolve() if path else PAGES[page]
        assert place.exists(), f"{page} links to {target}"
        if heading:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [slug(text) for text in headings], f"{page} links to {target}"


def slug(heading):
    """What a heading's link is called."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_a_paper_is_a_link(page):
    bare = re.sub(r"https://arxiv\.org/abs/\d{4}\.\d{5}|(?i:\[arXiv [\d.]+\])\(", "", TEXTS[page])
    assert not re.findall(r"(?i)arxiv|\b\d{4}\.\d{5}\b", bare)


@pytest.mark.parametrize("page", PAGES)
def test_nobody_is_sent_to_a_package_index_for_this_package(page):
    assert not re.search(r"pip install [^`\n]*\btinyreason\b", TEXTS[page])


def test_licence_version_and_citation_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["version"] == citation["version"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def maker(name):
    """One of the scripts in docs/ that write pages."""
    place = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def test_the_list_of_commands_is_the_one_that_the_command_line_gives():
    assert TEXTS[GENERATED] == maker("make_commands").page(), "type: python docs/make_commands.py"


def test_the_list_of_methods_is_the_one_that_the_package_gives():
    assert TEXTS["docs/methods.md"] == maker("make_methods").page(), "type: python docs/make_methods.py"


def test_the_leaderboard_is_what_the_arena_measured():
    assert TEXTS["docs/leaderboard.md"] == maker("make_leaderboard").page(), "type: python docs/make_leaderboard.py"


def test_the_file_map_is_that_of_the_package():
    text = TEXTS["docs/architecture.md"]
    assert text == maker("make_file_map").page(text), "type: python docs/make_file_map.py"


def said_by_the_package():
    """Every text in the package's code, on one line, with … for what is filled in."""
    for file in (ROOT / "tinyreason").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                yield " ".join("".join(parts).split())
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield " ".join(node.value.split())


def test_a_message_that_the_docs_explain_is_one_that_the_package_has():
    said, stale = list(said_by_the_package()), []
    for heading in re.findall(r"^### `(.+)`$", TEXTS[TROUBLES], re.MULTILINE):
        pattern = re.compile(".*?".join(re.escape(part.strip(" ")) for part in heading.split("…")))
        if not any(map(pattern.search, said)) and "command not found" not in heading:
            stale.append(heading)
    assert not stale


def python_blocks(page):
    return [text for language, text in blocks(page) if language == "python"]


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)])
def test_what_code_takes_from_the_package_is_there(page):
    shown = {module for text in python_blocks(page) if (module := module_name(text))}
    for text in python_blocks(page):
        for node in ast.walk(ast.parse(text)):
            is_ours = isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "tinyreason"
            if is_ours and node.module not in shown:
                module = import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tinyreason":
                assert hasattr(import_module("tinyreason"), node.attr), ast.unparse(node)


def module_name(text):
    """`# tinyreason/data/x.py` on a block's first line → tinyreason.data.x"""
    first = text.partition("\n")[0]
    found = re.fullmatch(r"# (tinyreason/\S+|tests/\S+)\.py", first)
    return found and found[1].replace("/", ".")


@pytest.fixture
def modules(monkeypatch):
    """Loads the blocks of docs/extending.md that name a file, as if they stood there, in their order."""
    found = {}
    for text in python_blocks("docs/extending.md"):
        if name := module_name(text):
            found[name] = types.ModuleType(name)
            monkeypatch.setitem(sys.modules, name, found[name])
            exec(compile(text, name, "exec"), vars(found[name]))
    return found


EXTENSIONS = [
    (name, function.name)
    for text in python_blocks("docs/extending.md")
    if (name := module_name(text)) and name.startswith("tests.")
    for function in ast.parse(text).body
    if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
]


@pytest.mark.parametrize(("module", "test"), EXTENSIONS)
def test_an_extension_that_the_docs_show_passes_the_test_that_they_show(module, test, modules, request):
    function = getattr(modules[module], test)
    wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
    function(*(request.getfixturevalue(name) for name in wanted))


# Code of one's own, as docs/extending.md shows it


def test_a_file_of_ones_own_that_the_docs_show_does_what_they_say(folder, batch_of, monkeypatch):
    monkeypatch.setattr(tinyreason.own_code.reference, "ALLOWED", set())
    monkeypatch.setattr(tinyreason.own_code.leaf, "ALLOWED", tinyreason.own_code.reference.ALLOWED)
    write_files("docs/extending.md")
    config = read_recipe("my_recipe.yaml").resolve("sandbox")
    with pytest.raises(ConfigError, match="--allow-code"):
        config.data.load()
    allow_code(config)
    assert [example.answer for example in config.data.load()[:3]] == ["2", "3", "4"]
    batch = batch_of(["\\boxed{2}", "\\boxed{2} or \\boxed{3}"], correct=[1.0, 0.0])
    assert config.rewards[1](batch, Store()).tolist() == pytest.approx([1.1, 0.0])
    batch.reward = torch.tensor([1.0, 0.25])
    assert config.advantage(batch, batch.reward, Store()).tolist() == [0.0, -0.75]
    chosen = config.samplers[0].choose(config.data.load(), 8, Random(0), Store())
    assert chosen == [1, 2, 3, 4, 5, 6, 7, 8]
    (build,) = (words for page, words in LINES if "./my_teacher.py:teach" in words)
    done = run(build)
    assert done.exit_code == 0 and len(Path("solutions.jsonl").read_text().splitlines()) == 5, done.output
