"""Puts a problem to a model: the message layout, the same in training and evaluation."""

from tinyreason.example import Example

BOXED = "\nReason step by step, then give the final answer inside \\boxed{{}}."
THINK_ANSWER = "\nReason inside <think> </think>, then give the final answer inside <answer> </answer>."
SELF_ASKED = " the answer, inside \\boxed{{}}."
OTHER = "A baker fills 3 trays with 12 rolls each, and sells 20. How many rolls are left?"
SOLVED = "The trays hold 3 * 12 = 36 rolls. Of these 36 - 20 = 16 are left. \\boxed{{16}}"
"""The one worked example of prompts with examples; it stands in no set, so in no test."""
PROMPTS = {
    "plain": "{problem}",
    "boxed": f"{{problem}}{BOXED}",
    "boxed_system": "{problem}",
    "re2": f"{{problem}}\nRead the question again: {{problem}}{BOXED}",
    "self_ask": "{problem}\nAsk yourself what has to be known first, as often as needed, in this form:\n"
    "Are follow up questions needed here: Yes.\nFollow up: a question\nIntermediate answer: its answer\n"
    f"So the final answer is:{SELF_ASKED}",
    "one_shot_cot": f"{{problem}}\n\nThis is how another problem is solved.\nProblem: {OTHER}\nSolution: {SOLVED}\n\n"
    f"Solve the first problem in the same way.{BOXED}",
    "right_wrong": f"{{problem}}\n\nThese are two solutions of another problem.\nProblem: {OTHER}\n"
    f"Correct solution: {SOLVED}\nIncorrect solution: 20 - 12 = 8 are left. \\boxed{{{{8}}}}\n\n"
    f"Solve the first problem.{BOXED}",
    "concepts": "{problem}\n\nFirst name the concepts that it needs, recall a similar problem and how it is solved, "
    f"then solve the problem, and check the answer. For another one this reads:\nProblem: {OTHER}\nConcepts: equal "
    "groups are multiplied; what is taken away is subtracted.\nSimilar problem: 2 bags of 5 nuts, 3 are eaten: 2 * 5 "
    f"- 3 = 7.\nSolution: {SOLVED}\nCheck: 16 + 20 = 36 = 3 * 12.\n\nNow the first problem.{BOXED}",
    "think_answer": f"{{problem}}{THINK_ANSWER}",
    "confidence": "{problem}\nReason inside <think> </think>, then give the final answer inside <answer> </answer>, "
    "then how sure you are that it is right, a number from 0 to 1, inside <confidence> </confidence>.",
}
"""A name → what is put to the model. `re2` is RE2's (arXiv 2309.06275), with the request of `boxed`; `self_ask` has
the lines of self-ask (arXiv 2210.03350), without examples; `one_shot_cot`, `right_wrong` and `concepts` show one worked
example, alone, beside an incorrect one, or with the concepts that it needs. Not checked against papers: what any gains,
and the words; the example stands behind the problem, as exports write what follows a problem, not what precedes it."""
ASKED = {
    "boxed": ("\\boxed", BOXED),
    "re2": ("\\boxed", BOXED),
    "self_ask": ("\\boxed", SELF_ASKED),
    **dict.fromkeys(("one_shot_cot", "right_wrong", "concepts"), ("\\boxed", BOXED)),
    "think_answer": ("<answer>", THINK_ANSWER),
}
"""Prompt → what stands in a problem that asks for the same by itself, and the request that is then left out."""
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
    if last["role"] != "user":
        return [*history, last]  # what a tool returned
    layout, (mark, request) = PROMPTS[prompt], ASKED.get(prompt, ("\0", ""))
    if mark in last["content"]:
        layout = layout.removesuffix(request)  # the data set already asks for it
    return [*history, {**last, "content": layout.format(problem=last["content"])}]
