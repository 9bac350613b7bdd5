"""Tells what is thought from what is said in a completion, in either of the notations that models write."""

OPEN, CLOSE = "<think>", "</think>"
"""Around a thought, as Qwen3, SmolLM3 and the R1 distillates write it."""
CHANNEL, MESSAGE = "<|channel|>", "<|message|>"
"""Before and behind a channel's name, as gpt-oss writes it."""
ANALYSIS, FINAL = f"{CHANNEL}analysis{MESSAGE}", f"{CHANNEL}final{MESSAGE}"
"""Before the thought, and before the answer."""
NEXT_MESSAGE = "<|end|><|start|>assistant"
"""Between the two."""


def said(completion: str, is_thought_open: bool = False) -> str | None:
    """Returns what a completion says after its thought; None where the thought never ends.

    `is_thought_open`: whether the prompt ended in `<think>`, so that the completion begins in a thought.
    """
    if CHANNEL in completion:
        _, found, answer = completion.rpartition(FINAL)
        return answer if found else None
    _, closed, answer = completion.rpartition(CLOSE)
    return None if not closed and (is_thought_open or OPEN in answer) else answer


def closings(completion: str) -> list[str]:
    """Returns what stands before, between and after all that ends a thought, in the completion's own notation."""
    return completion.split(FINAL if CHANNEL in completion else CLOSE)


def never_ends(completion: str) -> bool:
    """Returns whether a thought is opened that is not closed."""
    if CHANNEL in completion:
        return FINAL not in completion
    return completion.count(OPEN) > completion.count(CLOSE)


def thought_and_answer(completion: str) -> tuple[str, str] | None:
    """Returns what is thought and what is said where a thought ends exactly once; else None.

    `<think>` may be missing, as a prompt can end in it.
    """
    thought, *answers = closings(completion)
    is_thought = CHANNEL not in completion or ANALYSIS in thought
    return (thought, answers[0]) if len(answers) == 1 and is_thought else None


def thinks(completion: str, is_thought_open: bool = False) -> bool:
    """Returns whether anything stands in a completion's thought, or in one that never ends."""
    if CHANNEL in completion:
        return ANALYSIS in completion
    thought, closed, _ = completion.rpartition(CLOSE)
    if not closed:
        return is_thought_open or OPEN in completion
    return bool(thought.replace(OPEN, "").replace(CLOSE, "").strip())


def as_written(completion: str, prompt: str, template: str) -> str:
    """Returns a completion to learn from as the model of this chat template writes it behind the prompt.

    What is said stands outside the thought, whether the template opens one by itself or has channels.
    """
    if CHANNEL in template and CHANNEL not in completion:
        thought, _, answer = completion.rpartition(CLOSE)
        thought = thought.replace(OPEN, "").strip()
        return (f"{ANALYSIS}{thought}{NEXT_MESSAGE}" if thought else "") + FINAL + answer.lstrip()
    if prompt.rstrip().endswith(OPEN):
        inside = completion.removeprefix(OPEN)
        is_thought = inside != completion or CLOSE in completion
        return inside.lstrip("\n") if is_thought else f"{CLOSE}\n\n{completion}"
    return completion
