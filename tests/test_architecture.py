"""The walls of the house: who may import whom, one home per library, names that agree, files that fit on a screen."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from tinyreason.adapters import ADAPTERS
from tinyreason.adapters.edits import EDITS
from tinyreason.algorithms.advantages import ADVANTAGES
from tinyreason.algorithms.rewards import REWARDS
from tinyreason.algorithms.rollouts import ROLLOUTS
from tinyreason.algorithms.samplers import SAMPLERS
from tinyreason.algorithms.votes import VOTES
from tinyreason.data import DATA
from tinyreason.data.asks import ASKS
from tinyreason.data.tasks import TASKS
from tinyreason.data.transforms import TRANSFORMS
from tinyreason.grading.graders import GRADERS
from tinyreason.teachers import TEACHERS

PACKAGE = Path(__file__).resolve().parents[1] / "tinyreason"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}

ROWS = (
    {"cli"},
    {"pipeline"},
    {"exporting"},
    {"evaluation", "planning", "synthesis"},
    {"reporting", "trainers"},
    {"inference"},
    {"runs"},
    {"models"},
    {"config"},
    {"teachers"},
    {"data", "adapters", "algorithms"},
    {"sandbox", "grading"},
    {"console", "prompts", "rollout", "intervals", "own_code"},
    {"processes"},
    {"atomic", "child_process", "errors", "example", "leaves", "schema", "store", "tensors"},
)
"""From the top. A folder, or a file of the ground floor, imports from rows strictly below its own, or from itself."""

HOMES = {
    "trl": ("trainers/",),
    "peft": ("adapters/",),
    "datasets": ("data/", "trainers/"),
    "click": ("cli/",),
    "psutil": ("planning/", "models/", "runs/"),
    "jinja2": ("reporting/",),
    "tornado": ("reporting/",),
    "yaml": ("config/", "runs/", "inference/", "data/rollouts.py"),
    "pydantic": (
        "schema.py",
        "own_code/",
        "config/",
        "data/",
        "adapters/",
        "algorithms/",
        "grading/",
        "teachers/",
        "runs/",
        "inference/",
        "evaluation/",
        "planning/",
    ),
    "math_verify": ("grading/",),
    "pebble": ("grading/",),
    "rich": ("console.py",),
    "scipy": ("intervals.py",),
    "httpx": ("teachers/", "inference/engines/connection.py"),
    "tenacity": ("teachers/", "inference/engines/connection.py"),
    "rapidfuzz": ("data/", "evaluation/"),
    "matplotlib": ("reporting/",),
}
FAMILIES = {
    "adapters": ADAPTERS,
    "adapters/edits": EDITS,
    "algorithms/rewards": REWARDS,
    "algorithms/advantages": ADVANTAGES,
    "algorithms/rollouts": ROLLOUTS,
    "algorithms/samplers": SAMPLERS,
    "algorithms/votes": VOTES,
    "data": DATA,
    "data/asks": ASKS,
    "data/tasks": TASKS,
    "data/transforms": TRANSFORMS,
    "grading/graders": GRADERS,
    "teachers": TEACHERS,
}
SHADOWING = {"random": "random_reward", "math": "math_verify", "select": "select_rows"}
"""A kind whose word is a module of the standard library → its file, which has a longer name."""
HEAVY = ("torch", "transformers", "datasets", "pandas", "pyarrow", "trl", "peft", "httpx", "matplotlib")
MOST_LINES_OF_A_FILE = 350
MOST_LINES_OF_A_FUNCTION = 55
MOST_SHARED_NAMES = 9
"""Public names that files of several names may define, as each trainer's `train`; a method may be of two families."""


def imports(file):
    """Every module that a file imports anywhere in it, functions included, as a dotted name."""
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} line {node.lineno}: a relative import; write tinyreason.x"
            if node.module == "tinyreason" or is_folder(node.module):
                yield from (f"{node.module}.{name.name}" for name in node.names)
            else:
                yield node.module


def is_folder(module):
    return module.startswith("tinyreason.") and PACKAGE.joinpath(*module.split(".")[1:]).is_dir()


def part(name):
    """`trainers/grpo.py` and `tinyreason.trainers.grpo` are both of `trainers`."""
    return name.removeprefix("tinyreason.").replace("/", ".").removesuffix(".py").split(".")[0]


def leaves(folder):
    """The modules of a family's folder that define a kind, `kind: Literal["..."]`."""
    return {
        Path(file).stem
        for file, tree in TREES.items()
        if file.rpartition("/")[0] == folder
        and any(
            isinstance(line, ast.AnnAssign) and getattr(line.target, "id", "") == "kind"
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for line in node.body
        )
    }


def row(name):
    found = [number for number, names in enumerate(ROWS) if part(name) in names]
    assert found, f"{part(name)} stands in no row; give it one in {Path(__file__).name}"
    return found[0]


@pytest.mark.parametrize("file", [file for file in TREES if file not in ("__init__.py", "__main__.py")])
def test_a_file_imports_only_from_the_rows_below_it(file):
    wrong = []
    for module in imports(file):
        if module.startswith("tinyreason.") and part(module) != part(file) and row(module) <= row(file):
            wrong.append(module)
    assert not wrong, f"{file} imports {', '.join(wrong)}, which is not below it"


def test_imports_inside_functions_are_seen():
    assert "tinyreason.pipeline.run" in imports("cli/train.py")
    assert "peft" in imports("adapters/lora.py")


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library):
    users = [file for file in TREES if library in {module.split(".")[0] for module in imports(file)}]
    strangers = [file for file in users if not file.startswith(HOMES[library])]
    assert users, f"nothing imports {library} any more; take it out of the list"
    assert not strangers, f"{library} belongs in {', '.join(HOMES[library])}, and {', '.join(strangers)} imports it"


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "recipes",
        "show one_shot_rlvr",
        "check one_shot_rlvr",
        "critiques build --print-prompt",
        "plan tina --gpu t4",
    ],
)
def test_a_command_that_trains_nothing_imports_nothing_heavy(command):
    code = f"""
import runpy, sys
sys.argv = ["tinyreason", *{command.split()!r}]
try:
    runpy.run_module("tinyreason", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("imported", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr.split() == ["imported"]


def test_show_loads_its_own_command_and_builds_the_classes_of_what_it_shows():
    code = """
import sys
from tinyreason.cli.main import main
from tinyreason.schema import Schema
main(["show", "one_shot_rlvr", "--on", "sandbox"], standalone_mode=False)
def below(kind):
    return {kind}.union(*(below(child) for child in kind.__subclasses__()))
parts = ("tinyreason.cli.", "tinyreason.grading.grader")
print(*sorted(name for name in sys.modules if name.startswith(parts)), file=sys.stderr)
print(*(kind.__name__ for kind in below(Schema) if kind.__pydantic_complete__), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, built = done.stderr.splitlines()
    assert loaded.split() == ["tinyreason.cli.main", "tinyreason.cli.options", "tinyreason.cli.recipes"]
    assert sorted(built.split()) == ["Correctness", "DrGrpo", "Lora", "OneShot", "RunConfig", "TrainGrpo"]


def test_recipes_are_listed_without_the_config_classes():
    code = (
        "import sys; from tinyreason.cli.main import main; main(['recipes'], standalone_mode=False); "
        "print('pydantic' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "one_shot_rlvr" in done.stdout and done.stderr.split() == ["False"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_registry_holds_what_its_folder_holds(family):
    assert {SHADOWING.get(kind, kind) for kind in FAMILIES[family]} == leaves(family)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_leaf_imports_no_other_leaf_of_its_family(family):
    modules = {f"tinyreason.{family.replace('/', '.')}.{stem}" for stem in leaves(family)}
    for stem in leaves(family):
        assert not modules & set(imports(f"{family}/{stem}.py"))


def test_no_file_is_called_as_a_module_of_the_standard_library():
    assert not {Path(file).stem for file in TREES} & sys.stdlib_module_names - {"__main__"}


@pytest.mark.parametrize(("family", "kind"), [(family, kind) for family in FAMILIES for kind in FAMILIES[family]])
def test_kind_file_and_class_carry_one_name(family, kind):
    leaf = FAMILIES[family][kind]
    assert leaf.model_fields["kind"].default == kind
    stem = SHADOWING.get(kind, kind)
    assert leaf.__module__ == f"tinyreason.{family.replace('/', '.')}.{stem}"
    assert leaf.__name__ == "".join(word.capitalize() for word in stem.split("_"))


@pytest.mark.parametrize("file", TREES)
def test_a_file_fits_on_a_few_screens_and_a_function_on_one(file):
    lines = (PACKAGE / file).read_text(encoding="utf-8").count("\n")
    long = [
        node.name
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert lines <= MOST_LINES_OF_A_FILE
    assert not long


def test_nothing_is_called_by_a_name_that_says_nothing():
    names = {Path(file).stem.strip("_") for file in TREES} | {part(file) for file in TREES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc"}


@pytest.mark.parametrize("file", TREES)
def test_a_public_function_or_class_says_what_it_is_for(file):
    silent = [
        node.name
        for node in TREES[file].body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent, f"no docstring: {', '.join(silent)}"


def test_the_walls_are_few_and_have_no_exceptions():
    assert len(ROWS) <= 15
    names = [name for row in ROWS for name in row]
    assert len(names) == len(set(names))


def test_hardly_any_public_name_means_two_things():
    where = defaultdict(set)
    for file, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].add(file)
    stems_of = {name: {Path(file).stem for file in files} for name, files in where.items()}  # a kind in two families
    shared = {name: sorted(where[name]) for name, stems in stems_of.items() if len(stems) > 1}
    assert len(shared) <= MOST_SHARED_NAMES, shared


@pytest.mark.parametrize("file", TREES)
def test_a_trainer_is_asked_not_compared_with_a_word(file):
    compared = [
        node.lineno
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.Compare)
        and any(isinstance(side, ast.Attribute) and side.attr == "trainer" for side in (node.left, *node.comparators))
        and any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
    ]
    assert not compared, f"{file}, lines {compared}: ask the section `config.train` what it needs"


def test_what_is_special_about_the_sandbox_is_known_to_its_data_source_and_its_model():
    """Its name is compared with in these files alone; all others ask the tier, the model or the data source."""
    knows = {
        file
        for file, tree in TREES.items()
        if not file.startswith("sandbox/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if (isinstance(side, ast.Constant) and side.value == "sandbox")
        or (isinstance(side, ast.Name) and side.id in ("NAME", "SANDBOX"))
    }
    assert knows <= {"data/_source.py", "models/load.py", "config/model.py"}, knows


def functions(tree):
    """(function, names of its decorators) of every function of a module that says what it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            yield node, " ".join(ast.unparse(decorator) for decorator in node.decorator_list)


@pytest.mark.parametrize("file", TREES)
def test_a_docstring_is_a_sentence_with_its_verb_first(file):
    """`Returns the …`, `Writes a …`; a property may name what it is, and a command speaks to the person."""
    wrong = []
    for node, decorators in functions(TREES[file]):
        text = ast.get_docstring(node)
        if "command" in decorators or "group" in decorators or node.name.startswith("__"):
            continue
        is_verb_first = re.match(r"[A-Z][a-z]+s\b", text) or "property" in decorators
        if not is_verb_first or not text.endswith((".", "…", "?", "`", ")", "]", "}")):
            wrong.append(f"{node.name}: {text.splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("file", TREES)
def test_what_stands_under_a_name_is_a_sentence(file):
    """The strings under fields and constants, which `show` prints: a capital or a symbol first, a full stop last."""
    wrong = [
        f"line {text.lineno}: {text.value.value[:60]}"
        for node in ast.walk(TREES[file])
        if isinstance(body := getattr(node, "body", None), list)
        for field, text in pairwise(body)
        if isinstance(field, ast.Assign | ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
        and (not text.value.value.rstrip().endswith((".", "…")) or re.match(r"[a-z]{2}", text.value.value))
    ]
    assert not wrong, "\n".join(wrong)
