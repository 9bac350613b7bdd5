"""Names the type of a tensor for annotations. It imports torch for type checkers alone: leaves load at once."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor as Tensor
else:
    Tensor = Any
