"""Holds what both rewards of L1 share: a number of tokens that the prompt asks for, for all problems or for each."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from tinyreason.algorithms.rewards._reward import Reward, check_fits
from tinyreason.example import Example
from tinyreason.rollout import Batch
from tinyreason.tensors import Tensor

Tokens = Annotated[int, Field(ge=1)]


class TokenTarget(Reward):
    """Names a length in the prompt."""

    reads_length: ClassVar[bool] = True
    asks_for_tokens: ClassVar[bool] = True

    target_tokens: Tokens | tuple[Tokens, Tokens]
    """n, the tokens asked for; [lowest, highest] samples one for each problem."""

    def target(self, problem_id: str) -> int:
        """Returns the tokens asked for of a problem, the same at every visit."""
        if isinstance(self.target_tokens, int):
            return self.target_tokens
        return random.Random(problem_id).randint(*self.target_tokens)

    def targets(self, batch: Batch) -> Tensor:
        """Returns (N,) the tokens asked for."""
        return batch.correct.new_tensor([self.target(example.id) for example in batch.examples])

    def ask(self, example: Example) -> Example:
        """Returns the problem with the request for its number of tokens at its end."""
        *earlier, last = example.messages
        said = last["content"] + self.suffix.replace("{n}", str(self.target(example.id)))
        return replace(example, messages=(*earlier, last | {"content": said}))

    def check(self, run, path: str) -> None:
        highest = self.target_tokens if isinstance(self.target_tokens, int) else self.target_tokens[1]
        if not isinstance(self.target_tokens, int) and self.target_tokens[0] > highest:
            raise ValueError(f"{path}.target_tokens={list(self.target_tokens)} is not a range; give [lowest, highest]")
        check_fits(f"{path}.target_tokens", highest, run)


def ask_for_tokens(rewards: Sequence[Reward], examples: list[Example]) -> list[Example]:
    """Returns the examples as the rewards want them put: with a number of tokens in the prompt if one sets it."""
    for reward in rewards:
        if reward.asks_for_tokens:
            return [reward.ask(example) for example in examples]
    return examples
