"""What a model is made to say where its thought would end too soon: an adapter's own token, or a word."""

from tinyreason.adapters import learnt_row
from tinyreason.algorithms.rollouts import ThoughtBudget
from tinyreason.errors import ModelError
from tinyreason.grading.thought import CLOSE


def forcing_of(model, tokenizer, budget: ThoughtBudget | None):
    """Returns the `Forcing` of a loaded model, None without a budget; a disabled adapter's token is not put in.

    Errors: `ModelError` where the tokenizer has no single token that ends a thought.
    """
    from tinyreason.inference.engines.forcing import Forcing

    if budget is None:
        return None
    learnt = learnt_row(model)
    put = (learnt[0],) if learnt else tuple(tokenizer(budget.word, add_special_tokens=False)["input_ids"])
    return Forcing(closing_token(tokenizer), put, budget.budget, budget.most)


def closing_token(tokenizer) -> int:
    """Returns the number of `</think>`. Errors: `ModelError` where that is not one token."""
    ids = tokenizer(CLOSE, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise ModelError(
            f"{CLOSE} is {len(ids)} tokens to this model's tokenizer, and budget forcing needs it to be one; choose a "
            f"model that thinks in {CLOSE}, as Qwen3 or an R1 distillate, or leave budget forcing out."
        )
    return ids[0]
