"""Files that are written whole or not at all, outlast a power cut, and have one writer."""

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO


def write_text(path: Path, text: str, is_durable: bool = True) -> None:
    """Writes the text beside the file, syncs it, and puts it in the file's place. Errors: `OSError`.

    `is_durable=False` syncs nothing: whole or not at all, but a power cut may take it.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        with open(beside, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if is_durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Makes what was written to a file, or the names in a folder where the system allows that, outlast a power cut.

    Windows opens no folder, and syncs only what is open for writing.
    """
    is_folder = path.is_dir()
    with suppress(OSError) if is_folder else nullcontext():
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock(file: IO) -> None:
    """Holds an open file for this process, not its children, until it is closed; Windows goes without.

    Errors: `BlockingIOError` where another process holds it.
    """
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise BlockingIOError(f"{file.name} is locked") from None
        except OSError:  # a file system without locks
            pass
