"""The curves of a run: which metrics share a chart, and what each chart means in a sentence."""

from dataclasses import dataclass, field
from typing import Any

from tinyreason.runs.reader import StoredRun, is_number

DIGITS = 5
"""Significant digits kept of a curve's values."""


@dataclass(frozen=True)
class Chart:
    """One chart: metrics of metrics.jsonl, or of a step's rollouts, and its sentence."""

    title: str
    meaning: str
    names: dict[str, str]
    """Metric → label of its line; `reward/*` stands for every reward term."""
    measured_in: str = ""
    """What its vertical axis counts."""
    is_share: bool = False
    """Shown from 0 to 100 %."""


CHARTS = (
    Chart(
        "Correct completions",
        "In training, and on the validation set where there is one: when the first rises and the second does not, the "
        "model memorises its training problems.",
        {"correct": "training", "validation/accuracy": "validation"},
        "share",
        is_share=True,
    ),
    Chart(
        "Reward",
        "What training maximises, and each term before its weight: one that rises alone points to reward hacking.",
        {"reward/mean": "total", "reward/*": "{}"},
    ),
    Chart(
        "Where rollouts come from",
        "The policy's own answers, and what a plan of rollouts puts beside them: solutions, hints, other tries.",
        {"rollouts/*": "{}"},
        "share",
        is_share=True,
    ),
    Chart(
        "Loss",
        "How surprised the model is by the text it is trained on, or in a distillation how far it is from its teacher; "
        "lower is better.",
        {"loss": "loss"},
        "nats per token",
    ),
    Chart(
        "Correct tokens",
        "How often the model's first guess for the next token of the training text is correct.",
        {"token_accuracy": "correct"},
        "share",
        is_share=True,
    ),
    Chart(
        "Tokens per completion",
        "Mean length of the rollouts: reasoning takes room, but growth without more correct answers is padding.",
        {"length/mean_tokens": "training", "validation/mean_tokens": "validation"},
    ),
    Chart(
        "Truncated completions",
        "These hit the token limit; a truncated completion has no answer and counts as incorrect.",
        {"length/share_truncated": "truncated"},
        "share",
        is_share=True,
    ),
    Chart(
        "Entropy",
        "How undecided the model is at each token: near 0 all completions are alike, with nothing left to compare.",
        {"entropy/mean": "entropy"},
        "nats per token",
    ),
    Chart(
        "KL to the base",
        "How far the model has moved from where it began: a fast rise warns of a model that forgets how to write.",
        {"kl/mean": "KL"},
        "nats per token",
    ),
    Chart(
        "Groups without a gradient",
        "All completions of such a group earned the same reward: compared with each other they teach nothing.",
        {"group/share_zero_variance": "without"},
        "share",
        is_share=True,
    ),
    Chart(
        "Gradient norm",
        "How hard a step pulls, before clipping: spikes mean an unsteady run, 0 means a step without effect.",
        {"gradient/norm": "norm"},
    ),
    Chart("Learning rate", "The size of the steps, as scheduled.", {"learning_rate": "rate"}),
    Chart(
        "Time per step",
        "Sampling, grading and learning together, and of that the grading with its rewards.",
        {"time/step_s": "step", "time/score_s": "grading"},
        "seconds",
    ),
)
SHOWN_ELSEWHERE = ("step", "reward/std", "tokens_seen", "tokens/spent")
"""Not worth a chart."""


@dataclass
class ChartWithLines:
    """A chart with its lines: one for each run and metric that has values."""

    title: str
    meaning: str
    measured_in: str
    is_share: bool
    counts: str = "step"
    """What its horizontal axis counts."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    """`{"run": number, "label", "x": steps, "y": values}`."""


def charts_of(runs: list[StoredRun]) -> list[ChartWithLines]:
    """Returns the charts that have anything to show, the runs' lines together; metrics nobody knows come last."""
    tables = [_table(run) for run in runs]
    known = {name for chart in CHARTS for name in chart.names} | set(SHOWN_ELSEWHERE)
    others = sorted({name for table in tables for name in table} - known)
    others = [name for name in others if not name.startswith(("reward/", "rollouts/"))]
    charts = (*CHARTS, *(Chart(name, "A metric of metrics.jsonl.", {name: name}) for name in others))
    filled = [
        ChartWithLines(
            chart.title, chart.meaning, chart.measured_in, chart.is_share, lines=list(_chart_lines(chart, tables))
        )
        for chart in charts
    ]
    return [chart for chart in filled if chart.lines]


def _table(run: StoredRun) -> dict[str, dict[int, float]]:
    """Returns metric → step → value."""
    table: dict[str, dict[int, float]] = {}
    means = [{"step": step} | means for step, means in run.rollout_means.items()]
    for row in [*means, *run.metrics]:
        for name, value in row.items():
            if is_number(value):
                table.setdefault(name, {})[row["step"]] = value
    sources = [name for name in table if name.startswith("rollouts/")]
    steps = {step for name in sources for step in table[name]}
    return table | {name: dict.fromkeys(steps, 0.0) | table[name] for name in sources}  # none in a step is a share too


def _chart_lines(chart: Chart, tables: list[dict[str, dict[int, float]]]):
    for number, table in enumerate(tables):
        for name, label in _names(chart, table):
            steps = sorted(table[name])
            values = [float(f"{table[name][step]:.{DIGITS}g}") for step in steps]
            yield {"run": number, "label": label, "x": steps, "y": values}


def _names(chart: Chart, table: dict[str, dict[int, float]]):
    """Yields (metric, label) of the chart's lines that this run has; a lone reward term is the total, with no line."""
    for name, label in chart.names.items():
        if name == "reward/*":
            terms = [n for n in sorted(table) if n.startswith("reward/") and n not in ("reward/mean", "reward/std")]
            if len(terms) > 1 or "reward/mean" not in table:
                yield from ((term, label.format(term.removeprefix("reward/"))) for term in terms)
        elif name.endswith("/*"):
            found = [one for one in sorted(table) if one.startswith(name[:-1])]
            yield from ((one, label.format(one.removeprefix(name[:-1]))) for one in found)
        elif name in table:
            yield name, label
