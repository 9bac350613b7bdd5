"""Short trainings whose gradients are kept and compared."""

from contextlib import contextmanager

import torch
from sessions import said, session_of
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tinyreason import trainers
from tinyreason.config.recipe import read_recipe


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
    model = config.adapter.attach(model, 0)
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
