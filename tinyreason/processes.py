"""Several processes that make one run together: who this one is, what is shared out, what the main one does alone.

Each holds the whole model and takes every step. What is dear is shared out by rows and gathered in their order, so that
all know the same afterwards. What might come out otherwise a second time (a timer, a grader, a file), or must not
happen twice, is the main process's alone, which tells the others. Everything goes over gloo, through the CPU's memory.
Only this file knows of ranks; with one process it does nothing, and torch.distributed is not touched.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from tinyreason.errors import Stopped
from tinyreason.tensors import Tensor

T = TypeVar("T")
LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun and accelerate set. Hidden once all have met: a library that sees it shares out the work itself."""
PATIENCE = timedelta(days=7)
"""So long one waits for another, which may evaluate or build; one that has died is noticed at once."""


@dataclass
class Processes:
    """The processes of a run."""

    rank: int = 0
    """0 = the main one."""
    count: int = 1
    alone: int = 0
    """How many calls deep the main process is in what it does alone."""
    obituary: Callable[[], str] = field(default=lambda: "another process of this run has ended")
    """Says which process has ended, and how."""


_group = Processes()


def count() -> int:
    """Returns how many processes share what is done now."""
    return 1 if _group.alone else _group.count


def is_main() -> bool:
    """Returns whether this process is the one that writes, says and decides."""
    return _group.rank == 0


def launched() -> tuple[int, int] | None:
    """Returns (rank, how many) where torchrun or accelerate has started several processes; None elsewhere."""
    many = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")), many) if many > 1 else None


@contextmanager
def meeting(obituary: Callable[[], str] | None = None, at: tuple[Any, int, int] | None = None) -> Iterator[None]:
    """Meets the others of the run and leaves them at the end; `at`: (store, rank, how many), else as launched.

    Errors: `Stopped` inside, from whatever is shared, where another process has ended.
    """
    import torch.distributed as dist

    store, rank, many = at or (None, *launched())
    with _hearing_of_deaths():
        dist.init_process_group("gloo", store=store, rank=rank, world_size=many, timeout=PATIENCE)
    for name in LAUNCHED:
        os.environ.pop(name, None)
    _group.rank, _group.count = rank, many
    if obituary:
        _group.obituary = obituary
    try:
        yield
    finally:
        dist.destroy_process_group()
        vars(_group).update(vars(Processes()))


def by_main(compute: Callable[[], T]) -> T:
    """Returns what `compute` returns in the main process, to all of them; the others do not call it."""
    if count() == 1:
        return compute()
    import torch.distributed as dist

    told: list[Any] = [None]
    if is_main():
        _group.alone += 1
        try:
            told = [compute()]
        finally:
            _group.alone -= 1
    with _hearing_of_deaths():
        dist.broadcast_object_list(told, src=0)
    return told[0]


class ByMain(Generic[T]):
    """Stands for an object whose every method is called in the main process alone, and answers to all."""

    def __init__(self, it: T):
        self.it = it

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *values, **named: by_main(lambda: getattr(self.it, name)(*values, **named))


def share(total: int) -> range:
    """Returns which of `total` rows this process takes, in one piece; all of them where there are fewer than shares."""
    if total < count():
        return range(total)
    return range(_group.rank * total // count(), (_group.rank + 1) * total // count()) if count() > 1 else range(total)


def dealt(rows: Sequence[T]) -> Sequence[T]:
    """Returns those of the rows that this process takes, dealt in turn."""
    return rows[_group.rank :: count()] if count() > 1 else rows


def dealt_to_us(number: int) -> bool:
    """Returns whether the row of this number is one of those."""
    return number % count() == _group.rank % count()


def gather(mine: T) -> list[T]:
    """Returns what each process gives, the main one's first."""
    if count() == 1:
        return [mine]
    import torch.distributed as dist

    found: list[Any] = [None] * count()
    with _hearing_of_deaths():
        dist.all_gather_object(found, mine)
    return found


def others(parts: list[T]) -> list[T]:
    """Returns of what was gathered that of the other processes."""
    return [part for rank, part in enumerate(parts) if rank != _group.rank] if len(parts) > 1 else []


def add_up(tensors: list[Tensor]) -> None:
    """Replaces every tensor by its sum over the processes, in float32, the same bits in each of them."""
    import torch
    import torch.distributed as dist

    flat = torch.cat([tensor.detach().float().flatten().cpu() for tensor in tensors])
    with _hearing_of_deaths():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


@contextmanager
def _hearing_of_deaths() -> Iterator[None]:
    """Turns a connection that breaks into one sentence, `Stopped`: what the run has saved is whole."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" in str(error):
            raise
        raise Stopped(_group.obituary()) from None
