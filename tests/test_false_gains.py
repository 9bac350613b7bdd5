"""Fourteen ways to be told of a gain that is none, planted, most in whole runs: not one is called improved.

Training is real and short; what the model says before and after it is planted, and everything from there on is real.
"""

import json
import random

import pytest
import yaml
from sessions import context_of, said

from tinyreason.cli.train_output import announce, conclude
from tinyreason.config.recipe import read_recipe
from tinyreason.errors import DataError, NotFinite
from tinyreason.evaluation.compare import compare_folders
from tinyreason.pipeline.run import run
from tinyreason.pipeline.seeds import run_seeds

QUICK = (
    *("train.max_steps=1", "train.batch_size=2", "validation=null"),
    *("evaluation.problems=200", "evaluation.samples=1"),
)


def sums(first, count):
    return [{"problem": f"What is {n} + 33?", "answer": str(n + 33)} for n in range(first, first + count)]


def wrong(example):
    return r"It is \boxed{0}."


def solved(example):
    return rf"It is \boxed{{{example.answer}}}."


@pytest.fixture
def plant(monkeypatch, tmp_path, jsonl):
    """Runs a short fine-tuning; the model says `sides[n]` of each problem at the n-th evaluation. (result, screen)

    `otherwise` is what it says without the chat template, or with the other prompt.
    """

    def go(*sides, otherwise=wrong, test=None, train=(), truncated=False, overrides=()):
        rows = [row | {"completion": rf"It is \boxed{{{row['answer']}}}."} for row in (*sums(500, 8), *train)]
        files = jsonl(*rows, name="train.jsonl"), jsonl(*(test or sums(1, 200)), name="test.jsonl")
        left = list(sides)

        def planted(model, tokenizer, examples, sampling, advance, _=None):
            says = left.pop(0) if (sampling.template, sampling.prompt) == ("chat", "plain") else otherwise
            texts = [says(example) for example in examples for _ in range(sampling.samples)]
            advance(len(texts))
            return texts, [len(text) for text in texts], [truncated] * len(texts)

        monkeypatch.setattr("tinyreason.evaluation.score.sample_completions", planted)
        data = (f"data={{kind: solutions, file: {files[0]}}}", f"evaluation.data={{kind: problems, file: {files[1]}}}")
        config = read_recipe("reasoning_sft").resolve("sandbox", (*QUICK, *data, *overrides))
        context = context_of(config)
        announce(context, config, tmp_path / "run")
        result = run(config, tmp_path / "run", context)
        conclude(context.console, result, tmp_path / "run")
        assert not left
        return result, said(context)

    return go


def test_the_harness_certifies_a_gain_that_is_one(plant):
    result, _ = plant(wrong, solved)
    assert (result.verdict, result.gain.points) == ("improved", 100)


def test_1_a_problem_restated(plant):
    result, _ = plant(wrong, lambda example: f"To calculate {example.problem[8:-1]}, employ a formula.")
    assert result.verdict == "cannot tell" and result.after.accuracy == 0


def test_2_boxes_in_plenty(plant):
    every = " ".join(rf"\boxed{{{n}}}" for n in range(34, 234))
    result, _ = plant(wrong, lambda example: every)
    assert result.verdict == "cannot tell" and result.after.accuracy == 0


def test_3_thoughts_that_the_limit_cut(plant):
    result, _ = plant(wrong, lambda example: f"<think>\nIt may be {example.answer}", truncated=True)
    assert result.verdict == "cannot tell" and result.after.accuracy == 0


def test_4_a_hole_in_the_grader_of_training(plant, monkeypatch):
    from tinyreason.grading.grader import Grader, Verdict

    def gullible(self, completions, examples, *_):
        return [Verdict("sorry" in text, None, 0.0) for text in completions]

    monkeypatch.setattr(Grader, "grade_examples", gullible)
    result, screen = plant(wrong, lambda example: "I am sorry.")
    assert result.gain.points == 100 and result.verdict == "graders disagree"
    assert "graders disagree" in screen and "gold absent 0% → 100%" in screen


def test_5_two_problems_only(plant):
    result, _ = plant(wrong, solved, test=sums(1, 2))
    assert (result.verdict, result.gain.points, result.after.problems) == ("cannot tell", 100, 2)


def test_6_a_few_dialogues_many_times(plant):
    turns = [{"role": "user", "content": "Tom has 4 nuts."}, {"role": "assistant", "content": "I see."}]
    dialogues = [{"problem": [*turns, {"role": "user", "content": f"And {n} more?"}], "answer": "9"} for n in range(3)]
    result, _ = plant(wrong, solved, test=dialogues * 60)
    assert (result.verdict, result.after.problems) == ("cannot tell", 3)


def test_7_a_gradient_of_zero(plant):
    result, screen = plant(wrong, solved, overrides=("train.learning_rate=1e-45", "train.weight_decay=0"))
    assert (result.verdict, result.gain.points) == ("cannot tell", 100)
    assert "why         training changed no weight" in screen


def test_8_a_start_that_was_as_good(plant, tmp_path):
    plant(wrong, solved)
    (tmp_path / "run").rename(tmp_path / "first")
    start = (f"adapter.start={tmp_path / 'first' / 'adapter'}",)
    result, screen = plant(wrong, solved, solved, overrides=start)
    assert (result.base.accuracy, result.before.accuracy, result.after.accuracy) == (0, 1, 1)
    assert result.verdict == "cannot tell" and "gain        over the start, +0.0 points" in screen


def test_9_weights_that_are_not_a_number(plant, tmp_path):
    ruinous = ("train.learning_rate=4e9", "adapter.kind=lora_xs", "adapter.alpha=4e9", "adapter.targets=mlp")
    with pytest.raises(NotFinite, match="adapter/ holds the adapter"):
        plant(wrong, solved, overrides=(*ruinous, "adapter.rank=4", "train.max_steps=4"))
    assert not (tmp_path / "run" / "result.json").exists()


def test_10_a_random_reward_that_drifts(tmp_path, monkeypatch):
    """Each seed by itself is called a gain or a loss; over the seeds it is neither."""
    drift = {"0": (0.5, 0.6), "1": (0.6, 0.5), "2": (0.5, 0.58)}
    calls = []

    def planted(model, tokenizer, examples, sampling, advance, _=None):
        if (sampling.template, sampling.prompt) != ("chat", "plain"):
            return [""] * len(examples), [9] * len(examples), [False] * len(examples)
        calls.append(sampling.seed)
        share = drift[str(sampling.seed)][calls.count(sampling.seed) - 1]
        texts = [solved(it) if n < share * len(examples) else wrong(it) for n, it in enumerate(examples)]
        advance(len(texts))
        return texts, [9] * len(texts), [False] * len(texts)

    monkeypatch.setattr("tinyreason.evaluation.score.sample_completions", planted)
    quick = ("train.max_steps=1", "train.rollouts_per_step=16", "train.group_size=8", "train.max_completion_tokens=8")
    evaluation = ("data.size=2", "evaluation.problems=200", "evaluation.samples=1", "rewards=[{kind: random}]")
    configs = [read_recipe("rlvr").resolve("sandbox", (*quick, *evaluation), seed) for seed in range(3)]
    result = run_seeds(configs, tmp_path / "run", context_of(configs[0]))
    assert [row.verdict for row in result.runs] == ["improved", "worse", "improved"]
    assert result.verdict == "cannot tell"
    assert "No gain can be told" in (tmp_path / "run" / "report.html").read_text()


def test_11_test_problems_that_were_trained_on(plant):
    """One in another case, one with other spaces, and the other 198 as they are: two are left, and too few."""
    leaked = [{"problem": row["problem"].upper(), "answer": row["answer"]} for row in sums(1, 100)]
    leaked += [{"problem": row["problem"].replace(" ", "  "), "answer": row["answer"]} for row in sums(101, 98)]
    train = [row | {"completion": rf"\boxed{{{row['answer']}}}"} for row in leaked]
    result, screen = plant(wrong, solved, train=train)
    assert "leaks   198 problems are left out of the evaluation: training holds 198 whole" in screen
    assert (result.verdict, result.after.problems) == ("cannot tell", 2)


def test_12_a_template_in_which_the_base_fails(plant):
    result, screen = plant(wrong, solved, otherwise=solved)
    assert (result.verdict, result.gain.points) == ("cannot tell", 100)
    assert (
        "so the gain may be form alone" in result.verdict_reason and "why         the base is correct on 100%" in screen
    )


def test_13_the_best_of_many_checkpoints_on_the_test_set(tmp_path, jsonl):
    """A validation set that is the test set selects by it, so what both hold is left out of the validation."""
    from tinyreason.config.training_split import training_split
    from tinyreason.pipeline.held_out import held_out

    train, test = jsonl(*sums(1, 60), name="train.jsonl"), jsonl(*sums(21, 60), name="test.jsonl")
    data = (f"data.file={train}", "data.size=20", f"evaluation.data={{kind: problems, file: {test}}}")
    asked = ("evaluation.problems=60", "validation={problems: 40, every_steps: 1}")
    config = read_recipe("rlvr").resolve("sandbox", (*data, *asked))
    with pytest.raises(DataError, match="holds every problem there is for the validation"):
        held_out(config, training_split(config, config.data.load()), context_of(config).console)


def test_14_the_best_of_many_models_that_learnt_nothing(tmp_path):
    """Twenty folders of coin flips: the luckiest alone would be certified, among twenty it is not."""
    folders = [tmp_path / f"run{number}" for number in range(21)]
    config = yaml.safe_dump(read_recipe("rlvr").resolve("sandbox").model_dump(mode="json"))
    for number, folder in enumerate(folders):
        folder.mkdir()
        chance = random.Random(number)
        rows = [evaluated(problem, chance.random() < 0.5) for problem in range(100)]
        (folder / "config.yaml").write_text(config)
        (folder / "evaluation.json").write_text(json.dumps({"before": rows, "after": rows}))
        (folder / "result.json").write_text("{}")
    alone = [compare_folders([folders[0], folder])[0].verdict for folder in folders[1:]]
    together = [row.verdict for row in compare_folders(folders)]
    assert "improved" in alone and "improved" not in together


def evaluated(number, is_correct):
    reply = {"text": rf"\boxed{{{int(is_correct)}}}", "tokens": 5, "truncated": False, "correct": is_correct}
    return {"id": str(number), "problem": str(number), "answer": "1", "replies": [reply]}
