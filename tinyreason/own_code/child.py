"""What runs in the process of code of the person's own: it loads the code, calls it, and says what came or went wrong.

Messages are pickles. `("load", reference, options)` is answered once; then each `("call", …)`.
"""

import faulthandler
import hashlib
import inspect
import pickle
import random
import signal
import sys
import traceback
import types
from multiprocessing.connection import Connection
from typing import Any

from tinyreason.own_code.reference import CodeReference

LOAD_S = 120.0
"""Seconds in which the code must be loaded, torch included."""


class Loaded:
    """The person's function or object, and how it wants to be called."""

    def __init__(self, reference: CodeReference, options: dict[str, Any]):
        self.reference, self.options = reference, {}
        target = from_file(reference) if reference.file else from_package(reference)
        self.line = line_of(target)
        if not callable(target):
            raise ValueError(f"it is a {type(target).__name__}, neither a function nor a class")
        check_taken(target, options)
        if inspect.isclass(target):
            self.is_leaf = hasattr(target, "model_fields")
            if self.is_leaf and reference.group != "tinyreason.data":
                import torch  # noqa: F401  it is asked about tensors, and no call should pay for importing them
            target = target(**options)
        else:
            self.is_leaf, self.options = False, options
        self.target = target

    def call(self, method: str | None, state: dict | None, args: tuple, known: dict[str, Any]) -> tuple[Any, dict]:
        """Returns what the code returns, and what its store holds afterwards."""
        from tinyreason.store import Store

        function = getattr(self.target, method) if method else self.target
        store = Store(state)
        if self.is_leaf:
            return plain(function(*args, *([] if state is None else [store]))), store.state
        return plain(function(*args, **accepted(function, known), **self.options)), {}


def answer_calls(connection: Connection, dump: str) -> None:
    """Answers the messages of the run until it ends; `dump` is the file for the traceback of what takes too long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C lets the run finish its step
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    loaded = None
    with open(dump, "w") as file:
        while True:
            try:
                what, limit_s, *message = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                return
            reference = message[0] if what == "load" else loaded.reference
            faulthandler.dump_traceback_later(limit_s, exit=True, file=file)
            try:
                if what == "load":
                    loaded = Loaded(*message)
                    found = loaded.is_leaf, loaded.line
                else:
                    seed, *call = message
                    random.seed(seed)  # so that a resumed run computes the same
                    found = loaded.call(*call)
                answer = pickle.dumps(("done", found))
            except BaseException as error:
                answer = pickle.dumps(("failed", in_words(error, reference)))
            faulthandler.cancel_dump_traceback_later()
            connection.send_bytes(answer)


def from_file(reference: CodeReference) -> Any:
    """Runs a file and returns what has the name in it. Errors: `ValueError` where it is not the file it was."""
    file = reference.file.resolve()
    text = file.read_bytes()
    if hashlib.sha256(text).hexdigest() != reference.sha256:
        raise ValueError("the file has changed since the run was begun")
    module = types.ModuleType(f"own_code_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(file.parent))
    exec(compile(text, str(file), "exec"), vars(module))
    return getattr(module, reference.name)


def from_package(reference: CodeReference) -> Any:
    """Returns what an installed package has under the name."""
    from importlib import metadata

    (point, *_) = metadata.entry_points(group=reference.group, name=reference.kind)
    return point.load()


def line_of(target: Any) -> int:
    """Returns the line on which a function or class begins; 0 where it is not known."""
    try:
        code = inspect.unwrap(target)
        return code.__code__.co_firstlineno if hasattr(code, "__code__") else inspect.getsourcelines(code)[1]
    except (OSError, TypeError):
        return 0


def check_taken(target: Any, options: dict[str, Any]) -> None:
    """Refuses options that the function or class does not name. Errors: `ValueError`."""
    if hasattr(target, "model_fields"):
        named = [name for name in target.model_fields if name != "kind"]
    else:
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        named = [name for name, one in inspect.signature(target).parameters.items() if one.kind in kinds]
    unknown = [name for name in options if name not in named]
    if unknown:
        raise ValueError(f"it takes no option '{unknown[0]}'; it takes {', '.join(named) or 'none'}")


def accepted(function: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Returns what of the known facts a function asks for by name; all where it has `**meta`."""
    parameters = inspect.signature(function).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return known
    return {name: value for name, value in known.items() if name in parameters}


def plain(value: Any) -> Any:
    """Returns tensors and arrays as lists, and what is iterated over as a list."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if inspect.isgenerator(value) or isinstance(value, map | filter | zip | tuple) else value


def in_words(error: BaseException, reference: CodeReference) -> str:
    """Returns ` line 7: ZeroDivisionError: division by zero`: the deepest line of the person's file, and the error."""
    said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}".strip(": ")
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}: {said}"
    file = str(reference.file.resolve()) if reference.file else ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if lines and type(error) is ValueError:
        said = f"ValueError: {said}"
    return f" line {lines[-1]}: {said}" if lines else f": {said}"
