"""What the person reads of a plan: memory by phase, time, tokens and disk; and of its comparison with two steps."""

from typing import Any

from tinyreason.config.inference import SERVER
from tinyreason.planning.plan import Plan, paid_requests
from tinyreason.planning.prompt_lengths import PromptLengths


def plan_lines(plan: Plan, tier_reason: str, prompts: PromptLengths) -> list[str]:
    """Returns the plan as a person reads it."""
    job, config, peak = plan.job, plan.job.config, plan.peak
    compute = job.compute
    device = compute.card.describe() if compute.card else "CPU"
    held = compute.dtype.got
    if compute.quantize.got != "none":
        held = f"{compute.quantize.got}, computing in {held}"
    base = f"{config.model.name}, {large_number(job.shape.parameters)} parameters in {held}"
    prompt = f"{job.prompt_tokens} of them prompt ({prompts.training_source})"
    lines = [
        f"{config.recipe} on {device} with {memory_size(plan.memory)}, tier {config.tier} ({tier_reason})",
        f"model   {base}; {config.adapter.kind} trains {job.trained_parameters:,}",
        *teacher_lines(plan),
        f"rows    {job.row_tokens} tokens at most, {prompt}; {job.micro_rows} per backward pass",
    ]
    if config.processes > 1:
        of_each = "a card" if compute.card else "as much memory, and its part of the cores"
        lines.append(f"shared  by {config.processes} processes; each has {of_each}, and what follows is of one of them")
    if (prompts.evaluation, prompts.evaluation_source) != (prompts.training, prompts.training_source):
        lines.append(f"asked   prompts of {prompts.evaluation} tokens in the evaluation ({prompts.evaluation_source})")
    for phase in plan.phases:
        parts = {name: size for name, size in phase.parts.items() if size >= peak.total / 100}
        named = ", ".join(f"{name} {memory_size(size)}" for name, size in parts.items())
        lines.append(f"{phase.name:<10}{memory_size(phase.total):>8}   {named}")
    kept = f"up to {memory_size(plan.peak_kept)} with what the allocator keeps"
    verdict = "fits" if plan.fits else "does NOT fit"
    lines.append(f"peak    {memory_size(peak.total)} at {peak.name}, {kept}: {verdict}")
    lines += time_lines(plan)
    generated, trained_on = (large_number(plan.tokens[name]) for name in ("generated", "trained on"))
    model, run = (memory_size(plan.disk[name]) for name in ("model", "run"))
    each = f"{plan.checkpoints} checkpoints of {memory_size(plan.checkpoint_bytes)} each"
    lines.append(f"tokens  at most {generated} generated, {trained_on} trained on")
    lines.append(f"disk    {model} for the model, at most {run} for the run, {each} among it")
    if paid := paid_requests(config):
        whole = "" if paid["problems"] is None else f", {paid['a_problem'] * paid['problems']:,} in all"
        lines.append(
            f"teacher {paid['teacher']} writes {paid['a_problem']:,} critiques of each problem{whole}, over an API "
            f"that may cost money; their time is not in the hours above"
        )
    return lines


def teacher_lines(plan: Plan) -> list[str]:
    """Returns what teaches a distillation, in a line."""
    job, teacher = plan.job, plan.job.config.teacher_model
    if teacher is None:
        return []
    if job.teacher_shape is None:
        return ["teacher the student itself: no other model is in memory"]
    held = job.teacher_compute
    form = held.dtype.got if held.quantize.got == "none" else f"{held.quantize.got}, computing in {held.dtype.got}"
    return [f"teacher {teacher.name}, {large_number(job.teacher_shape.parameters)} parameters in {form}"]


def fit_lines(plan: Plan, suggestion: tuple[str, ...] | None, spare: list[tuple[str, ...]]) -> list[str]:
    """Returns what to change where the run does not fit, or what the memory has room for where it does."""
    if plan.fits:
        room = ", or ".join(" ".join(words) for words in spare)
        return [f"spare   there is room for {room}; the model's own context may be shorter"] if room else []
    advice = " ".join(suggestion or ()) or "nothing that is known here makes it fit; choose a smaller model"
    return [f"change  {advice}"]


def time_lines(plan: Plan) -> list[str]:
    """Returns seconds a step, hours, and what of them a session holds."""
    if plan.seconds is None and plan.job.config.inference.engine == SERVER:
        return ["time    unknown: a server samples, whose speed and memory are not in this"]
    if plan.seconds is None:
        return [f"time    unknown: {plan.job.compute.card.name} is not among the cards known here"]
    steps = plan.job.config.train.max_steps
    held = "all of it" if plan.session_steps == steps else f"{plan.session_steps:,} of {steps:,} steps"
    most = " at most" if any(stage.until for stage in plan.job.config.stages) else ""
    basis = "fitted to other steps of such a card" if plan.is_calibrated else "not measured on this card"
    return [
        f"step    {two_digits(plan.seconds_a_step)} s, at most: an estimate, {basis}",
        f"run     {two_digits(plan.seconds / 3600)} hours{most} with its evaluations; a 12-hour session holds {held}",
    ]


def measurement_lines(found: dict[str, Any], plan: Plan) -> list[str]:
    """Returns what two steps took beside what the plan had said, as a person reads it."""
    predicted, measured = (memory_size(found[f"{side}_peak_bytes"]) for side in ("predicted", "measured"))
    over = "allocated by torch" if plan.job.compute.card else "RSS over the baseline"
    rows, seconds = f"rows of {found['row_tokens']} tokens", found["predicted_seconds_a_step"]
    said = "unknown" if seconds is None else f"{two_digits(seconds)} s"
    return [
        f"{plan.job.config.recipe} on {found['device']}, two steps, {rows}, peak at {found['phase']}",
        f"peak    predicted {predicted}, measured {measured} ({over}): {found['peak_error']:+.1%}",
        f"step    predicted {said}, measured {two_digits(found['measured_seconds_a_step'])} s",
    ]


def memory_size(size: float) -> str:
    """Writes bytes in the unit that reads best."""
    return f"{size / 2**30:.1f} GB" if size >= 0.95 * 2**30 else f"{size / 2**20:.0f} MB"


def two_digits(number: float) -> str:
    """Writes 4712.3 as 4,712, and 0.0712 as 0.071."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def large_number(number: float) -> str:
    """Writes 1543714304 as 1.54 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"
