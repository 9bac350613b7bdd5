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
    """metric → label of its line; `reward/*` stands for every reward term"""
    measured_in: str = ""
    """what its vertical axis counts"""
    is_share: bool = False
    """drawn from 0 to 100 %"""


CHARTS = (
    Chart(
        "Right answers",
        "In training, and on held-out problems where a validation split asks them: when the first rises and the second "
        "does not, it learns its training problems by heart.",
        {"right": "training", "validation/accuracy": "held out"},
        "share of the replies",
        is_share=True,
    ),
    Chart(
        "Reward",
        "What training maximises, and each term of it before its weight: a term that rises alone is being gamed.",
        {"reward/mean": "total", "reward/*": "{}"},
    ),
    Chart(
        "Loss",
        "How surprised the model is by the text it is trained on; lower is better.",
        {"loss": "loss"},
        "nats a token",
    ),
    Chart(
        "Tokens right",
        "How often the model's first guess for the next token of the training text is the right one.",
        {"token_accuracy": "right"},
        "share of the tokens",
        is_share=True,
    ),
    Chart(
        "Tokens a reply",
        "Mean length of the rollouts: reasoning takes room, but growth without more right answers is padding.",
        {"length/mean_tokens": "training", "validation/mean_tokens": "held out"},
    ),
    Chart(
        "Replies cut short",
        "These hit the token limit; a cut reply has no answer and counts as wrong.",
        {"length/share_truncated": "cut short"},
        "share of the rollouts",
        is_share=True,
    ),
    Chart(
        "Entropy",
        "How undecided the model is at each token: near 0 all replies are alike and there is nothing left to compare.",
        {"entropy/mean": "entropy"},
        "nats a token",
    ),
    Chart(
        "KL to the base",
        "How far the model has moved from where it began: a fast rise warns of a model that forgets how to write.",
        {"kl/mean": "KL"},
        "nats a token",
    ),
    Chart(
        "Groups without a gradient",
        "All replies of such a group earned the same reward, so it teaches nothing.",
        {"group/share_zero_variance": "without"},
        "share of the groups",
        is_share=True,
    ),
    Chart(
        "Gradient norm",
        "How hard a step pulls, before clipping: spikes mean an unsteady run, 0 means a step without effect.",
        {"gradient/norm": "norm"},
    ),
    Chart("Learning rate", "The size of the steps, as scheduled.", {"learning_rate": "rate"}),
    Chart(
        "Time a step",
        "Sampling, judging and learning together, and of that the judging with its rewards.",
        {"time/step_s": "step", "time/score_s": "judging"},
        "seconds",
    ),
)
SHOWN_ELSEWHERE = ("step", "reward/std", "tokens_seen")
"""Not worth a chart."""


@dataclass
class Drawn:
    """A chart with its lines: one for each run and metric that has values."""

    title: str
    meaning: str
    measured_in: str
    is_share: bool
    lines: list[dict[str, Any]] = field(default_factory=list)
    """`{"run": number, "label", "x": steps, "y": values}`"""


def draw(records: list[StoredRun]) -> list[Drawn]:
    """The charts that have anything to show, the runs' lines together; metrics nobody knows come last."""
    tables = [_table(record) for record in records]
    known = {name for chart in CHARTS for name in chart.names} | set(SHOWN_ELSEWHERE)
    others = sorted({name for table in tables for name in table} - known)
    others = [name for name in others if not name.startswith("reward/")]
    charts = (*CHARTS, *(Chart(name, "A metric of metrics.jsonl.", {name: name}) for name in others))
    drawn = [Drawn(c.title, c.meaning, c.measured_in, c.is_share, list(_chart_lines(c, tables))) for c in charts]
    return [chart for chart in drawn if chart.lines]


def _table(record: StoredRun) -> dict[str, dict[int, float]]:
    """Metric → step → value."""
    table: dict[str, dict[int, float]] = {}
    means = [{"step": step} | means for step, means in record.rollout_means.items()]
    for row in [*means, *record.metrics]:
        for name, value in row.items():
            if is_number(value):
                table.setdefault(name, {})[row["step"]] = value
    return table


def _chart_lines(chart: Chart, tables: list[dict[str, dict[int, float]]]):
    for number, table in enumerate(tables):
        for name, label in _names(chart, table):
            steps = sorted(table[name])
            values = [float(f"{table[name][step]:.{DIGITS}g}") for step in steps]
            yield {"run": number, "label": label, "x": steps, "y": values}


def _names(chart: Chart, table: dict[str, dict[int, float]]):
    """(metric, label) of the chart's lines that this run has; a lone reward term is the total and not drawn twice."""
    for name, label in chart.names.items():
        if name == "reward/*":
            terms = [n for n in sorted(table) if n.startswith("reward/") and n not in ("reward/mean", "reward/std")]
            if len(terms) > 1 or "reward/mean" not in table:
                yield from ((term, label.format(term.removeprefix("reward/"))) for term in terms)
        elif name in table:
            yield name, label
