"""Problems are told apart by all that is said in them, and too few of them are never passed over in silence."""

import json
from itertools import islice
from pathlib import Path

import pytest
from sessions import context_of, said
from synthetic_run import outcome, write_run

from tinyreason.cli.train_output import announce, conclude
from tinyreason.config.recipe import read_recipe
from tinyreason.config.training_split import training_split
from tinyreason.data.held_back import Split, hold_back
from tinyreason.data.problems import Problems
from tinyreason.errors import DataError
from tinyreason.evaluation.compare import compare_folders
from tinyreason.evaluation.contamination import audit_summary, find_contamination
from tinyreason.example import Example
from tinyreason.grading.grader import Grader
from tinyreason.pipeline.held_out import held_out
from tinyreason.pipeline.problems import read_problems
from tinyreason.pipeline.run import run
from tinyreason.reporting.report import write_report
from tinyreason.runs.folder import RunFolder
from tinyreason.runs.result import RunResult, TemplateCheck

LAST_TURNS = ("And now?", "How many are left?", "What is the sum?", "Give the total.")


def dialogue(number):
    """One of many conversations that end in four last turns."""
    turns = [
        {"role": "user", "content": f"Tom has {number} apples and buys {number + 3}."},
        {"role": "assistant", "content": "I see."},
        {"role": "user", "content": LAST_TURNS[number % 4]},
    ]
    return {"problem": turns, "answer": str(2 * number + 3)}


def config_of(*overrides):
    quick = ("train.max_steps=1", "train.rollouts_per_step=4", "train.group_size=4", "train.max_completion_tokens=8")
    return read_recipe("rlvr").resolve("sandbox", (*quick, "data.size=null", "evaluation.samples=1", *overrides))


def problems_of(tmp_path, *overrides):
    """(problems of the run, what was on the screen)"""
    config = config_of(*overrides)
    context = context_of(config)
    announce(context, config, tmp_path / "run")
    with RunFolder(tmp_path / "run") as folder, Grader() as grader:
        return read_problems(config, folder, grader, context.console), said(context)


def test_eighty_dialogues_that_share_four_last_turns_are_eighty_problems(jsonl, tmp_path):
    test = jsonl(*(dialogue(number) for number in range(80)), name="test.jsonl")
    train = jsonl({"problem": LAST_TURNS[0], "answer": "1"}, dialogue(7), name="train.jsonl")
    overrides = (f"data.file={train}", "validation=null", f"evaluation.data={{kind: problems, file: {test}}}")
    problems, _ = problems_of(tmp_path, *overrides)
    assert len(problems.evaluation) == 79  # one of the eighty is trained on
    assert len({example.identity for example in problems.evaluation}) == 79
    held = Problems(file=test)
    parts = [held.held_out(80, purpose, without=set()) for purpose in ("test", "validation")]
    assert [len(part) for part in parts] == [40, 40]
    assert not {example.identity for example in parts[0]} & {example.identity for example in parts[1]}


def test_the_audit_calls_dialogues_identical_only_where_every_turn_is(jsonl):
    everything = Problems(file=jsonl(*(dialogue(number) for number in range(8)))).load()
    findings = find_contamination(everything[:1], everything[4:5], lambda _: None)  # the same last turn
    assert audit_summary(findings, everything[:1], everything[4:5]).counts["identical"] == 0
    copy = find_contamination(everything[:1], everything[:1], lambda _: None)
    assert audit_summary(copy, everything[:1], everything[:1]).counts["identical"] == 1
    told = Example("x", ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}), "4")
    bare = Example("y", ({"role": "user", "content": "2+2?"},), "4")
    assert [finding.kind for finding in find_contamination([told], [bare], lambda _: None)] == ["identical"]


def test_runs_on_dialogues_are_compared_on_each_of_them(jsonl, tmp_path):
    file = jsonl(*(dialogue(number) for number in range(16)))
    overrides = (f"data.file={file}", "validation=null", f"evaluation.data={{kind: problems, file: {file}}}")
    train = jsonl({"problem": "1+1?", "answer": "2"}, name="train.jsonl")
    config = config_of(*overrides, f"data.file={train}")
    result = run(config, tmp_path / "run", context_of(config))
    rows = json.loads((tmp_path / "run" / "evaluation.json").read_text())["after"]
    assert len(rows) == result.after.problems == 16
    assert {row["problem"] for row in rows} == set(LAST_TURNS)
    assert len({row["conversation"] for row in rows}) == 16
    assert compare_folders([tmp_path / "run", tmp_path / "run"])[0].problems == 16


def test_fewer_problems_than_asked_for_are_said_first_in_the_table_and_on_the_page(jsonl, tmp_path):
    file = jsonl(*({"problem": f"{number}+1?", "answer": str(number + 1)} for number in range(20)))
    overrides = (f"data.file={file}", "data.size=4", "validation.problems=64", "validation.every_steps=1")
    config = config_of(*overrides, "evaluation.problems=100")
    context = context_of(config)
    announce(context, config, tmp_path / "run")
    result = run(config, tmp_path / "run", context)
    conclude(context.console, result, tmp_path / "run")
    screen = said(context)
    count, others = result.after.problems, result.training.validation_problems
    assert 0 < count < 20 and 0 < others < 20
    assert f"problems {count} in the evaluation, {others} in the validation; none" in screen
    assert f"evaluation.problems=100 are asked for, and the data holds only {count}" in screen
    assert f"validation.problems=64 are asked for, and the data holds only {others}" in screen
    assert screen.index("are asked for") < screen.index("unseen problems")
    assert f"{count} unseen problems, not 100, 1 completion each" in screen and "64 problems" not in screen
    assert (result.asked_problems, result.available_problems) == (100, count)
    assert "Asked for were 100 problems" in Path(tmp_path / "run" / "report.html").read_text()


def test_as_many_as_asked_for_are_said_without_a_caveat(tmp_path):
    problems, screen = problems_of(tmp_path, "data.size=4", "evaluation.problems=12", "validation=null")
    assert "problems 12 in the evaluation; none of them is trained on" in screen and "caveat" not in screen
    assert (len(problems.evaluation), problems.available) == (12, 48)


@pytest.mark.parametrize(
    ("available", "words"),
    [
        (1024, "four times as many (evaluation.problems) halve it."),
        (256, "the data holds no more for it; give more in evaluation.data."),
        (300, "the data holds only 300 for it (evaluation.problems); for more give evaluation.data."),
    ],
)
def test_more_problems_are_advised_only_where_the_source_holds_them(tmp_path, available, words):
    values = outcome(points=1.0, interval=(-9.0, 11.0), verdict="cannot tell")
    folder = write_run(tmp_path / "run", **values | {"available_problems": available})
    page = write_report([folder]).read_text()
    assert "Too few problems to tell" in page and words in page
    assert ("four times as many" in page) == (available == 1024)


def test_that_the_base_does_no_better_is_said_only_where_ten_points_are_excluded():
    def check(high):
        gain = {"points": 0.0, "interval": [-high, high]}
        way = {
            "template": "none",
            "prompt": "plain",
            "accuracy": 0.5,
            "correct": "01",
            "gain": gain,
            "verdict": "cannot tell",
        }
        return TemplateCheck.model_validate({"problems": 64, "asked": 0.5, "others": [way]})

    assert check(9.9).excludes_much and not check(10.1).excludes_much


def test_an_older_result_without_these_counts_is_read():
    assert RunResult.model_validate(outcome()).is_short_of_problems is False


def story(number, word="crates"):
    """A problem of its own numbers, long enough that one other word leaves it nearly the same."""
    text = (
        f"A farmer drives to the market with {number * 7 + 3} {word} of apples and sells {number} of them before noon."
    )
    return {"problem": f"{text} How many are left?", "answer": str(number * 6 + 3)}


def shouted(row):
    return row | {"problem": row["problem"].upper().replace(" ", "  ")}


def asked_of(problems):
    return [example.problem for example in problems]


def test_leaked_copies_of_training_problems_are_left_out_and_the_next_take_their_place(jsonl, tmp_path):
    train = jsonl(*(story(number) for number in range(8)), name="train.jsonl")
    leaked = [story(0), shouted(story(1)), story(2, "boxes")]
    test = jsonl(*leaked, *(story(number) for number in range(20, 60)), name="test.jsonl")
    own = f"evaluation.data={{kind: problems, file: {test}}}"
    problems, screen = problems_of(tmp_path, f"data.file={train}", own, "evaluation.problems=12", "validation=null")
    assert asked_of(problems.evaluation) == [story(number)["problem"] for number in range(20, 32)]
    assert "leaks   3 problems are left out of the evaluation: training holds 2 whole, 1 nearly" in screen
    assert problems.available == 40


def test_nothing_is_left_where_all_of_a_test_set_is_leaked_and_one_sentence_says_so(jsonl, tmp_path):
    train = jsonl(*(story(number) for number in range(4)), name="train.jsonl")
    test = jsonl(*(shouted(story(number)) for number in range(4)), name="test.jsonl")
    own = f"evaluation.data={{kind: problems, file: {test}}}"
    with pytest.raises(DataError, match=r"training holds every problem .* evaluation, whole or nearly; give other"):
        problems_of(tmp_path, f"data.file={train}", own, "validation=null")


def test_the_held_out_part_of_a_file_has_no_copy_of_the_part_that_is_trained_on(jsonl, tmp_path):
    rows = [story(number) for number in range(30)] + [shouted(story(0)), story(1, "boxes")]
    file = jsonl(*rows)
    every = ("evaluation.problems=100", "validation.problems=100", "validation.every_steps=1")
    problems, screen = problems_of(tmp_path, f"data.file={file}", "data.size=2", *every)
    held_out = [text.lower() for text in asked_of(problems.evaluation + problems.validation)]
    assert len(held_out) == 28 and not any("sells 0 of" in text or "sells 1 of" in text for text in held_out)
    assert screen.count("leaks   ") in (1, 2)


def test_the_sandbox_is_not_compared_with_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("tinyreason.evaluation.contamination.KnownProblems.likenesses", None)
    problems, screen = problems_of(tmp_path, "data.size=4", "evaluation.problems=12", "validation.problems=12")
    assert (len(problems.evaluation), len(problems.validation), "leaks" in screen) == (12, 12, False)


def test_sandbox_test_problems_that_are_trained_on_from_a_file_are_left_out(jsonl, tmp_path):
    asked = list(islice(Problems(name="sandbox").examples("test"), 16))
    file = jsonl(*({"problem": one.problem, "answer": one.answer} for one in asked))
    own = "evaluation.data={kind: problems, name: sandbox}"
    problems, screen = problems_of(tmp_path, f"data.file={file}", own, "evaluation.problems=16", "validation=null")
    assert len(problems.evaluation) == 16 and not {one.problem for one in asked} & set(asked_of(problems.evaluation))
    assert "left out of the evaluation: training holds 16 whole" in screen


def test_the_validation_set_has_no_copy_of_an_evaluation_problem(jsonl, tmp_path):
    data = jsonl(*(story(number) for number in range(40)), name="data.jsonl")
    test = jsonl(*(shouted(story(number)) for number in range(10, 20)), story(20, "boxes"), name="test.jsonl")
    own = f"evaluation.data={{kind: problems, file: {test}}}"
    overrides = (f"data.file={data}", "data.size=4", own, "validation.problems=100", "validation.every_steps=1")
    problems, screen = problems_of(tmp_path, *overrides)
    assert len(problems.evaluation) == 11
    chosen_by = " ".join(asked_of(problems.validation))
    assert problems.validation and not any(f"sells {number} of" in chosen_by for number in range(10, 21))
    assert "left out of the validation: training or the evaluation holds" in screen


def test_problems_of_a_warm_up_are_trained_on_too(jsonl, tmp_path):
    warmup = jsonl(*({**story(number), "solution": "So."} for number in range(4)), name="warmup.jsonl")
    test = jsonl(*(story(number) for number in range(2, 9)), name="test.jsonl")
    config = read_recipe("length_grpo").resolve(
        "sandbox",
        (f"warmup.data={{kind: solutions, file: {warmup}}}", f"evaluation.data={{kind: problems, file: {test}}}"),
    )
    evaluation, _, _ = held_out(config, Split(config.data.load(), [], [], 0), context_of(config).console)
    assert asked_of(evaluation) == [story(number)["problem"] for number in range(4, 9)]


def test_a_file_of_thirty_rows_holds_back_a_fifth_and_says_so(jsonl, tmp_path):
    file = jsonl(*(story(number) for number in range(30)))
    problems, screen = problems_of(tmp_path, f"data.file={file}")
    assert (len(problems.training), len(problems.evaluation), problems.available, problems.held_back) == (24, 6, 6, 6)
    assert not {e.identity for e in problems.training} & {e.identity for e in problems.evaluation}
    assert (
        "split   6 for the test held back of 30, 24 to train on; a test set of its own is evaluation.data.file="
        in screen
    )


def test_a_run_says_that_a_sampler_will_learn_little_of_so_few_visits(tmp_path):
    words = ("samplers=[{kind: mopps}]", "data.size=4", "evaluation.problems=4", "validation=null")
    screen = problems_of(tmp_path, *words, "train.max_steps=6", "train.rollouts_per_step=8")[1]
    assert "caveat  sampler mopps learns from 4 visits to a problem or more, and 6 steps come to each of 4" in screen


def test_critiques_are_built_of_the_problems_that_are_not_held_back(jsonl, tmp_path):
    rows = [{"problem": one.problem, "answer": one.answer} for one in islice(Problems(name="sandbox").examples(), 30)]
    config = read_recipe("critique_ft").resolve("sandbox", (f"data.file={jsonl(*rows)}", "evaluation.samples=1"))
    context = context_of(config)
    with RunFolder(tmp_path / "run") as folder, Grader() as grader:
        found = read_problems(config, folder, grader, context.console)
    asked = {example.identity for example in found.evaluation}
    built = [json.loads(line) for line in (tmp_path / "run" / "critiques.jsonl").open()]
    assert (len(asked), found.held_back) == (6, 6) and "6 for the test held back of 30" in said(context)
    assert found.training and len({row["problem"] for row in built}) > 12
    assert not asked & {row["problem"] for row in built}


def test_no_more_is_held_back_than_is_asked_for_and_copies_go_the_same_way(jsonl, tmp_path):
    file = jsonl(*[story(number) for number in range(40)] * 2)
    few = ("evaluation.problems=2", "validation.problems=3", "validation.every_steps=1")
    problems, _ = problems_of(tmp_path, f"data.file={file}", *few)
    assert (len(problems.training), len(problems.evaluation), len(problems.validation)) == (70, 2, 3)
    assert problems.available == 8


def test_nothing_is_held_back_where_a_test_set_is_named_or_the_rest_is_one(jsonl, tmp_path):
    file, test = jsonl(*(story(n) for n in range(10))), jsonl(*(story(n) for n in range(20, 25)), name="t.jsonl")
    problems, screen = problems_of(tmp_path, f"data.file={file}", f"evaluation.data.file={test}")
    assert (len(problems.training), len(problems.evaluation), "held back" in screen) == (10, 5, False)
    problems, screen = problems_of(tmp_path / "other", f"data.file={file}", "data.size=4")
    assert (len(problems.training), "held back" in screen) == (4, False)


def test_a_set_without_answers_to_grade_asks_for_a_test_set_in_one_sentence(jsonl):
    file = jsonl(*({"problem": f"Why {n}?", "solution": "Because."} for n in range(9)))
    config = read_recipe("reasoning_sft").resolve("sandbox", (f"data.file={file}",))
    with pytest.raises(
        DataError, match=r"no column with answers and marks none .* name a test set: evaluation.data.file"
    ):
        training_split(config, config.data.load())
    with pytest.raises(DataError, match=r"has 1 different problems with an answer, too few to hold any back"):
        hold_back([Example("0", ({"role": "user", "content": "?"},), "1")], "rows.jsonl", 4, 0)
