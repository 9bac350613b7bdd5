"""What the person sees of an evaluation, a comparison, the controls and an audit."""

from pathlib import Path

from tinyreason.console import Console
from tinyreason.evaluation.benchmark_run import BenchmarkRun


def announce_eval(console: Console, benchmark_run: BenchmarkRun, folder: Path) -> None:
    """The first lines: who is asked what, and how."""
    sampling = benchmark_run.sampling
    against = benchmark_run.sides.get("against")
    console.say(f"model     {benchmark_run.sides['model'].name}{f' against {against.name}' if against else ''}")
    for name, examples in benchmark_run.benches.items():
        console.say(f"bench     {name}: {len(examples):,} problems × {sampling.samples} samples")
    drawn = f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}" if sampling.temperature else "greedy"
    sides = ", the same for both sides" if against else ""
    console.say(f"sampling  {drawn}, at most {sampling.max_completion_tokens:,} tokens, seed {sampling.seed}{sides}")
    template = "the tokenizer's chat template" if sampling.template == "chat" else "no chat template"
    console.say(f"template  {template}, prompt {sampling.prompt}{sides}")
    console.say(f"folder    {folder}")


def conclude_eval(console: Console, result: dict, folder: Path) -> None:
    """A table for each bench, and what the comparison allows to say."""
    sides = result["sides"]
    for bench, found in result["benches"].items():
        figures = {name: found[side] for side, name in reversed(sides.items())}
        first = found["model"]
        console.say(
            f"\n{bench}: {first['problems']:,} problems × {first['samples']} samples, 95 % intervals by problem"
        )
        console.table(eval_rows(list(figures.values())), header=("", *figures))
        if "gain" in found:
            console.say(f"gain      {gain_text(found['gain'])}: {found['verdict']}")
        for kind, groups in first["by"].items():
            rows = [(name, str(group["problems"]), with_interval(group["accuracy"], group["interval"]))
                    for name, group in groups.items()]  # fmt: skip
            console.table(rows, header=(kind, "problems", sides["model"]))
    if len({template["chat_template_sha256"] for template in result["templates"].values()}) > 1:
        console.say("warning: the two sides have different chat templates; eval.json shows both.")
    check = result["template_check"]
    if check and check["warning"]:
        console.say(f"warning: {check['warning']}")
    elif check:
        console.say(f"template  the base does no better in other ways ({check['problems']} problems, {ways(check)})")
    console.say(f"folder    {folder}")


def eval_rows(columns: list[dict]) -> list[tuple[str, ...]]:
    """The table's rows: a figure's name and each side's value."""
    first = columns[0]
    rows = [(f"avg@{first['samples']}", *(with_interval(c["accuracy"], c["interval"]) for c in columns))]
    for number, point in enumerate(first["pass_at_k"][1:], 1):
        curve = [column["pass_at_k"][number] for column in columns]
        rows.append((f"pass@{point['k']}", *(with_interval(p["share"], p["interval"]) for p in curve)))
    votes = [column["cons_at_k"] for column in columns]
    if votes[0]["k"] > 1:
        rows.append((f"cons@{votes[0]['k']}", *(with_interval(v["share"], v["interval"]) for v in votes)))
    rows.append(("cut short", *(f"{100 * column['truncated']:.1f} %" for column in columns)))
    for name, words in (("mean_tokens", "tokens"), ("tokens_right", "  right"), ("tokens_wrong", "  wrong")):
        rows.append((words, *("-" if c[name] is None else f"{c[name]:.0f}" for c in columns)))
    return rows


def ways(check: dict) -> str:
    """How often the base is right in each way of asking."""
    others = (f"template {way['template']}, prompt {way['prompt']} {way['accuracy']:.0%}" for way in check["others"])
    return "; ".join((f"as asked {check['asked']:.0%}", *others))


def with_interval(share: float, interval: list[float]) -> str:
    """24.3 % [21.8, 27.0]"""
    return f"{100 * share:.1f} % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def show_comparison(console: Console, rows: list[dict]) -> None:
    """Each folder against the first."""
    for row in rows:
        console.say(f"{row['other']} against {row['first']}, {row['bench']}: {row['problems']:,} common problems")
        if any(row["left_out"]):
            console.say(f"          not compared: {row['left_out'][0]} and {row['left_out'][1]} problems of one alone")
        figures = [with_interval(*pair) for pair in zip(row["accuracy"], row["interval"], strict=True)]
        table = [("accuracy", *figures), ("tokens", *(f"{tokens:.0f}" for tokens in row["mean_tokens"]))]
        console.table(table, header=("", row["first"], row["other"]))
        console.say(f"gain      {gain_text(row['gain'])}: {row['verdict']}")
        if row["asked_otherwise"]:
            console.say(f"warning: not asked alike: {', '.join(row['asked_otherwise'])}.")


def show_controls(console: Console, result: dict) -> None:
    """The run beside its controls, and what is left of the gain beyond them."""
    console.say("\ncontrols: the same budget, another reward; gains over the base, 95 % intervals by problem")
    rows = []
    for row in result["runs"]:
        low, high = row["gain"]["interval"]
        gain = f"{row['gain']['points']:+.1f} [{low:+.1f}, {high:+.1f}]"
        rows.append((row["reward"], with_interval(row["accuracy"], row["interval"]), gain, row["verdict"]))
    console.table(rows, header=("reward", "accuracy", "gain, points", ""))
    for row in result["beyond"]:
        console.say(f"beyond {row['control']:<8} {gain_text(row['gain'])}: {row['verdict']}")
    if result["chosen"]:
        it = result["chosen"]
        console.say(
            f"chosen    the run's step {it['step']} of {it['steps']}, by held-out problems: {it['accuracy']:.1%} right "
            f"there, {it['last_accuracy']:.1%} at the last step; the controls know no right answer and keep their last"
        )


def show_audit(console: Console, result: dict, kinds: dict[str, str], shown: int = 10) -> None:
    """How many test problems the training data holds, and the worst of them."""
    console.table(
        [(kind.replace("_", " "), str(result["counts"][kind]), words) for kind, words in kinds.items()],
        header=("found", "test problems", "meaning"),
    )
    for row in result["findings"][:shown]:
        if row["kind"] != "other_numbers":
            kind, words = row["kind"].replace("_", " "), row["shared"] or row["test_problem"][:90]
            console.say(f"{kind}: test {row['test_id']}, training {row['train_id']}: {words!r}")
    share, runs = 100 * result["contaminated"] / result["test"], result["counts"]["shared_run"]
    console.say(
        f"{result['contaminated']} of {result['test']:,} test problems ({share:.1f} %) are in the training data"
        + (f"; {runs} more share a run of words with it" if runs else "")
    )


def gain_text(gain: dict) -> str:
    """A gain with its interval and the exact test's p."""
    low, high = gain["interval"]
    return f"{gain['points']:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, p {gain['p_value']:.2g}"
