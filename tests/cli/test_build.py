"""`critiques build` and `solutions build` as a person types them, against a real server on loopback."""

import json
import logging
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest
from commands import tinyreason
from endpoint import FAULTS, Endpoint

KEY = "sk-test-4f1d-not-for-anyone"
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a problem and attempts at it, and a key in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    lines("problems.jsonl", [{"id": "sum", "problem": "What is 12+30?", "answer": "42"}])
    write_attempts(40)
    before = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)
    logging.captureWarnings(False)


def lines(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_attempts(count):
    lines("attempts.jsonl", [{"problem_id": "sum", "attempt": f"I get \\boxed{{{n}}}."} for n in range(count)])


def rows(name="set.jsonl"):
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def words(*more, url=NOBODY, out="set.jsonl"):
    fixed = "critiques build --data problems.jsonl --attempts-file attempts.jsonl --teacher openai --model m"
    return [*fixed.split(), "--out", out, "--base-url", url, *map(str, more)]


def built(*words):
    """The summary."""
    done = tinyreason(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def complaint(*words):
    line = commands.complaint(*words)
    assert KEY not in line
    assert not Path("set.jsonl").exists()
    return line


# What it builds


def test_every_critique_becomes_a_row_with_its_provenance():
    with Endpoint() as server:
        summary = built(*words("--price-in", 1, "--price-out", 10, url=server.url))
    assert (summary["kept"], summary["requests"], summary["dropped"]) == (40, 40, {})
    assert (summary["tokens_in"], summary["tokens_out"]) == (4000, 800)
    assert summary["cost"] == pytest.approx((4000 + 8000) / 1e6)
    row = rows()[5]
    assert row.pop("id").startswith("sum/")
    assert row.pop("provenance") | {"request_sha256": ""} == {
        **{"attempt_by": "attempts.jsonl", "teacher": "openai", "model": "m", "request_sha256": ""},
        **{"tokens_in": 100, "tokens_out": 20, "cost": pytest.approx(0.0003)},
    }
    assert "What is 12+30?" in row["prompt"] and "I get \\boxed{5}." in row["prompt"]
    assert row | {"prompt": ""} == {
        **{"problem_id": "sum", "problem": "What is 12+30?", "answer": "42", "attempt": "I get \\boxed{5}."},
        **{"attempt_correct": False, "verdict": "wrong", "prompt": ""},
        **dict.fromkeys(("critique", "completion"), "12+30 makes 42, and the attempt says 5.\nConclusion: wrong"),
    }


def test_a_rerun_asks_nothing_again_and_writes_the_same_set():
    with Endpoint() as server:
        built(*words(url=server.url))
        first, asked = Path("set.jsonl").read_bytes(), server.number
        summary = built(*words(url=server.url))
        assert server.number == asked
    assert summary["from_cache"] == 40
    assert Path("set.jsonl").read_bytes() == first


def test_another_model_or_temperature_is_another_request_and_another_address_is_not():
    with Endpoint() as server:
        built(*words(url=server.url))
        assert built(*words("--temperature", 0.3, url=server.url))["from_cache"] == 0
        assert built(*words("--model", "other", url=server.url))["from_cache"] == 0
        assert built(*words("--concurrency", 2, url=server.url.replace("127.0.0.1", "localhost")))["from_cache"] == 40


def test_a_verdict_that_the_grader_does_not_share_is_dropped():
    write_attempts(44)
    with Endpoint(say=lambda body: "Fine. **Conclusion: right** [END]") as server:
        summary = built(*words(url=server.url))
    assert (summary["kept"], summary["dropped"]) == (1, {"verdict against the grader": 43})
    assert rows()[0]["critique"] == "Fine. Conclusion: right"


def test_a_correct_attempt_is_kept_with_the_verdict_right():
    lines("attempts.jsonl", [{"problem": "What is 12+30?", "completion": f"\\boxed{{{n}}}"} for n in (41, 42)])
    with Endpoint() as server:
        built(*words(url=server.url))
    assert [(row["attempt_correct"], row["verdict"]) for row in rows()] == [(False, "wrong"), (True, "right")]


def test_the_same_attempt_is_asked_about_once():
    lines("attempts.jsonl", [{"problem_id": "sum", "attempt": "\\boxed{7}"}] * 5)
    with Endpoint() as server:
        summary = built(*words(url=server.url))
        assert server.number == 1
    assert summary["dropped"] == {"attempt made before": 4}


def test_a_set_of_n_is_the_same_for_the_same_seed():
    with Endpoint() as server:
        sets = []
        for seed in (0, 0, 1):
            assert built(*words("--n", 10, "--seed", seed, url=server.url))["kept"] == 10
            sets.append(Path("set.jsonl").read_text())
        assert server.number == 40
    assert sets[0] == sets[1] != sets[2]


def test_solutions_are_kept_when_the_grader_finds_them_correct():
    problems = [{"id": f"p{n}", "problem": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(10, 20)]
    lines("problems.jsonl", problems)

    def solve(body):
        left = int(re.search(r"(\d+)\+", body["messages"][-1]["content"])[1])
        return f"{left} twice is \\boxed{{{2 * left + (left == 13)}}}"

    with Endpoint(say=solve) as server:
        asked = "solutions build --data problems.jsonl --teacher openai --model m --out set.jsonl --base-url"
        summary = built(*asked.split(), server.url)
    assert summary["dropped"] == {"incorrect, says the grader": 1}
    assert [row["problem_id"] for row in rows()] == [f"p{n}" for n in range(10, 20) if n != 13]
    assert rows()[0]["completion"] == "10 twice is \\boxed{20}"
    assert rows()[0].keys() == {"id", "problem_id", "problem", "answer", "prompt", "completion", "provenance"}


def test_the_prompts_are_printed():
    shown = tinyreason("critiques", "build", "--print-prompt").stdout
    assert "Conclusion: right" in shown and "{attempt}" in shown
    assert "\\boxed{}" in tinyreason("solutions", "build", "--print-prompt").stdout


@pytest.mark.parametrize("command", ["critiques", "solutions"])
def test_help_is_there(command):
    assert tinyreason(command, "build", "--help").stdout.startswith(f"Usage: tinyreason {command} build ")


def test_a_set_can_be_read_again_as_the_answers_of_a_file():
    with Endpoint() as server:
        built(*words(url=server.url))
    asked = (
        "critiques build --data problems.jsonl --attempts-file attempts.jsonl --teacher file --teacher-file set.jsonl"
    )
    assert built(*asked.split(), "--out", "again.jsonl")["kept"] == 40
    assert [row["critique"] for row in rows("again.jsonl")] == [row["critique"] for row in rows()]
    assert Path("again.jsonl.answers.jsonl").read_text() == ""
    lines("set.jsonl", rows()[:30])
    summary = built(*asked.split(), "--out", "again.jsonl")
    assert (summary["kept"], summary["dropped"]) == (30, {"not answered": 10})


# The sandbox


def test_the_sandbox_criticises_itself_without_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    asked = "critiques build --data sandbox --index 3 --teacher oracle --attempts 200 --n 30 --out set.jsonl"
    assert built(*asked.split())["kept"] == 30
    assert {row["problem_id"] for row in rows()} == {"chain/train/3"}
    assert {row["attempt_correct"] for row in rows()} == {True, False}
    assert all(row["prompt"].endswith("\n\nIs the attempt right?") for row in rows())


def test_the_sandbox_solves_its_problems():
    asked = "solutions build --data sandbox:compare --teacher oracle --problems 50 --out set.jsonl"
    assert built(*asked.split())["kept"] == 50
    assert all(row["completion"].startswith("<think>\n") and row["prompt"] == row["problem"] for row in rows())


# Faults


def one_in_ten(number):
    return FAULTS[number // 10 % len(FAULTS)] if number % 10 == 3 else None


def run(url, **more):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "tinyreason", *words("--concurrency", 16, url=url)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def test_a_thousand_critiques_survive_faults_and_three_kills():
    write_attempts(1000)
    cache, rng, kills = Path("set.jsonl.answers.jsonl"), random.Random(), 3
    with Endpoint(delay_s=0.02, fault=one_in_ten) as server:
        for kill in range(kills):
            process, enough = run(server.url), rng.randint(1 + 250 * kill, 200 + 250 * kill)
            while not cache.exists() or cache.read_bytes().count(b"\n") < enough:
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert not Path("set.jsonl").exists()
        process = run(server.url)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert server.most <= 16
        again = sum(server.answered.values()) - len(server.answered)
    assert len(rows()) == len({row["id"] for row in rows()}) == 1000
    assert {row["attempt"] for row in rows()} == {f"I get \\boxed{{{n}}}." for n in range(1000)}
    kept = [json.loads(line)["request_sha256"] for line in cache.read_text().splitlines()]
    assert len(kept) == len(set(kept)) == 1000
    assert again <= 16 * kills  # only what was on its way when the process was killed
    assert "kept        1,000 critiques" in said
    assert KEY not in said


@pytest.mark.stress
def test_requests_are_sent_as_fast_as_the_server_allows():
    write_attempts(160)
    with Endpoint(delay_s=0.6, places=8) as server:  # as a real one takes; the suite's other half needs the CPU too
        built(*words("--concurrency", 8, url=server.url))
        took = server.times[-1] + 0.6 - server.times[0]
    assert server.most == 8
    assert took <= 1.1 * 160 / 8 * 0.6


def test_an_answer_is_on_the_disk_before_the_last_has_arrived():
    write_attempts(4)
    seen = []

    def say(body):
        if "boxed{3}" in body["messages"][-1]["content"]:
            deadline = time.monotonic() + 5
            while len(seen) < 3 and time.monotonic() < deadline:
                seen[:] = Path("set.jsonl.answers.jsonl").read_text().splitlines()
                time.sleep(0.01)
        return "12+30 makes 42.\nConclusion: wrong"

    with Endpoint(say=say) as server:
        built(*words(url=server.url))
    assert len(seen) == 3


def test_a_rate_limit_is_waited_out_as_long_as_the_server_asks():
    limited = (429, {"error": {"message": "slow down"}}, ("Retry_After", "0.6"))
    write_attempts(1)
    with Endpoint(fault=lambda number: limited if number == 0 else None) as server:
        built(*words("--retries", 0, url=server.url))
    assert 0.6 <= server.times[1] - server.times[0] < 1.5


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again(fault):
    write_attempts(3)
    with Endpoint(fault=lambda number: fault if number == 0 else None) as server:
        assert built(*words("--concurrency", 1, url=server.url))["kept"] == 3
        assert server.number == 4


def test_a_request_that_is_refused_each_time_costs_only_itself():
    refused = (400, {"error": {"message": "content policy"}})
    with Endpoint(fault=lambda number: refused if number == 7 else None) as server:
        summary = built(*words("--concurrency", 1, url=server.url))
        assert server.number == 40
    assert (summary["kept"], summary["unanswered"], summary["dropped"]) == (39, 1, {"not answered": 1})


def test_a_slow_answer_is_given_up_and_asked_for_again():
    write_attempts(1)
    slow = iter([1.0, 0.0])
    with Endpoint(say=lambda body: time.sleep(next(slow)) or "Conclusion: wrong") as server:
        assert built(*words("--timeout-s", 0.3, url=server.url))["kept"] == 1


def test_ctrl_c_keeps_what_has_arrived():
    with Endpoint(delay_s=0.05) as server:
        process = run(server.url)
        while len(server.answered) < 20:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "tinyreason: stopped."
    assert len(rows("set.jsonl.answers.jsonl")) >= 16


def test_a_second_builder_of_the_same_set_is_sent_away():
    with Endpoint(delay_s=0.5) as server:
        process = run(server.url)
        while not server.number:
            time.sleep(0.02)
        assert "another process is writing set.jsonl.answers.jsonl" in complaint(*words(url=server.url))
        process.kill()
        process.communicate()


# Money


def test_max_cost_stops_with_exit_code_3_and_the_line_that_resumes(monkeypatch):
    with Endpoint() as server:
        priced = words("--price-in", 0, "--price-out", 1000, "--max-tokens", 100, url=server.url)  # 0.02 an answer
        monkeypatch.setattr(sys, "argv", ["tinyreason", *priced, "--max-cost", "0.5"])
        done = tinyreason(*priced, "--max-cost", "0.5", "--json")
        assert done.exit_code == 3, done.output
        summary, line = json.loads(done.stdout), done.stderr.splitlines()[-1]
        assert 0.3 < summary["cost"] <= 0.5
        assert summary["kept"] == len(rows()) == server.number < 40
        assert "exceed --max-cost 0.5" in line and line.endswith("--max-cost 1")
        asked = server.number
        assert tinyreason(*priced, "--max-cost", "0.5").exit_code == 3
        assert server.number == asked
        assert built(*priced, "--max-cost", "1")["kept"] == 40
        assert server.number == 40


def test_max_cost_needs_prices():
    assert "type --price-in and --price-out" in complaint(
        *words(
            "--max-cost",
            1,
        )
    )


def test_a_broken_answer_may_have_cost_something_and_is_counted():
    write_attempts(2)
    with Endpoint(fault=lambda number: "malformed" if number == 0 else None) as server:
        asked = words("--price-in", 0, "--price-out", 1000, "--max-tokens", 100, url=server.url)
        assert built(*asked)["possible_cost"] == pytest.approx(0.1)


# The key


def test_the_key_is_sent_and_stands_in_no_file_and_no_output(place):
    def say(body):
        return f"You sent me {KEY}.\nConclusion: wrong"

    with Endpoint(say=say) as server:
        done = tinyreason(*words(url=server.url))
    assert server.keys == {f"Bearer {KEY}"}
    assert done.exit_code == 0 and KEY not in done.output
    assert len(rows()) == 40 and rows()[0]["critique"].startswith("You sent me [key].")
    assert not [file for file in place.iterdir() if KEY in file.read_text()]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_an_error_that_repeats_the_key_does_not_show_it(status):
    refusal = (status, {"error": {"message": f"Incorrect key {KEY}", "code": "insufficient_quota"}})
    with Endpoint(fault=lambda number: refusal) as server:
        complaint(*words("--retries", 0, url=server.url))


# Mistakes


def test_no_key_names_the_variable(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "environment variable OPENAI_API_KEY, which is not set" in complaint(*words())
    assert "MY_KEY" in complaint(*words("--key-variable", "MY_KEY"))


def test_a_key_given_for_its_variable_is_not_repeated():
    assert "--key-variable is the name" in complaint(*words("--key-variable", KEY))


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("api.example.com/v1", "--base-url api.example.com/v1 is not an address"),
        ("http://127.0.0.1:9/v1", "nothing answers at http://127.0.0.1:9/v1/chat/completions"),
        ("http://nowhere.invalid/v1", "check --base-url"),
        ("https://me:secret@example.com", "holds a user or a password"),
    ],
)
def test_a_wrong_address_is_one_sentence(url, answer):
    line = complaint(*words(url=url))
    assert answer in line and "secret" not in line


@pytest.mark.parametrize(
    ("status", "answer"),
    [(404, "check --base-url"), (401, "refuses the key in OPENAI_API_KEY"), (302, "redirection")],
)
def test_a_server_that_refuses_ends_it_at_once(status, answer):
    with Endpoint(fault=lambda number: (status, {"error": {"message": "no"}})) as server:
        assert answer in complaint(*words(url=server.url))
        assert server.number <= 16


def test_a_web_page_is_not_taken_for_a_server_that_recovers():
    page = (200, b"<!doctype html><title>Welcome</title>", ("Content_Type", "text/html; charset=utf-8"))
    with Endpoint(fault=lambda number: page) as server:
        assert "answers with web pages; check --base-url" in complaint(*words(url=server.url))


def test_a_server_that_is_down_ends_it_after_a_few_requests():
    with Endpoint(fault=lambda number: "500") as server:
        assert "failed 5 requests in a row, last with: HTTP 500 (not now)" in complaint(
            *words("--retries", 1, "--concurrency", 1, url=server.url)
        )
        assert server.number < 20


def test_a_pause_of_hours_is_not_waited_for():
    limited = (429, {"error": "tomorrow"}, ("Retry_After", "7200"))
    with Endpoint(fault=lambda number: limited) as server:
        assert "asks for a pause of 120 minutes" in complaint(*words(url=server.url))


def test_a_teacher_that_never_ends_with_a_verdict_is_paid_for_a_few_answers_only():
    with Endpoint(say=lambda body: "It depends.") as server:
        line = complaint(*words("--concurrency", 2, url=server.url))
        assert "none of 20 critiques of m ends with 'Conclusion: right'" in line and "'It depends.'" in line
        assert server.number <= 22
        complaint(*words("--concurrency", 2, url=server.url))
        assert server.number <= 22


def test_an_empty_set_names_the_filter_that_took_most():
    write_attempts(3)
    said = iter(["Conclusion: right", "Conclusion: right", "It depends."])
    with Endpoint(say=lambda body: next(said)) as server:
        line = complaint(*words("--concurrency", 1, url=server.url))
    assert "no critique is left of 3: the filter 'verdict against the grader' took 2" in line


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        ({"id": "sum", "problem": "What is 12+30?", "answer": ""}, "has no problem with an answer"),
        ({"id": "sum", "problem": "What is 12+30?"}, "has no column known to hold the answer"),
        ({"id": "sum", "problem": "What is 12+30?", "answer": "???"}, "cannot be graded"),
    ],
)
def test_a_problem_without_an_answer_is_refused(problem, answer):
    lines("problems.jsonl", [problem])
    done = tinyreason(*words())
    assert done.exit_code == 2 and answer in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("attempt", "answer"),
    [
        ({"problem_id": "other", "attempt": "5"}, "has no attempt at problem 'sum'; it has attempts at 'other'"),
        ({"problem": "What is 2+2?", "problem_id": "sum", "attempt": "5"}, "it has attempts at 'What is 2+2?'"),
        ({"attempt": "5"}, "row 1 is not an attempt; it needs 'attempt'"),
        ({"problem_id": "sum"}, "row 1 is not an attempt; it needs 'attempt'"),
    ],
)
def test_attempts_at_another_problem_are_refused(attempt, answer):
    lines("attempts.jsonl", [attempt])
    assert answer in complaint(*words())


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ("--teacher oralce", "did you mean 'oracle'?"),
        ("--teacher oracle", "the teacher oracle has no --base-url; it takes no options"),
        ("--data none.jsonl", "there is no file"),
        ("--data sandbox:chian --index 0", "did you mean 'chain'?"),
        ("--id nobody", "has no data.id=nobody"),
        ("--index 0 --id sum", "give one of them"),
        ("--attempts-file none.jsonl", "there is no file"),
        ("--out nowhere/set.jsonl", "there is no folder nowhere"),
        ("--out problems.jsonl", "problems.jsonl is there already and was not built here"),
        ("--model ", "--model"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(more, answer):
    assert answer in complaint(*words(), *more.split(" "))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("--data problems.jsonl --teacher oracle", "nobody makes the attempts; type --from MODEL"),
        ("--data problems.jsonl --teacher oracle --from oracle", "--from oracle makes attempts at the sandbox's"),
        ("--data problems.jsonl --teacher oracle --attempts-file attempts.jsonl", "the oracle knows the sandbox's"),
        ("--data problems.jsonl --teacher openai --attempts-file attempts.jsonl", "the teacher openai needs --model"),
        ("--data sandbox --teacher file --teacher-file attempts.jsonl", "row 1 is not an answer; it needs 'critique'"),
    ],
)
def test_a_teacher_that_cannot_do_it_says_so(asked, answer):
    assert answer in complaint("critiques", "build", "--out", "set.jsonl", *asked.split())


def test_what_must_be_given_is_asked_for():
    done = tinyreason("critiques", "build", "--data", "sandbox")
    assert done.exit_code == 2 and "Missing option '--teacher'" in done.stderr


# What comes next


@pytest.mark.parametrize(
    ("asked", "recipe", "kind"),
    [
        ("critiques build --problems 20 --from oracle --attempts 2", "critique_ft", "critiques"),
        ("critiques build --index 3 --attempts 40", "one_shot_cft", "critiques"),
        ("solutions build --problems 20", "reasoning_sft", "solutions"),
    ],
)
def test_it_ends_with_the_line_that_trains_on_what_it_wrote_and_that_line_works(asked, recipe, kind):
    done = tinyreason(*asked.split(), "--data", "sandbox", "--teacher", "oracle", "--out", "my set.jsonl")
    line = done.stdout.splitlines()[-1]
    assert line == f"train       tinyreason recipe {recipe} 'data.file=my set.jsonl'"
    quick = ("train.max_steps=1", "train.batch_size=2", "train.max_completion_tokens=32", "evaluation.problems=4")
    words = shlex.split(line.removeprefix("train       tinyreason "))
    run = tinyreason(*words, "--on", "sandbox", "evaluation.samples=1", *quick, "--out", "run")
    assert run.exit_code == 0, run.output
    assert f"data    all {kind} of my set.jsonl" in run.stdout and "4 unseen problems, 1 completion each" in run.stdout
