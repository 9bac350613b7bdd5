"""The model that teaches a distillation: what its name means, and its weights beside the student's."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinyreason.config.model import Model
from tinyreason.config.run_config import RunConfig
from tinyreason.config.train_distill import SELF, STAGE, TeacherModel
from tinyreason.errors import ModelError
from tinyreason.inference.local_sampling import load_with_adapter
from tinyreason.inference.model_reference import ModelReference, read_model_reference
from tinyreason.models.load import loading, source_of
from tinyreason.models.token_fit import read_tokenizer


def teacher_reference(teacher: TeacherModel, student: Model) -> ModelReference | None:
    """Returns what a teacher's name means; None for the student itself.

    `stage` is the student's base here: its adapter is there when the stage has ended. Errors: `FolderError`,
    `ModelError`.
    """
    if teacher.name == SELF:
        return None
    own = {"quantize": teacher.quantize, "dtype": teacher.dtype}
    if teacher.name == STAGE:
        return ModelReference(STAGE, student.model_copy(update=own))
    with naming_the_teacher():
        found = read_model_reference(teacher.name, teacher.trust_remote_code)
    file = teacher.gguf_file or found.model.gguf_file
    changed = found.model.model_copy(update=own | {"gguf_file": file})
    return ModelReference(found.name, changed, found.adapter, found.run)


def load_teacher(config: RunConfig, tokenizer) -> Any:
    """Returns the teacher of a run, frozen; None where it has none beside the student.

    Errors: `ModelError`, before any weight is read where its tokenizer is not the student's.
    """
    if config.teacher_model is None or (found := teacher_reference(config.teacher_model, config.model)) is None:
        return None
    with naming_the_teacher(), loading(found.model):
        theirs = read_tokenizer(source_of(found.model), found.model, needs_template=False)
    check_same_tokens(config, tokenizer.get_vocab(), theirs.get_vocab())
    with naming_the_teacher():
        model, _ = load_with_adapter(found.model, found.adapter, needs_template=False)
    return model.requires_grad_(False).eval()


def check_same_tokens(config: RunConfig, ours: dict[str, int], theirs: dict[str, int]) -> None:
    """Refuses a teacher that does not know each of the student's tokens by the same number. Errors: `ModelError`."""
    for token, number in ours.items():
        if theirs.get(token) != number:
            there = "not there" if token not in theirs else f"number {theirs[token]}"
            raise ModelError(
                f"teacher_model.name={config.teacher_model.name} has another tokenizer than "
                f"model.name={config.model.name}: token {token!r}, number {number}, is {there}; choose a teacher of "
                f"the student's own family."
            )


@contextmanager
def naming_the_teacher() -> Iterator[None]:
    """Has an error inside name the teacher's options, not the student's."""
    try:
        yield
    except ModelError as error:
        raise ModelError(re.sub(r"(?<![\w.])model\.(?=\w+=)", "teacher_model.", str(error))) from None
