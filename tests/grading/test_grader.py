"""The grader against real golds, equal and unequal answers, and answers made to hang it."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinyreason.errors import DataError
from tinyreason.example import Example
from tinyreason.grading import grader as grader_module
from tinyreason.grading.answers import gold_text
from tinyreason.grading.grader import Grader, grade_rows

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
TIMEOUT_S = 0.5
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

TOWER = "9^{9^{9^9}}"
HOSTILE = {
    "a tower of powers": TOWER,
    "the factorial of 10^100": "(10^{100})!",
    "a sum of 10^12 terms": r"\sum_{n=1}^{10^{12}} \frac{1}{n^2}",
    "nine hundred parentheses": "(" * 900 + "1" + ")" * 900,
    "nested fractions": r"\frac{1}{" * 150 + "1" + "}" * 150,
    "a thousand ones": "1+" * 900 + "1",
    "a null byte": "1\x00",
    "a lone surrogate": "\ud800",
    "control characters": "\x07\x1b[31m1\r\n\x08",
    "Python": "__import__('os')._exit(1)",
    "two thousand bars": "|" * 2_000,
}


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2, timeout_s=TIMEOUT_S) as grader:
        yield grader


@pytest.fixture(scope="module")
def patient_grader():
    with Grader(workers=2) as grader:
        yield grader


def verdict(grader, completion, answer):
    return grader.grade([completion], [answer])[0]


def examples(golds):
    return [Example("", ({"role": "user", "content": "?"},), gold) for gold in golds]


def boxed(answer):
    return f"so it is $\\boxed{{{answer}}}$."


# What counts as the answer. The golds are integers, so no worker is needed.


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"\boxed{17} or rather \boxed{18}", "18"),
        (r"\boxed{18} or \boxed{17", "18"),
        (r"\boxed{18} or \boxed{\frac{17}{1}", "18"),
        (r"\boxed{17} then \boxed {18}", "18"),
        (r"\boxed{ 1,234 }", "1234"),
        (r"\boxed{18.}", "18"),
        (r"then \\\boxed{18} and 5", "18"),
        (r"\boxed{18} #### 17", "18"),
        (r"\boxed{\boxed{18}}", "18"),
        (r"a { never closed, \boxed{18}", "18"),
        (r"a } never opened, \boxed{18}", "18"),
        ("16 - 3 = 13\n#### 18", "18"),
        ("#### 17\n#### 18", "18"),
        ("#### 18\n\nQuestion: how many are 3 and 4?", "18"),
        ("#### $1,800", "1800"),
        ("#### 18 dollars.", "18"),
        (r"<think>\boxed{17}</think> \boxed{18}", "18"),
        (r"it was \boxed{17} before</think>\boxed{18}", "18"),
        (r"<think>a</think><think>\boxed{17}</think>#### 18", "18"),
    ],
)
def test_the_marked_answer_decides(grader, completion, answer):
    assert verdict(grader, completion, answer).correct is True
    assert verdict(grader, completion, "17").correct is False


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "  \n",
        r"\boxed{}",
        r"\boxed{18",
        "####",
        r"<think>\boxed{18}",
        r"<think>it is \boxed{18}. </think>",
        r"it is \boxed{18}. </think>",
        "I cannot tell.",
    ],
)
def test_no_answer_is_incorrect_and_says_so(grader, completion):
    said = verdict(grader, completion, "18")
    assert (said.correct, said.extracted, said.note) == (False, None, "no answer found")


@pytest.mark.parametrize(
    "completion",
    [
        "3 and 4 make 18.",
        "The answer is **18**.",
        "It costs $18",
        "so $x = 18$",
        "#### Step 2: add\nso that is 18",
        "#### 1. Add\nThat is 18",
        r"x is 18, so \boxed{17",
    ],
)
def test_without_a_mark_the_last_number_is_the_answer(grader, completion):
    assert verdict(grader, completion, "18").correct is True
    assert verdict(grader, completion, "4").correct is False


def test_the_verdict_shows_what_was_compared(grader):
    assert verdict(grader, boxed(r"\frac{8}{6}"), r"\frac43").extracted == r"\frac{8}{6}"
    assert verdict(grader, "so $x = 18$", "18").extracted == "18"


@pytest.mark.parametrize("answer", [r"\{1, 2\}", r"1\\{2}", r"(1, 2\}", "{1, 2}", "a_{b^{c}}"])
def test_escaped_braces_do_not_open_or_close_a_box(grader, answer):
    assert verdict(grader, boxed(answer), r"\frac12").extracted == answer


# What is equal.


@pytest.mark.parametrize(
    ("gold", "equal", "other"),
    [
        ("Half of 36 is <<36/2=18>>18.\n#### 18", "18", "36"),
        (r"We have $x = 3$, so $\boxed{\frac{4}{3}}$.", r"\frac{8}{6}", "3"),
        (r"\frac{4}{3}", "4/3", r"\frac{3}{4}"),
        ("1,234", "1234", "1"),
        ("1234", "1{,}234", "234"),
        ("$2.50$", "2.5", "2.05"),
        ("12.8", "12.80", "12.08"),
        ("p - q", "-q + p", "q - p"),
        (r"\text{Evelyn}", "Evelyn", r"\text{Carla}"),
        (r"(3, \frac{\pi}{2})", r"\left( 3, \frac{\pi}{2} \right)", r"(\frac{\pi}{2}, 3)"),
        ("[1, 2)", r"\left[1,2\right)", "(1, 2]"),
        (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2)", r"(-\infty, 3) \cup (2, \infty)"),
        (r"\{1, 2\}", r"\{2, 1\}", r"\{1, 3\}"),
        ("$69$,$84$", "84, 69", "69"),
        (r"90^\circ", "90", "9"),
        (r"x^2 + 2x + 1", "(x+1)^2", "(x-1)^2"),
        (r"$\frac{1}{2}$.", "0.5", "0.05"),
    ],
)
def test_equal_answers_are_correct_and_others_incorrect(grader, gold, equal, other):
    assert verdict(grader, boxed(equal), gold).correct is True
    assert verdict(grader, boxed(other), gold).correct is False


@pytest.mark.parametrize("gold", ["", "  ", "?", r"\boxed{}", "####", r"\frac{", "1" * 2_001])
@pytest.mark.parametrize("completion", [boxed(5), "?", boxed("?"), "", "<think>", boxed(TOWER)])
def test_an_unparsable_gold_is_none(grader, gold, completion):
    said = verdict(grader, completion, gold)
    assert (said.correct, said.note) == (None, "gold answer cannot be parsed")


def test_a_gold_that_hangs_the_grader_is_none(grader):
    gold = HOSTILE["nine hundred parentheses"]
    said = verdict(grader, boxed(5), gold)
    assert (said.correct, said.note) == (None, "gold answer cannot be parsed")
    assert grader.check_gold(examples([gold])) == [False]


def test_check_gold_tells_the_answers_that_can_be_graded(grader):
    golds = ["work\n#### 18", r"so \boxed{\frac{1}{2}}.", "p - q", "", "?", r"\frac{", "18"]
    assert grader.check_gold(examples(golds)) == [True, True, True, False, False, False, True]


# The fast path.


def test_integers_compared_at_once_are_graded_as_math_verify_does(patient_grader):
    rng = random.Random(0)
    numbers = [0, 7, 18, 999, 1_000, 12_345, 1_234_567, 10**30, *(rng.randrange(10**6) for _ in range(20))]
    forms = [f"{number}" for number in numbers] + [f"{number:,}" for number in numbers]
    forms += [sign + form for form in forms[::3] for sign in "-+"] + ["007", "-0", "00", "1,2", "0,123"]
    pairs = [(boxed(form), form.replace(",", "")) for form in forms]
    pairs += [(boxed(rng.choice(forms)), rng.choice(forms)) for _ in range(150)]
    completions, answers = zip(*pairs, strict=True)
    with Grader(workers=2, fast=False) as slow:
        told = [[said.correct for said in grader.grade(completions, answers)] for grader in (patient_grader, slow)]
    assert told[0] == told[1]
    assert {True, False} <= set(told[0])


def test_integers_start_no_worker():
    before = set(multiprocessing.active_children())
    with Grader(workers=1) as grader:
        assert [said.correct for said in grader.grade([boxed(5), boxed(6)], ["5", "5"])] == [True, False]
        assert set(multiprocessing.active_children()) == before
        verdict(grader, boxed("x"), "x")
        assert set(multiprocessing.active_children()) > before
    assert set(multiprocessing.active_children()) == before


def test_importing_the_module_loads_nothing_heavy():
    heavy = "{'math_verify', 'sympy', 'pebble', 'torch'}"
    code = f"import sys, tinyreason.grading.grader; print({heavy} & set(sys.modules))"
    assert run_python("-c", code).stdout.strip() == "set()"


# Hostile answers.


def test_each_hostile_answer_costs_its_limit_and_the_others_are_graded(grader):
    verdict(grader, boxed("x"), "x")
    completions = [boxed(answer) for name in HOSTILE for answer in (HOSTILE[name], "5")]
    started = time.monotonic()
    verdicts = grader.grade(completions, [r"\frac{10}{2}"] * len(completions))
    seconds = time.monotonic() - started
    assert [said.correct for said in verdicts[0::2]] == [False] * len(HOSTILE)
    assert [said.correct for said in verdicts[1::2]] == [True] * len(HOSTILE)
    assert verdicts[0].note == "took longer than 0.5 s"
    assert max(said.seconds for said in verdicts) <= TIMEOUT_S + 0.1
    assert seconds < patience(len(HOSTILE) * TIMEOUT_S)


@linux
def test_a_worker_ends_itself_when_its_time_is_over():
    code = f"from tinyreason.grading.worker import Pair, compare_answers; compare_answers(Pair('5', {TOWER!r}), 0.2)"
    assert run_python("-c", code, check=False).returncode == -signal.SIGPROF


@pytest.mark.parametrize(
    "completion",
    [
        boxed("1" * 1_000_000),
        boxed("(" * 1_000_000),
        boxed("x" * 2_001),
        boxed("{" * 500_000 + "}" * 500_000),
        "#### " + "1" * 1_000_000,
    ],
)
def test_an_answer_too_long_is_incorrect_straight_away(grader, completion):
    started = time.monotonic()
    said = verdict(grader, completion, "1")
    assert time.monotonic() - started < patience(1)
    assert (said.correct, said.note) == (False, "answer longer than 2,000 characters")


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "{", "}", "\\", "\\boxed ", "$ ", "1", "####\n", "<think></think>", "answer 1 ", "\x00"]
)
def test_a_megabyte_of_anything_is_read_in_seconds(grader, piece):
    completion = piece * (1_000_000 // len(piece))
    started = time.monotonic()
    said = verdict(grader, completion, r"\frac{5}{7}")
    assert time.monotonic() - started < patience(TIMEOUT_S + 1)
    assert said.correct is False


@linux
def test_a_worker_cannot_eat_the_memory():
    code = "from tinyreason.grading import worker; worker._prepare(); bytes(worker.MEMORY_BYTES)"
    assert "MemoryError" in run_python("-c", code, check=False).stderr


def test_a_hostile_answer_repeated_is_graded_once(grader):
    verdict(grader, boxed("x"), "x")
    started = time.monotonic()
    verdicts = grader.grade([boxed(f"{TOWER}+1")] * 64, ["5"] * 64)
    assert time.monotonic() - started < patience(TIMEOUT_S)
    started = time.monotonic()
    assert verdict(grader, boxed(f"{TOWER}+1"), "5") == verdicts[0]
    assert time.monotonic() - started < patience(0.1)


def test_only_so_many_pairs_are_remembered(monkeypatch):
    monkeypatch.setattr(grader_module, "REMEMBERED_PAIRS", 10)
    with Grader() as grader:
        verdicts = grader.grade([boxed(number) for number in range(50)], ["7"] * 50)
        assert [number for number, said in enumerate(verdicts) if said.correct] == [7]
        assert len(grader._remembered) == 10


# Where it runs.


def test_a_worker_that_dies_costs_only_its_answer():
    with Grader(workers=1, timeout_s=20) as grader:
        verdict(grader, boxed("x"), "x")
        threading.Timer(0.5, kill_children).start()
        verdicts = grader.grade([boxed(TOWER), boxed("5")], [r"\frac{10}{2}"] * 2)
    assert [(said.correct, said.note) for said in verdicts] == [(False, "grader process died"), (True, "")]


def test_a_worker_that_dies_between_two_questions_is_replaced():
    with Grader(workers=1) as grader:
        verdict(grader, boxed("x"), "x")
        kill_children()
        time.sleep(0.5)
        assert verdict(grader, boxed("y"), "y").correct is True


def test_threads_share_one_grader(grader):
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda n: verdict(grader, boxed(rf"\frac{{{2 * n}}}{{2}}"), f"{n}").correct, range(20)))
    assert told == [True] * 20


@linux
def test_an_unguarded_script_is_not_run_again_by_the_workers(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
        print("once")
        from tinyreason.grading.grader import Grader
        print(Grader(workers=1).grade([r"\\boxed{x}"], ["x"]))
        """)
    )
    done = run_python(str(script))
    assert done.stdout.count("once") == 1
    assert "correct=True" in done.stdout
    assert done.stderr == ""


@linux
@pytest.mark.slow
def test_an_interrupt_leaves_no_process_and_a_grader_that_works(tmp_path):
    process = start_hung_script(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert "[True, False]" in out, err
    assert processes_end("GRADING_TEST", within_s=patience(1))


@linux
@pytest.mark.slow
def test_a_killed_parent_leaves_no_process(tmp_path):
    process = start_hung_script(tmp_path)
    process.kill()
    process.communicate(timeout=120)
    assert processes_end("GRADING_TEST", within_s=patience(3))


# Rows.


def test_rows_are_graded_in_order_and_as_they_come(grader, monkeypatch):
    monkeypatch.setattr(grader_module, "ROWS_AT_ONCE", 2)
    taken = []
    rows = (
        {"completion": boxed(n), "gold": gold} for n, gold in enumerate(["0", 7, 2.0, "?", "4"]) if not taken.append(n)
    )
    verdicts = grade_rows(rows, "completion", "gold", grader)
    assert next(verdicts).correct is True
    assert taken == [0, 1]
    assert [said.correct for said in verdicts] == [False, True, None, True]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"completion": "5", "answr": "5"}, "row 2 has no field 'answer'; did you mean 'answr'?"),
        ({"completion": ["5"], "answer": "5"}, r"row 2 holds \['5'\] in 'completion'; give text"),
        ({"completion": "5", "answer": None}, "row 2 holds None in 'answer'; give text"),
    ],
)
def test_a_row_that_cannot_be_graded_is_named(grader, row, message):
    rows = [{"completion": "5", "answer": "5"}, row]
    with pytest.raises(DataError, match=message):
        list(grade_rows(rows, "completion", "answer", grader))


def test_as_many_answers_as_completions_are_needed(grader):
    with pytest.raises(ValueError, match="zip"):
        grader.grade(["5", "6"], ["5"])


# Published data.

UNPARSABLE = {
    "olympiadbench": {
        "$t(0,4]$": "a slip in the data",
    },
    "minerva_math": {
        "np.arcsin(10/13)": "Python, not mathematics",
        "E_{1},E_{2}": "Math-Verify takes E for Euler's number, which has no index",
        r"\frac{dM}{dt}=\frac{10^{5} L_{\odot}}{0.007 c^{2} M_{\odot}^{6}} M^{6}": r"Math-Verify cannot read \odot",
    },
}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("gsm8k_test", "answer"),
        pytest.param("math500", "answer", marks=pytest.mark.stress),
        ("aime24", "answer"),
        ("aime24", "solution"),
        ("aime25", "answer"),
        ("amc23", "answer"),
        pytest.param("minerva_math", "solution", marks=pytest.mark.stress),
        pytest.param("olympiadbench", "final_answer", marks=pytest.mark.stress),
    ],
)
def test_published_gold_answers_score_themselves_correct(patient_grader, name, field):
    """The benchmarks' tests grade the golds of the three long files too, so here they are stress."""
    golds = [row[field][0] if isinstance(row[field], list) else str(row[field]) for row in published(name)]
    fine = patient_grader.check_gold(examples(golds))
    failed = {gold_text(gold) for gold, is_fine in zip(golds, fine, strict=True) if not is_fine}
    assert failed == set(UNPARSABLE.get(name, {}))


@pytest.mark.parametrize("rows", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_published_solutions_are_correct_and_those_of_other_problems_incorrect(patient_grader, rows):
    problems = published("math500")[:rows]
    solutions, answers = [row["solution"] for row in problems], [row["answer"] for row in problems]
    others = answers[1:] + answers[:1]
    assert all(said.correct for said in patient_grader.grade(solutions, answers))
    mixed = patient_grader.grade(solutions, others)
    same = {(a, b) for a, b, said in zip(answers, others, mixed, strict=True) if said.correct and a != b}
    assert same <= {("5", "x=5")}
    assert sum(said.correct for said in mixed) < rows / 20


@pytest.mark.slow
@pytest.mark.stress
def test_two_hundred_rows_are_graded_in_a_second():
    """Half integers, half LaTeX of which half is correct; hardly a pair repeats."""
    rng = random.Random(0)
    integers = [(row["answer"], row["answer"]) for row in published("gsm8k_train")]
    golds = [row["answer"] for row in published("math500")]
    fractions = [rf"\frac{{{rng.randrange(1, 999)}}}{{{rng.randrange(2, 99)}}}" for _ in range(2_500)]
    latex = [(boxed(rng.choice((gold, fraction))), gold) for gold, fraction in zip(golds * 5, fractions, strict=True)]
    pairs = rng.sample(integers, 2_500) + latex
    rng.shuffle(pairs)
    with Grader(workers=2) as grader:
        started = time.monotonic()
        verdicts = grader.grade(*map(list, zip(*pairs, strict=True)))
        seconds = time.monotonic() - started
    assert sum(said.correct for said in verdicts) > 3_500
    assert len(pairs) / seconds > 200


# Means.


def published(name):
    file = DATA / f"{name}.jsonl"
    if not file.exists():
        pytest.skip(f"{file.name} is not in ../shared/data")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def patience(work_s):
    """How long that much work may take on the wall, given what this machine grants us now: four times its share."""
    wall, work = time.monotonic(), time.process_time()
    while time.process_time() - work < 0.05:
        pass
    return 4 * work_s * (time.monotonic() - wall) / 0.05


def run_python(*arguments, check=True):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, text=True, capture_output=True, check=check, timeout=120)


def kill_children():
    for child in multiprocessing.active_children():
        child.kill()


def start_hung_script(folder):
    """A script in a process group of its own that grades a hanging answer, and after an interrupt two others."""
    script = folder / "hung.py"
    script.write_text(
        textwrap.dedent("""
        import signal
        from tinyreason.grading.grader import Grader
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
        grader = Grader(timeout_s=2)
        grader.grade(["y"], ["x"])
        print("ready", flush=True)
        try:
            grader.grade([r"\\boxed{9^{9^{9^9}}}"], ["5"])
        except KeyboardInterrupt:
            print([said.correct for said in grader.grade([r"\\boxed{y}", r"\\boxed{z}"], ["y", "x"])])
        """)
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GRADING_TEST": str(folder)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, str(script)], env=env, start_new_session=True, **pipes)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.4)
    return process


def processes_end(mark, within_s):
    """Whether no other process with `mark` in its environment is left in time."""
    deadline = time.monotonic() + within_s
    own = str(os.getpid())
    while any(mark in environment(pid) for pid in os.listdir("/proc") if pid.isdigit() and pid != own):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def environment(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""
