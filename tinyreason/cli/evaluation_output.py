"""What the person reads of an evaluation, a comparison, the controls and an audit."""

import json
from pathlib import Path

from tinyreason.console import Console
from tinyreason.evaluation.benchmark_run import BenchmarkResult, BenchmarkRun, BenchScores
from tinyreason.evaluation.boundary import Boundary, CountedShare
from tinyreason.evaluation.compare import ComparisonRow
from tinyreason.evaluation.contamination import AuditSummary
from tinyreason.evaluation.metrics import BenchmarkMetrics
from tinyreason.evaluation.voting import VoteScore
from tinyreason.runs.result import ControlsResult, Gain
from tinyreason.runs.result_in_words import template_check_in_words


def announce_evaluation(console: Console, benchmark_run: BenchmarkRun, folder: Path) -> None:
    """Prints the first lines: which model is asked what, and how."""
    sampling = benchmark_run.sampling
    against = benchmark_run.sides.get("against")
    console.say(f"model     {benchmark_run.sides['model'].name}{f' against {against.name}' if against else ''}")
    for name, examples in benchmark_run.benches.items():
        console.say(f"bench     {name}: {len(examples):,} problems × {sampling.samples} samples")
    how = f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}" if sampling.temperature else "greedy"
    sides = ", the same for both sides" if against else ""
    console.say(f"sampling  {how}, at most {sampling.max_completion_tokens:,} tokens, seed {sampling.seed}{sides}")
    if budget := sampling.thought_budget:
        most = f", {budget.most} times at most" if budget.most else ""
        put_in = f"the adapter's token, or '{budget.word}' where it has none"
        console.say(f"forced    a thought that would end before token {budget.budget:,} is continued by {put_in}{most}")
    template = "the tokenizer's chat template" if sampling.template == "chat" else "no chat template"
    options = "".join(f", {name}={json.dumps(value)}" for name, value in sampling.template_options.items())
    console.say(f"template  {template}{options}, prompt {sampling.prompt}{sides}")
    console.say(f"folder    {folder}")


def conclude_evaluation(console: Console, result: BenchmarkResult, folder: Path) -> None:
    """Prints a table for each bench, and what the comparison allows to say."""
    for bench, scores in result.benches.items():
        show_bench(console, bench, scores, result.sides)
    if len({template.chat_template_sha256 for template in result.templates.values()}) > 1:
        console.say("warning: the two sides have different chat templates; eval.json shows both.")
    console.say(f"folder    {folder}")


def show_bench(console: Console, bench: str, scores: BenchScores, names: dict[str, str]) -> None:
    """Prints one bench: figures side by side, the gain, accuracy by level and subject."""
    first = scores.model
    columns = {names["against"]: scores.against} if scores.against else {}
    columns[names["model"]] = first
    console.say(f"\n{bench}: {first.problems:,} problems × {first.samples} samples, 95 % intervals by problem")
    console.table(metric_rows(list(columns.values())), header=("", *columns))
    if scores.gain:
        console.say(f"gain      {gain_text(scores.gain)}: {scores.verdict}")
    if scores.verdict_reason:
        console.say(f"why       {scores.verdict_reason}")
    if opinion := scores.second_opinion:
        console.say(f"strictly  {gain_text(opinion.gain)}, by a grader that training never sees")
    if check := scores.template_check:
        console.say(f"{'warning: ' if check.warning else 'template  '}{template_check_in_words(check)}")
    if scores.boundary:
        show_boundary(console, scores.boundary)
    for side, votes in (scores.votes or {}).items():
        show_votes(console, names[side], votes)
    for kind, groups in first.by.items():
        rows = [(name, str(it.problems), with_interval(it.accuracy, it.interval)) for name, it in groups.items()]
        console.table(rows, header=(kind, "problems", names["model"]))


def metric_rows(columns: list[BenchmarkMetrics]) -> list[tuple[str, ...]]:
    """Returns the table's rows: a figure's name and each side's value."""
    first = columns[0]
    rows = [(f"avg@{first.samples}", *(with_interval(it.accuracy, it.interval) for it in columns))]
    for point, *others in list(zip(*(it.pass_at_k for it in columns), strict=True))[1:]:
        rows.append((f"pass@{point.k}", *(with_interval(it.share, it.interval) for it in (point, *others))))
    if first.cons_at_k.k > 1:
        votes = [it.cons_at_k for it in columns]
        rows.append((f"cons@{first.cons_at_k.k}", *(with_interval(it.share, it.interval) for it in votes)))
    rows.append(("truncated", *(f"{100 * it.truncated:.1f} %" for it in columns)))
    if first.circular:
        found = [it.circular for it in columns]
        rows.append(("correct in every rotation", *(with_interval(it.accuracy, it.interval) for it in found)))
        rows.append(("  in the order given", *(with_interval(it.as_given, it.as_given_interval) for it in found)))
    if first.macro_f1:
        rows.append(("macro-F1", *(with_interval(it.macro_f1.value, it.macro_f1.interval) for it in columns)))
    if checks := [it.mathcheck for it in columns if it.mathcheck]:
        rows.append(("mean of the cells", *(with_interval(it.score, it.interval) for it in checks)))
        cells = [(task, version) for task, versions in checks[0].cells.items() for version in versions]
        rows += [(f"  {t}, {v}", *(f"{100 * it.cells[t][v]:.1f} %" for it in checks)) for t, v in cells]
    if premises := [it.missing_premise for it in columns if it.missing_premise]:
        figures = {
            "abstained, one missing": [(it.abstained, it.abstained_interval) for it in premises],
            "abstained, none missing": [(it.abstained_whole, it.abstained_whole_interval) for it in premises],
            "tokens, one / none missing": [(it.length_ratio, it.length_ratio_interval) for it in premises],
        }
        rows += [(name, *(with_interval(*pair) for pair in pairs)) for name, pairs in figures.items()]
    tokens = {
        "tokens": [it.mean_tokens for it in columns],
        "  correct": [it.tokens_right for it in columns],
        "  incorrect": [it.tokens_wrong for it in columns],
    }
    rows += [(name, *("-" if mean is None else f"{mean:.0f}" for mean in means)) for name, means in tokens.items()]
    return rows


def show_boundary(console: Console, found: Boundary) -> None:
    """Prints how far the model reaches beyond what it is compared with, with several samples."""
    console.table(
        [(f"pass@{it.k}{'' if it.is_certain else ' *'}", it.gain.in_words) for it in found.gains],
        header=("gain in", "points, 95 % interval"),
    )
    if any(not it.is_certain for it in found.gains):
        console.say("* rests on few samples; ask with --samples of at least 2 k")
    if found.crossing is None:
        console.say(f"crossing  none: more is solved than before at every k up to {found.samples}")
    else:
        few = "" if 2 * found.crossing <= found.samples else f"; uncertain with {found.samples} samples"
        console.say(f"crossing  from pass@{found.crossing} on what it is compared with solves as much or more{few}")
    it, cells = found.expansion, found.support
    console.say(f"support   kept {share_text(cells.kept)}, gained {share_text(cells.gained)}, lost "
                f"{share_text(cells.lost)}, solved by neither {share_text(cells.neither)}")  # fmt: skip
    for whose, share in (("what it is compared with", it.gained), ("it", it.lost)):
        if share.problems:
            other = "it" if share is it.gained else "the other"
            console.say(f"boundary  of the problems that {whose} never solves, {other} solves {share_text(share)}")
    if it.interval:
        low, high = (100 * end for end in it.interval)
        console.say(
            f"boundary  of those unsolved with {it.half} samples it solves {it.solved:.1%}, where sampling again would "
            f"{it.expected:.1%}: {100 * it.beyond:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
        )
    entropy = found.answer_entropy
    low, high = entropy.interval
    console.say(f"entropy   of a problem's answers {entropy.base:.2f} → {entropy.model:.2f} bits: "
                f"{entropy.change:+.2f} [{low:+.2f}, {high:+.2f}]")  # fmt: skip


def share_text(share: CountedShare) -> str:
    """Returns `3 of 8: 37.5 % [8.5, 75.5]`."""
    return f"{share.count} of {share.problems}: {with_interval(share.share, share.interval)}"


def show_votes(console: Console, name: str, votes: dict[str, VoteScore]) -> None:
    """Prints what votes of a model's samples reach beside one completion, with the tokens that they spend."""
    console.say(f"\nvotes of {name}: accuracy by samples, and the tokens of all of them for a problem")
    rows = []
    for points in zip(*(vote.points for vote in votes.values()), strict=True):
        figures = [with_interval(it.accuracy, it.interval) for it in points]
        rows.append((str(points[0].samples), f"{points[0].tokens:.0f}", *figures))
    console.table(rows, header=("samples", "tokens", *votes))
    for vote, found in votes.items():
        first, last = found.points[0], found.points[-1]
        for row in found.gains:
            over = (
                f"one completion, for {last.tokens / first.tokens:.1f} times the tokens"
                if row.over == "one"
                else ("the majority, for the same tokens")
            )
            console.say(f"{vote}@{last.samples} over {over}: {gain_text(row.gain)}: {row.verdict}")


def with_interval(share: float, interval: list[float]) -> str:
    """Returns `24.3 % [21.8, 27.0]`."""
    return f"{100 * share:.1f} % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def show_comparison(console: Console, rows: list[ComparisonRow]) -> None:
    """Prints each folder against the first."""
    for row in rows:
        seeds = f", {row.seeds} seeds" if row.seeds > 1 else ""
        console.say(f"{row.other} against {row.first}, {row.bench}: {row.problems:,} common problems{seeds}")
        if any(row.left_out):
            console.say(f"          not compared: {row.left_out[0]} and {row.left_out[1]} problems of one alone")
        figures = [with_interval(*pair) for pair in zip(row.accuracy, row.interval, strict=True)]
        table = [("accuracy", *figures), ("tokens", *(f"{tokens:.0f}" for tokens in row.mean_tokens))]
        console.table(table, header=("", row.first, row.other))
        console.say(f"gain      {gain_text(row.gain)}: {row.verdict}")
        if row.verdict_reason:
            console.say(f"why       {row.verdict_reason}")
        if row.asked_otherwise:
            console.say(f"warning: not asked alike: {', '.join(row.asked_otherwise)}.")
    if (count := max(row.comparisons for row in rows)) > 1:
        console.say(
            f"verdicts  allow for {count} comparisons, as the best of many may be luck: p is multiplied by that"
        )


def show_controls(console: Console, result: ControlsResult) -> None:
    """Prints the run beside its controls, and what is left of the gain beyond them."""
    console.say("\ncontrols: the same budget, another reward; gains over the base, 95 % intervals")
    rows = []
    for row in result.runs:
        rows.append((row.reward, with_interval(row.accuracy, row.interval), row.gain.in_words, row.verdict))
    console.table(rows, header=("reward", "accuracy", "gain, points", ""))
    for beyond in result.beyond:
        console.say(f"beyond {beyond.control:<8} {gain_text(beyond.gain)}: {beyond.verdict}")
    if it := result.chosen:
        console.say(
            f"selected  the run's step {it.step} of {it.steps}, on the validation set: {it.accuracy:.1%} correct "
            f"there, {it.last_accuracy:.1%} at the last step; the controls see no correct answer and keep their last"
        )


def show_audit(console: Console, result: AuditSummary, kinds: dict[str, str], shown: int = 10) -> None:
    """Prints how many test problems the training data holds, and the worst of them."""
    console.table(
        [(kind.replace("_", " "), str(result.counts[kind]), meaning) for kind, meaning in kinds.items()],
        header=("found", "test problems", "meaning"),
    )
    for finding in result.findings[:shown]:
        if finding.kind != "other_numbers":
            kind, text = finding.kind.replace("_", " "), finding.shared or finding.test_problem[:90]
            console.say(f"{kind}: test {finding.test_id}, training {finding.train_id}: {text!r}")
    share, runs = 100 * result.contaminated / result.test, result.counts["shared_run"]
    console.say(
        f"{result.contaminated} of {result.test:,} test problems ({share:.1f} %) are in the training data"
        + (f"; {runs} more share a run of words with it" if runs else "")
    )


def gain_text(gain: Gain) -> str:
    """Returns a gain with its interval and the exact test's p."""
    low, high = gain.interval
    p_value = "" if gain.p_value is None else f", p {gain.p_value:.2g}"
    return f"{gain.points:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}{p_value}"
