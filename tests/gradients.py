"""Short trainings whose gradients are kept and compared."""

from contextlib import contextmanager

import torch
from sessions import said, session_of
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe
from tinyreason.trainers import shared_prefixes


@contextmanager
def gradients():
    """The gradients that the optimizer is given, in a list that fills."""
    found = []

    def take(optimizer, args, kwargs) -> None:
        found.append([p.grad.clone() for group in optimizer.param_groups for p in group["params"]])

    handle = register_optimizer_step_pre_hook(take)
    try:
        yield found
    finally:
        handle.remove()


def train(load, folder, recipe: str, *overrides: str, change=lambda model: None, said_of="memory"):
    """(gradients of each step, rollouts, what was said, what `change` returned) of a training of a changed model."""
    config = read_recipe(recipe).resolve("sandbox", overrides)
    model, tokenizer = load()
    model = config.adapter.attach(model, 0, tokenizer)
    for name, parameter in model.named_parameters():  # B starts at zero, where A has no gradient
        if parameter.requires_grad and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    changed = change(model)
    with session_of(config, folder, model=model, tokenizer=tokenizer) as session, gradients() as found:
        trainers.train(session, config.data.load(), lambda step, metrics: {})
        rows = session.folder.read_rows("rollouts.jsonl")
    heard = [line for line in said(session.context).splitlines() if said_of in line]
    return found, [row["completion"] for row in rows], heard, changed


def assert_close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        scale = max(gradient.abs().max() for gradient in other)
        assert scale > 0
        for a, b in zip(one, other, strict=True):
            assert (a - b).abs().max() <= 1e-5 * scale


def fill_up(model, place: str, most_rows: int, spared: int = 0) -> list[int]:
    """The model overflows at `place` with more rows, but not the first `spared` times; returns the rows it had."""
    overflows, passed, packed = [], [], []
    pack = shared_prefixes.pack_rows

    def packing(ids, *more):
        packed.append(len(ids))
        return pack(ids, *more)

    shared_prefixes.pack_rows = packing

    def rows_in(hidden, more) -> int:
        return len(hidden) if more.get("shares") is None else packed[-1]

    def overflow(rows: int) -> None:
        if len(passed) < spared:
            passed.append(rows)
            return
        overflows.append(rows)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")

    def before(layer, inputs, more) -> None:
        rows = rows_in(inputs[0], more)
        if place == "scoring" and not torch.is_grad_enabled() and rows > most_rows:
            overflow(rows)

    def after(layer, inputs, more, output) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        rows = rows_in(hidden, more)
        if place == "backward" and hidden.requires_grad and rows > most_rows:
            hidden.register_hook(lambda gradient: overflow(rows))

    layer = next(module for name, module in model.named_modules() if name.endswith("layers.0"))
    layer.register_forward_pre_hook(before, with_kwargs=True)
    layer.register_forward_hook(after, with_kwargs=True)
    return overflows
