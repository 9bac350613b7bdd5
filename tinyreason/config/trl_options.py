"""The options that TRL's own configs have, read from the installed source: TRL is not imported, which takes seconds."""

import ast
import difflib
from functools import cache
from importlib import util
from pathlib import Path

FILES = (("trl", "trainer/{}_config.py"), ("trl", "trainer/base_config.py"), ("transformers", "training_args.py"))
"""(package, file) that hold the config of a trainer and the classes under it."""


def check_trl_options(given: dict, trainer: str) -> None:
    """Refuses an option under `trl:` that TRL's config of this trainer does not have. Errors: `ValueError`."""
    known = trl_options(trainer) if given else None
    for name in given if known else ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean 'trl.{near[0]}'?" if near else f"; those of TRL's {class_name(trainer)} are allowed"
            raise ValueError(f"there is no option trl.{name}{hint}")


@cache
def trl_options(trainer: str) -> frozenset[str] | None:
    """Returns the options of TRL's config of a trainer; None where its source is not as expected, so TRL must say."""
    classes = {}
    for package, file in FILES:
        spec = util.find_spec(package)
        path = Path(spec.submodule_search_locations[0], file.format(trainer)) if spec else Path()
        if not path.is_file():
            return None
        body = ast.parse(path.read_text(encoding="utf-8")).body
        classes |= {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    found, pending = set(), [class_name(trainer)]
    while pending:
        node = classes.get(pending.pop())
        if node is None:
            return None
        found |= {line.target.id for line in node.body if isinstance(line, ast.AnnAssign)}
        pending += [ast.unparse(base) for base in node.bases]
    return frozenset(found)


def class_name(trainer: str) -> str:
    """Returns the name of TRL's config of a trainer."""
    return f"{trainer.upper()}Config"
