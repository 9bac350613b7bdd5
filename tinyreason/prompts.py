"""Puts a problem to a model: the message layout, the same in training and evaluation."""

from tinyreason.example import Example

PROMPTS = {
    "plain": "{problem}",
    "boxed": "{problem}\nReason step by step, then give the final answer inside \\boxed{{}}.",
    "boxed_system": "{problem}",
    "think_answer": "{problem}\nReason inside <think> </think>, then give the final answer inside <answer> </answer>.",
    "confidence": "{problem}\nReason inside <think> </think>, then give the final answer inside <answer> </answer>, "
    "then how sure you are that it is right, a number from 0 to 1, inside <confidence> </confidence>.",
}
ASKED = {"boxed": "\\boxed", "think_answer": "<answer>"}
"""Prompt → what stands in a problem that asks for the same by itself."""
SYSTEMS = {"boxed_system": "Please reason step by step, and put your final answer within \\boxed{}."}
"""The system message of a prompt; this one is Qwen2.5-Math's own, with which 1-shot RLVR trains and evaluates."""

WAYS = (("chat", "plain"), ("chat", "boxed"), ("none", "plain"), ("none", "boxed"))
"""(template, prompt): the ways of asking that the template check compares with the one that a run asks in."""

USUAL_PROMPT_TOKENS = 256
"""What a prompt is taken to have where its data has not been read."""
CRITIQUE_REQUEST = (
    "Here is a problem and somebody's attempt at it. Say where the attempt holds and where it fails, and conclude "
    "whether its answer is right or wrong.\n\nProblem:\n{problem}\n\nAttempt:\n{attempt}"
)
"""The user's message before a critique in training."""


def other_ways(template: str, prompt: str, has_template: bool = True) -> list[tuple[str, str]]:
    """Returns the (template, prompt) that the template check asks in, beside these; without the chat one if none."""
    return [way for way in WAYS if way != (template, prompt) and (has_template or way[0] == "none")]


def chat_messages(example: Example, prompt: str) -> list[dict[str, str]]:
    """Returns the example's messages with its last one put through the named prompt."""
    *history, last = example.messages
    if prompt in SYSTEMS and example.messages[0]["role"] != "system" and not example.meta.get("is_whole_request"):
        history = [{"role": "system", "content": SYSTEMS[prompt]}, *history]
    if example.meta.get("is_whole_request"):
        return [*history, last]
    if ASKED.get(prompt, "\0") in last["content"]:
        return [*history, last]  # the data set already asks for it
    if last["role"] != "user":
        return [*history, last]  # what a tool returned
    return [*history, {**last, "content": PROMPTS[prompt].format(problem=last["content"])}]
