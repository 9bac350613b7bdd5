"""Asks a teacher of the person's own, in a file or package of theirs."""

from typing import ClassVar

from pydantic import Field

from tinyreason.errors import ConfigError, TeacherError
from tinyreason.own_code.leaf import OwnLeaf
from tinyreason.teachers.request import Answer, Work
from tinyreason.teachers.teacher import Teacher


class OwnTeacher(OwnLeaf, Teacher):
    """Asks `teach(prompt, **meta)` of a file for each request, one after the other."""

    group: ClassVar[str] = "tinyreason.teachers"
    reads_instructions: ClassVar[bool] = True
    decides: ClassVar[tuple[str, ...]] = ("code_sha256", "options")

    time_limit_s: float = Field(600.0, gt=0)
    """Seconds that an answer may take."""

    def check_ready(self) -> None:
        """Loads the code. Errors: `TeacherError`, or `ConfigError` where it is not allowed."""
        if self.is_allowed:
            self.started()

    def answer(self, work: Work) -> None:
        own = self.started()
        for request in work.requests:
            known = {
                "messages": [dict(message) for message in request.messages],
                "problem": request.example.problem,
                "gold": request.example.answer,
                "attempt": request.attempt.text if request.attempt else None,
            }
            try:
                text = own.call(request.messages[-1]["content"], **known)
            except ConfigError as error:
                raise TeacherError(str(error)) from None
            if text is not None and not isinstance(text, str):
                raise TeacherError(f"{own.where()} returned a {type(text).__name__}; return text, or None.")
            work.deliver(Answer(request.id, text, fault="" if text else f"{self.kind} gave no answer"))

    def started(self):
        """Returns the process. Errors: `TeacherError` for a class like ours, whose answers come as they arrive."""
        try:
            own = self.process()
        except ConfigError as error:
            raise (TeacherError(str(error)) if self.is_allowed else error) from None
        if own.is_leaf:
            raise TeacherError(f"{own.where()} is a class of options; give a function teach(prompt, **meta) -> str.")
        return own
