"""What to change where a run does not fit, and what the memory has room for where it does."""

from collections.abc import Callable, Iterator

from tinyreason.errors import TinyReasonError
from tinyreason.planning.plan import Plan

LEAST_HALVED = 256
"""Tokens of a limit below which no shorter one is suggested."""
LEAST_GROUP = 8
"""Rollouts of a step below which its one group is not made smaller."""
DOUBLINGS = {"batch": 3, "training": 2}
"""How often what is larger is doubled at the most: the evaluation's batch changes no result, groups and rows do."""


def nearest_fit(plan: Plan, replan: Callable[[tuple[str, ...]], Plan]) -> tuple[str, ...] | None:
    """Returns `key=value` overrides with which the run fits, none of them idle; None where nothing helps.

    The phase at the peak says which option goes down: first those that change nothing but the time, then the base's
    precision, then fewer and shorter completions. Each suggestion is planned again before it is made.
    """
    changes: dict[str, str] = {}
    while not plan.fits:
        tried = (changes | change for change in smaller_overrides(plan))
        changes = next((more for more in tried if plan_with(replan, more)), {})
        if not changes:
            return None
        plan = plan_with(replan, changes)
    for option in list(changes):
        without = {key: value for key, value in changes.items() if key != option}
        if (fewer := plan_with(replan, without)) and fewer.fits:
            changes = without
    return as_typed(changes)


def as_typed(changes: dict[str, str]) -> tuple[str, ...]:
    """Writes overrides as a person types them: {"train.kl": "0"} → ("train.kl=0",)."""
    return tuple(f"{option}={value}" for option, value in changes.items())


def plan_with(replan: Callable[[tuple[str, ...]], Plan], changes: dict[str, str]) -> Plan | None:
    """Returns the plan with these changes; None where the run would not be valid."""
    try:
        return replan(as_typed(changes))
    except TinyReasonError:
        return None


def smaller_overrides(plan: Plan) -> Iterator[dict[str, str]]:
    """Yields what can still be made smaller for the phase at the peak, the gentlest first."""
    phase = plan.peak.name
    job, section = (plan.job.warmup, "warmup.train") if phase == "warm-up" else (plan.job, "train")
    config, train = job.config, job.config.train
    if phase in ("warm-up", "score", "teach", "backward") and job.micro_rows > 1:
        yield {f"{section}.micro_batch_size": str(largest_divisor_below(job.micro_rows, train.rows_per_step))}
    if phase == "backward" and not job.recomputes:
        yield {"trl.gradient_checkpointing": "true"}
    if phase == "evaluate" and config.evaluation.batch_size > 1:
        yield {"evaluation.batch_size": str(config.evaluation.batch_size // 2)}
    if job.teacher_shape and config.teacher_model.quantize == "none" and job.teacher_compute.dtype.got != "float32":
        yield {"teacher_model.quantize": "nf4"}
    if (
        config.model.quantize == "none"
        and "nf4" in config.adapter.quantized_bases
        and job.compute.dtype.got != "float32"
    ):
        yield {"model.quantize": "nf4"}
    if phase == "generate" and train.rollouts_per_step > min(train.group_size, LEAST_GROUP):
        yield fewer_rollouts(train, job.micro_rows)
    if phase in ("warm-up", "score", "teach", "backward", "generate") and train.token_limit >= LEAST_HALVED:
        yield {f"{section}.{train.tokens_option}": str(train.token_limit // 2)}
    if phase == "evaluate" and config.evaluation.max_completion_tokens >= LEAST_HALVED:
        yield {"evaluation.max_completion_tokens": str(config.evaluation.max_completion_tokens // 2)}


def fewer_rollouts(train, micro_rows: int) -> dict[str, str]:
    """Halves the groups of a step, rounded up, or its one group, with a micro-batch that still divides them."""
    groups = train.rollouts_per_step // train.group_size
    rows = (groups + 1) // 2 * train.group_size if groups > 1 else (train.group_size + 1) // 2
    fewer = {"train.rollouts_per_step": str(rows)} | ({} if groups > 1 else {"train.group_size": str(rows)})
    if rows % micro_rows:
        fewer["train.micro_batch_size"] = str(largest_divisor_below(micro_rows, rows))
    return fewer


def largest_divisor_below(micro: int, rows: int) -> int:
    """Returns the largest divisor of `rows` that is at most half of `micro`, and never less than 1."""
    return next(size for size in range(max(1, micro // 2), 0, -1) if rows % size == 0)


def spare_room(plan: Plan, replan: Callable[[tuple[str, ...]], Plan]) -> list[tuple[str, ...]]:
    """Returns what a card's memory has room for, each by itself, as `key=value` overrides."""
    if not plan.fits or plan.job.on_cpu:
        return []
    found = []
    for larger in larger_overrides(plan):
        fitting: dict[str, str] = {}
        for change in larger:
            bigger = plan_with(replan, change)
            if bigger is None or not bigger.fits:
                break
            fitting = change
        if fitting:
            found.append(as_typed(fitting))
    return found


def larger_overrides(plan: Plan) -> Iterator[list[dict[str, str]]]:
    """Yields, option by option, ever larger values: the base's precision, the evaluation's batch, groups, rows."""
    config, train = plan.job.config, plan.job.config.train
    evaluation = config.evaluation
    batches, times = ([2**n for n in range(1, DOUBLINGS[what] + 1)] for what in ("batch", "training"))
    if plan.job.compute.quantize.got != "none":
        yield [{"model.quantize": "none"}]
    asked = evaluation.problems * evaluation.samples
    sizes = [evaluation.batch_size * n for n in batches]
    yield [{"evaluation.batch_size": str(rows)} for rows in sizes if rows < 2 * asked]
    if train.generated_rows:
        pairs = [(train.group_size * n, train.rollouts_per_step * n) for n in times]
        yield [{"train.group_size": str(group), "train.rollouts_per_step": str(rows)} for group, rows in pairs]
    yield [{f"train.{train.tokens_option}": str(train.token_limit * n)} for n in times]
