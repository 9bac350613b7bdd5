"""A gain over a base that was asked badly is not certified unless it is more than what asking it well brings."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console as RichConsole
from sessions import context_of, said

from tinyreason.cli.main import main
from tinyreason.cli.train_output import conclude
from tinyreason.config.recipe import read_recipe
from tinyreason.console import Console
from tinyreason.errors import Stopped
from tinyreason.evaluation.score import Completion, Score
from tinyreason.evaluation.template_check import check_template, form_alone, unless_form_alone
from tinyreason.example import Example
from tinyreason.inference.sampling import Sampling
from tinyreason.intervals import paired_gain
from tinyreason.pipeline.run import run
from tinyreason.pipeline.train import Training
from tinyreason.reporting.report import write_report
from tinyreason.runs.deadline import Deadline
from tinyreason.runs.result import TemplateCheck, read_result
from tinyreason.runs.result_in_words import template_check_in_words

SAMPLING = Sampling(samples=1, temperature=1.0, max_completion_tokens=8, batch_size=8, prompt="boxed", seed=0)
TOKENIZER = SimpleNamespace(chat_template="{{ messages }}")
EVALUATE = "tinyreason.evaluation.template_check.evaluate"


def completion(example, is_correct):
    value = example.answer if is_correct else "-1"
    return Completion(f"It is \\boxed{{{value}}}.", 4, False, is_correct, value)


def problems(count):
    return [Example(str(n), ({"role": "user", "content": f"{n}?"},), "7") for n in range(count)]


def score(correct, of, samples=1, examples=None):
    """The score of so many problems of which the first are solved."""
    examples = examples or problems(of)
    return Score(examples, [[completion(one, n < correct)] * samples for n, one in enumerate(examples)])


def asker(**correct):
    """What stands for sampling and grading: template → how many of the problems are solved, or an error."""
    asked = []

    def evaluate(model, tokenizer, examples, sampling, grader, advance):
        asked.append((sampling.template, sampling.prompt, sampling.samples, len(examples)))
        found = correct.get(sampling.template, 0)
        if isinstance(found, Exception):
            raise found
        advance(len(examples))
        return score(found, len(examples), examples=examples)

    evaluate.asked = asked
    return evaluate


def check_of(monkeypatch, asked, console=None, **correct):
    """The check of a base that solves so many of 64 as asked, and so many without the template."""
    monkeypatch.setattr(EVALUATE, asker(**correct))
    return check_template(None, TOKENIZER, score(asked, 100, samples=2), SAMPLING, None, console or Console(quiet=True))


def test_the_first_64_problems_are_asked_once_in_each_other_way(monkeypatch):
    evaluate = asker(none=40)
    monkeypatch.setattr(EVALUATE, evaluate)
    told = []
    check = check_template(
        None, TOKENIZER, score(20, 100, samples=4), SAMPLING, None, Console(quiet=True), lambda: told.append(1)
    )
    assert evaluate.asked == [("chat", "plain", 1, 64), ("none", "plain", 1, 64), ("none", "boxed", 1, 64)]
    assert (check.problems, check.asked, check.better_way.template, len(told)) == (64, 20 / 64, "none", 3)
    assert check.better_way.correct == "1" * 40 + "0" * 24


@pytest.mark.parametrize(("prompt", "ways"), [("plain", 3), ("boxed", 3), ("boxed_system", 4)])
def test_a_plan_counts_the_completions_that_the_check_samples(monkeypatch, prompt, ways):
    evaluate = asker()
    monkeypatch.setattr(EVALUATE, evaluate)
    sampling = replace(SAMPLING, prompt=prompt)
    check_template(None, TOKENIZER, score(20, 100), sampling, None, Console(quiet=True))
    config = read_recipe("rlvr").resolve("sandbox", (f"prompt={prompt}",))
    assert len(evaluate.asked) == ways
    assert config.other_way_completions == sum(problems * samples for *_, samples, problems in evaluate.asked)
    assert read_recipe("rlvr").resolve("sandbox", ("evaluation.template_check=false",)).other_way_completions == 0


@pytest.mark.parametrize(
    ("asked", "otherwise", "after", "verdict"),
    [
        (21, 40, 41, "cannot tell"),  # Qwen2.5-Math-1.5B: 33 % as asked, 62 % without the template
        (21, 40, 36, "cannot tell"),
        (21, 40, 62, "improved"),
        (21, 23, 41, "improved"),  # the other way is no better than chance
        (21, 5, 41, "improved"),
    ],
)
def test_a_gain_is_certified_only_where_it_also_beats_the_base_in_its_best_way(
    monkeypatch, asked, otherwise, after, verdict
):
    check = check_of(monkeypatch, asked, none=otherwise)
    before, trained = score(asked, 100), score(after, 100)
    found = unless_form_alone(paired_gain(before.accuracies_P, trained.accuracies_P), check, trained)
    assert found["verdict"] == verdict
    assert bool(found.get("verdict_reason")) == (verdict == "cannot tell")
    if verdict == "cannot tell":
        assert (
            "the base is correct on 62% of 64 problems when asked with template none and prompt"
            in found["verdict_reason"]
        )


def test_only_improved_is_taken_back(monkeypatch):
    check = check_of(monkeypatch, 21, none=64)
    for verdict in ("worse", "cannot tell", "graders disagree"):
        assert unless_form_alone({"verdict": verdict}, check, score(10, 64)) == {"verdict": verdict}
    assert form_alone(None, score(10, 64)) is None


def test_a_way_that_cannot_be_asked_is_said_and_the_others_count(monkeypatch):
    console = Console(RichConsole(file=io.StringIO(), width=400))
    check = check_of(monkeypatch, 21, console, none=ValueError("no\nsuch template"), chat=60)
    assert [(way.template, way.prompt) for way in check.others] == [("chat", "plain")]
    assert check.better_way.prompt == "plain"
    assert "cannot be asked with template none and prompt plain: no such template" in console.rich.file.getvalue()
    check = check_of(monkeypatch, 21, none=ValueError(), chat=ValueError())
    assert (check.others, check.better_way, check.warning) == ([], None, None)
    assert template_check_in_words(check) == "the base could not be asked in other ways"


def config_of(*overrides):
    quick = ("train.max_steps=2", "train.rollouts_per_step=8", "train.group_size=4", "train.max_completion_tokens=8")
    small = ("evaluation.problems=16", "evaluation.samples=1", "validation=null")
    return read_recipe("one_shot_rlvr").resolve("sandbox", (*quick, *small, *overrides))


@pytest.fixture
def outcomes(monkeypatch):
    """A run's evaluations solve 0 and then `after` problems, and the baseline without its template `otherwise`."""

    def set_to(after, otherwise):
        def evaluate(self, model, examples, what):
            return score(0 if what == "measuring the baseline" else after, len(examples), examples=examples)

        monkeypatch.setattr("tinyreason.evaluation.score.Evaluator.evaluate", evaluate)
        monkeypatch.setattr(Training, "taught_nothing", lambda self: None)
        evaluate_otherwise = asker(none=otherwise)
        monkeypatch.setattr(EVALUATE, evaluate_otherwise)
        return evaluate_otherwise.asked

    return set_to


def test_a_run_whose_gain_is_form_alone_is_not_certified_on_screen_file_and_page(outcomes, tmp_path):
    asked = outcomes(after=12, otherwise=13)
    config, out = config_of(), tmp_path / "run"
    context = context_of(config)
    result = run(config, out, context)
    conclude(context.console, result, out)
    assert asked == [("chat", "boxed", 1, 16), ("none", "plain", 1, 16), ("none", "boxed", 1, 16)]
    assert result.gain.points == pytest.approx(75) and result.verdict == "cannot tell"
    assert read_result(out) == result and result.template_check.better_way.accuracy == 13 / 16
    reason = "the base is correct on 81% of 16 problems when asked with template none and prompt plain, and the trained"
    assert result.verdict_reason.startswith(reason)
    screen = said(context)
    assert f"why         {result.verdict_reason}" in screen and f"template    {result.template_check.warning}" in screen
    page = " ".join(write_report([out]).read_text().replace("\N{NO-BREAK SPACE}", "").split())
    assert f"No gain can be told: {reason}" in page and "on 0% as asked here: part of a gain over it" in page


@pytest.mark.slow
@pytest.mark.stress
def test_a_planted_gain_of_form_alone_is_not_certified(tmp_path):
    """Asked for a box the sandbox model answers nothing; 25 steps teach it that form, and its 20 % are the old ones."""
    few = ("prompt=boxed", "train.max_steps=25", "evaluation.problems=128", "evaluation.samples=1")
    config = read_recipe("reasoning_sft").resolve("sandbox", few)
    result = run(config, tmp_path / "run", context_of(config))
    assert result.gain.interval[0] > 10 and result.gain.p_value < 0.001
    assert (result.verdict, result.template_check.better_way.prompt) == ("cannot tell", "plain")


def test_a_run_that_beats_the_base_in_its_best_way_is_certified(outcomes, tmp_path):
    outcomes(after=16, otherwise=6)
    config = config_of()
    result = run(config, tmp_path / "run", context_of(config))
    assert (result.verdict, result.verdict_reason) == ("improved", None) and result.template_check.warning


def test_the_check_can_be_turned_off_and_the_result_says_so(outcomes, tmp_path):
    asked = outcomes(after=12, otherwise=13)
    config = config_of("evaluation.template_check=false")
    result = run(config, tmp_path / "run", context_of(config))
    assert (asked, result.verdict) == ([], "improved")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["template_check"] is None


@pytest.mark.parametrize("is_known", [True, False])
def test_a_resumed_run_asks_in_other_ways_only_where_it_had_not_yet(outcomes, tmp_path, is_known):
    asked, config, out = outcomes(after=12, otherwise=13), config_of(), tmp_path / "run"
    with pytest.raises(Stopped):
        run(config, out, context_of(config, Deadline(last_step=1)))
    file = out / "checkpoints" / "start.json"
    start = json.loads(file.read_text())
    check = TemplateCheck.model_validate(start.pop("template_check"))
    if not is_known:
        file.write_text(json.dumps(start))
    asked.clear()
    result = run(config, out, context_of(config))
    assert len(asked) == (0 if is_known else 3)
    assert result.template_check == check and result.verdict == "cannot tell"
    assert json.loads(file.read_text())["template_check"] == check.as_json()


def test_an_evaluation_against_the_base_checks_each_benchmark_and_says_why_nothing_is_certified(monkeypatch, tmp_path):
    monkeypatch.setattr(EVALUATE, asker(none=8))
    sure = {"gain": {"points": 50.0, "interval": [40.0, 60.0], "p_value": 0.001}, "verdict": "improved"}
    monkeypatch.setattr("tinyreason.evaluation.benchmark_run.believed_comparison", lambda before, after: dict(sure))
    few = (
        "--bench",
        "chain,compare",
        "--problems",
        "8",
        "--samples",
        "1",
        "--max-completion-tokens",
        "2",
        "--out",
        tmp_path / "e",
    )
    words = [str(word) for word in ("eval", "sandbox", "--against", "sandbox", *few)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    stored = json.loads((tmp_path / "e" / "eval.json").read_text())
    for bench in ("chain", "compare"):
        found = stored["benches"][bench]
        assert (found["verdict"], found["template_check"]["problems"]) == ("cannot tell", 8)
        assert f"why       {found['verdict_reason']}" in done.stdout
        assert f"warning: {found['template_check']['warning']}" in done.stdout
    assert stored["template_check"] == stored["benches"]["chain"]["template_check"]
    monkeypatch.setattr(EVALUATE, None)
    assert CliRunner().invoke(main, words).stdout == done.stdout
    unchecked = CliRunner().invoke(main, [*words[:-1], str(tmp_path / "other"), "--no-template-check"])
    assert "50.0 points" in unchecked.stdout and "why " not in unchecked.stdout


def test_without_a_chat_template_the_base_is_asked_without_one_alone(monkeypatch):
    evaluate = asker(none=40)
    monkeypatch.setattr(EVALUATE, evaluate)
    bare = SimpleNamespace(chat_template=None)
    check_template(None, bare, score(20, 100), replace(SAMPLING, template="none"), None, Console(quiet=True))
    assert [asked[:2] for asked in evaluate.asked] == [("none", "plain")]
