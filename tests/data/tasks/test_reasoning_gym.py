"""The adapter to the library reasoning-gym: which of its scorers are believed, its levels, and where it is missing."""

import inspect
import subprocess
import sys
from importlib.util import find_spec
from itertools import islice

import pytest
from pydantic import ValidationError

from tinyreason.config.preconditions import check_preconditions
from tinyreason.config.recipe import read_recipe
from tinyreason.data.tasks.reasoning_gym import ReasoningGym
from tinyreason.errors import ConfigError, DataError
from tinyreason.example import Example
from tinyreason.grading import gym
from tinyreason.grading.grader import Grader
from tinyreason.grading.graders.reasoning_gym import ReasoningGym as Scored
from tinyreason.grading.strict import accepts

needs_gym = pytest.mark.skipif(not find_spec("reasoning_gym"), reason="reasoning-gym is not installed; an extra, tasks")
UNSAFE = (  # run as Python; run what stands beside it; no gold; points for what is incorrect
    "binary_matrix countdown intermediate_integration n_queens polynomial_multiplication puzzle24 simple_integration "
    "spiral_matrix string_insertion number_sorting bitwise_arithmetic codeio boxnet graph_color propositional_logic "
    "rubiks_cube rush_hour game_of_life_halting spell_backward knights_knaves complex_arithmetic coin_flip "
    "calendar_arithmetic time_intervals word_sorting letter_jumble gsm_symbolic figlet_font isomorphic_strings "
    "ransom_note composite power_function quantum_lock sentence_reordering survo kakurasu advanced_geometry "
    "fraction_simplification"
).split()


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1) as grader:
        yield grader


def some(count=3, **options):
    return list(islice(ReasoningGym(**options).examples("train"), count))


def sum_of(gold, **options):
    options = {"name": "chain_sum"} | options
    return Example("1", ({"role": "user", "content": "?"},), gold, meta={"grader": options}, grader="reasoning_gym")


def test_a_task_whose_scorer_cannot_be_believed_is_refused():
    assert not set(UNSAFE) & set(gym.SAFE)
    for name in UNSAFE:
        with pytest.raises(ValidationError, match="whose scorer can be believed"):
            ReasoningGym(name=name)
        with pytest.raises(ValidationError, match="whose scorer can be believed"):
            Scored(name=name)


def test_where_the_library_is_missing_one_sentence_says_so(monkeypatch, grader):
    monkeypatch.setattr(gym.util, "find_spec", lambda name: None)
    gym.scorer_of.cache_clear()
    data = "data={kind: generated, task: {kind: reasoning_gym, name: maze}}"
    config = read_recipe("rlvr").resolve("cpu", (data,))
    with pytest.raises(DataError, match=r"needs the package reasoning-gym.* type: pip install reasoning-gym==0\.1\.25"):
        check_preconditions(config)
    for ask in (lambda: some(name="maze"), lambda: grader.check_gold([sum_of("18")])):
        with pytest.raises(DataError, match="is not installed"):
            ask()


def test_there_are_no_worked_traces_to_ask_for():
    data = "data={kind: generated, task: {kind: reasoning_gym}, traces: true}"
    with pytest.raises(ConfigError, match=r"reasoning_gym has no worked traces; leave data\.traces out"):
        read_recipe("rlvr").resolve("cpu", (data,))


@needs_gym
@pytest.mark.parametrize("name", gym.SAFE)
def test_no_scorer_has_a_word_that_runs_text(name):
    from reasoning_gym.factory import DATASETS

    code = inspect.getsource(DATASETS[name][0].score_answer)
    assert not any(word in code for word in ("eval(", "exec(", "parse_expr", "sympify", "verify_solution"))


@needs_gym
@pytest.mark.parametrize("name", gym.SAFE)
def test_golds_are_correct_and_what_is_incorrect_earns_nothing(name, grader, tmp_path):
    examples, ran = some(name=name), tmp_path / "ran"
    texts = [f"<think>so</think>\\boxed{{{one.answer}}}" for one in examples]
    assert all(verdict.correct for verdict in grader.grade_examples(texts, examples))
    assert accepts(texts[0], examples[0].answer, False, examples[0].rule)
    code = f"__import__('pathlib').Path({str(ran)!r}).write_text('x')"
    for answer in ("x", "nan", "inf", "1e999999999", "[]", "{}", code, f"{examples[0].answer} x"):
        wrong = grader.grade_examples([f"<answer>{answer}</answer>"] * 3, examples)
        assert not any(verdict.correct for verdict in wrong), answer
    assert not ran.exists()


@needs_gym
def test_a_whole_point_is_correct_and_part_of_one_or_a_scorer_that_raises_is_not(grader):
    asked = sum_of("1800")
    answers = {"1800": True, "1,800.0": True, "1801": False, "it is 1800": False}
    found = grader.grade_examples([f"<answer>{one}</answer>" for one in answers], [asked] * 4)
    assert [verdict.correct for verdict in found] == list(answers.values())
    factors = sum_of("2 × 3", name="prime_factorization")
    found = grader.grade_examples([rf"\boxed{{{one}}}" for one in ("3 × 2", "6", "two, three")], [factors] * 3)
    assert [(verdict.correct, verdict.note) for verdict in found] == [
        (True, ""),
        (False, ""),
        (False, "the scorer cannot read it"),
    ]


@needs_gym
def test_levels_and_options_are_the_librarys_and_what_it_refuses_is_one_sentence():
    (example,) = some(1, name="chain_sum", config={"min_terms": 7, "max_terms": 7, "max_digits": 1})
    assert len([one for one in example.problem.partition("\n")[0].split() if one.isdigit()]) == 7
    for config in ({"min_terms": 7}, {"terms": 7}):
        with pytest.raises(DataError, match=r"reasoning-gym refuses data\.task\.name=chain_sum"):
            some(1, config=config)
    with pytest.raises(DataError, match=r"longer than 2,000 characters; give a lower level"):
        some(1, name="modulo_grid", level=2)


@needs_gym
def test_problems_are_the_same_in_another_process():
    code = (
        "from itertools import islice; from tinyreason.data.tasks import TASKS; "
        f"print([next(TASKS['reasoning_gym'](name=name).examples('train')).problem for name in {gym.SAFE!r}])"
    )
    runs = []
    for seed in "12":
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        runs.append(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env).stdout)
    assert runs[0] == runs[1] and len(runs[0]) > 10_000
