"""What follows the trained numbers from step to step: an average that trails them, a way back after several steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

SURE = 30
"""So many entropies are compared with the newest one of them."""
UNUSUAL = 1.0
"""So many standard deviations above their mean it says that the policy has changed its way."""


class Follower(TrainerCallback):
    """Holds copies of the trained numbers that a checkpoint has to hold too."""

    def __init__(self, model: nn.Module):
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.copies = self.present()
        """Of each trained tensor, on its device."""

    def present(self) -> list[Tensor]:
        """Returns copies of the trained numbers as they are."""
        return [parameter.detach().clone() for parameter in self.trained]

    def state(self) -> dict[str, Any]:
        """Returns what is to be restored, tensors and numbers."""
        return {"copies": self.copies}

    def restore(self, state: dict[str, Any]) -> None:
        """Sets what `state` returned."""
        self.copies = [copy.to(own.device) for copy, own in zip(state["copies"], self.trained, strict=True)]


class RunningAverage(Follower):
    """Averages the trained numbers over the steps: after each one a ← a + rate · (θ − a), beginning at their start."""

    def __init__(self, model: nn.Module, rate: float):
        super().__init__(model)
        self.rate = rate

    def on_step_end(self, args, state, control, **_: Any) -> None:
        for copy, parameter in zip(self.copies, self.trained, strict=True):
            copy.lerp_(parameter.detach(), self.rate)

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Has the model compute with the average in place of the trained numbers inside. Take no gradient there."""
        own = [parameter.data for parameter in self.trained]
        self.set(self.copies)
        try:
            yield
        finally:
            self.set(own)

    def set(self, tensors: list[Tensor]) -> None:
        """Has the trained parameters hold these tensors."""
        for parameter, tensor in zip(self.trained, tensors, strict=True):
            parameter.data = tensor


class Reposition(Follower):
    """Steps back before the last update on each batch of rollouts: θ ← θ0 + α (θ − θ0), as SFPO does.

    `updates` steps are taken on a batch; θ0 is where its first one began. Once the entropy of the newest batch is
    `UNUSUAL` standard deviations above the mean of the last `SURE`, itself included, α is 0 for good: the last update
    is then the only one that counts, as in plain GRPO.
    """

    def __init__(self, model: nn.Module, alpha: float, updates: int, tell: Callable[[str, float], None]):
        super().__init__(model)
        self.alpha, self.updates, self.tell = alpha, updates, tell
        self.entropies: list[float] = []

    def on_step_begin(self, args, state, control, **_: Any) -> None:
        if state.global_step % self.updates == 0:
            self.copies = self.present()

    def on_step_end(self, args, state, control, **_: Any) -> None:
        if state.global_step % self.updates != self.updates - 1:
            return
        self.tell("reposition/alpha", self.alpha)
        for start, parameter in zip(self.copies, self.trained, strict=True):
            parameter.data.copy_(torch.lerp(start, parameter.data, self.alpha))

    def on_log(self, args, state, control, logs: dict[str, Any], **_: Any) -> None:
        if "entropy" not in logs or state.global_step % self.updates != 1:
            return
        self.entropies = [*self.entropies, logs["entropy"]][-SURE:]
        if len(self.entropies) == SURE and is_unusual(self.entropies):
            self.alpha = 0.0

    def state(self) -> dict[str, Any]:
        return super().state() | {"entropies": self.entropies, "alpha": self.alpha}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.entropies, self.alpha = state["entropies"], state["alpha"]


def is_unusual(values: list[float]) -> bool:
    """Returns whether the last of these lies `UNUSUAL` population standard deviations above their mean, or more."""
    found = torch.tensor(values, dtype=torch.float64)
    deviation = found.std(correction=0)
    return bool(deviation > 0 and (found[-1] - found.mean()) / deviation >= UNUSUAL)
