"""What follows where a person gives a file to train on: what the recipe chose for its own data is not the file's."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from tinyreason.errors import DataError


def take_training_file(values: dict[str, Any], given: dict[str, Any]) -> None:
    """Fits the recipe's values, in place, to the training file among the values that are given: path → value.

    A file of critiques takes the place of those that would be built. With critiques to learn from, a model is evaluated
    on the generated problems that the recipe had, where they suit it.
    """
    file, data = given.get("data.file"), values.get("data")
    if not isinstance(file, str) or not isinstance(data, dict):
        return
    from tinyreason.data.critiques import holds_critiques

    is_given = {path.partition(".")[0] for path in given}
    if values.get("critiques") and "critiques" not in is_given and "data.kind" not in given:
        with suppress(DataError):  # a file that cannot be read is refused where it is read
            if holds_critiques(Path(file)):
                values["critiques"] = None
                data = values["data"] = {"name": data.get("name"), "kind": "critiques"}
    evaluation = values.get("evaluation") or {}
    has_test = any(f"{path}.".startswith("evaluation.data.") for path in given)
    is_free = not has_test and isinstance(evaluation, dict) and not evaluation.get("data")
    if is_free and _asks_generated(values, given, data):
        values["evaluation"] = evaluation | {"data": {"kind": "problems", "name": data["name"]}}


def _asks_generated(values: dict[str, Any], given: dict[str, Any], data: dict[str, Any]) -> bool:
    """Returns whether the model was to learn from critiques of generated problems that suit it."""
    from tinyreason.data import world_of

    model = values.get("model")
    name = given.get("model.name", model.get("name") if isinstance(model, dict) else None)
    if data.get("kind") != "critiques" or not isinstance(name, str) or not isinstance(data.get("name"), str):
        return False
    world = world_of(data["name"])
    return world is not None and (world.suits_any_model or world is world_of(name))
