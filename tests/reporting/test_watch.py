"""The live page's server: what it tells, that it asks the run to stop, and whom it refuses."""

import json
import time

import pytest
from commands import complaint, tinyreason
from live_server import Server, add_step, beat
from synthetic_run import rollout, write_run

from tinyreason.errors import ConfigError
from tinyreason.reporting import live, watch
from tinyreason.reporting.watch import serve

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves a folder of two runs: one that is going, and one that is done."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs / "done", steps=3)
    write_run(runs / "sweep" / "going", steps=3, groups=3, result=False, completion=lambda step: HOSTILE)
    beat(runs / "sweep" / "going")
    server = Server(runs)
    server.runs = runs
    yield server
    server.stop()


GOING = "r/sweep/going/"


def test_it_listens_on_this_machine_alone_under_a_token_nobody_guesses(server):
    assert server.address.startswith("http://127.0.0.1:")
    assert len(server.root.strip("/")) >= 32


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Host": "evil.example"}, "another host"),  # DNS rebinding
        ({"Host": "evil.example:80"}, "another host"),
        ({"Host": "127.0.0.1.evil.example"}, "another host"),
        ({"Host": ""}, "another host"),
        ({"Origin": "http://evil.example"}, "another origin"),
        ({"Origin": "null"}, "another origin"),
        ({"Origin": "http://127.0.0.1:1"}, "another origin"),  # another program of this machine
        ({"Sec_Fetch_Site": "cross-site"}, "another origin"),
        ({"Sec_Fetch_Site": "same-site"}, "another origin"),
    ],
)
@pytest.mark.parametrize("path", ["", "state", GOING + "full", "nothing"])
def test_other_hosts_and_origins_are_refused(server, headers, why, path):
    status, _, body = server.ask(path, **headers)
    assert (status, body) == (403, f"403 {why}\n")


@pytest.mark.parametrize("root", ["/", "/x/", "//", "/%00/", "/{}x/", "/{}é/"])
def test_a_wrong_token_is_refused_whatever_is_asked_for(server, root):
    root = root.format(server.root.strip("/")[:-1]).replace("é", "%C3%A9")
    for path in ("", "state", GOING + "stop", "nothing"):
        assert server.ask(path, root=root)[0] == 403


def test_the_end_of_a_tunnel_may_have_another_port(server):
    assert server.ask(Host="localhost:9999")[0] == 200
    assert server.ask(Host="localhost:9999", Origin="http://localhost:9999")[0] == 200


def test_a_browser_is_told_to_load_nothing_and_to_tell_nobody(server):
    for path in ("", GOING, GOING + "full"):
        _, headers, body = server.ask(path)
        policy = headers["Content-Security-Policy"]
        nonce = policy.split("'nonce-")[1].split("'")[0]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert body.count("<script") - body.count('<script type="text/plain"') == body.count(f'nonce="{nonce}"')
        assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
        assert HOSTILE not in body and "Access-Control-Allow-Origin" not in headers


def test_no_path_leads_out_of_the_runs(server):
    (server.runs.parent / "secret").mkdir(exist_ok=True)
    (server.runs.parent / "secret" / "config.yaml").write_text("recipe: secret\n")
    for name in ("../secret", "..%2Fsecret", "%2e%2e/secret", "sweep", "sweep/going/checkpoints", "/etc", "nobody"):
        assert server.ask(f"r/{name}/state")[0] in (403, 404)


def test_a_page_gets_everything_once_and_then_what_is_new(server):
    folder = server.runs / "sweep" / "going"
    first = server.news(GOING + "state", beginning=0, step=0)
    assert first["state"] == "going" and first["headline"] == "Still going: step 3 of 3."
    reward = next(chart for chart in first["charts"] if chart["title"] == "Reward")
    assert next(line for line in reward["lines"] if line["label"] == "total")["x"] == [1, 2, 3]
    assert ["recipe", "one_shot_rlvr"] in first["config"]
    assert first["rollouts"]["of"] == 3 and first["rollouts"]["groups"][0]["rollouts"][0]["text"] == HOSTILE
    known = {"beginning": first["beginning"], "step": first["step"]}
    same = server.news(GOING + "state", **known)
    assert same["charts"] == [] and same["rollouts"] is None and "config" not in same
    begin = time.monotonic()
    add_step(folder, 4)
    after = server.news(GOING + "state", **known)
    assert time.monotonic() - begin < 1  # the page asks every 2 s: 3 s hold
    assert after["step"] == 4 and after["beginning"] == first["beginning"]
    reward = next(chart for chart in after["charts"] if chart["title"] == "Reward")
    assert next(line for line in reward["lines"] if line["label"] == "total")["x"] == [4]
    assert [row["text"] for group in after["rollouts"]["groups"] for row in group["rollouts"]] == ["step 4"] * 4


def test_rollouts_of_a_step_whose_metrics_are_not_written_yet_wait_for_them(server):
    folder = server.runs / "sweep" / "going"
    known = server.news(GOING + "state", beginning=0, step=0)
    with open(folder / "rollouts.jsonl", "a") as file:
        file.write(json.dumps(rollout(99, 0, "early", True)) + "\n")
    assert server.news(GOING + "state", beginning=known["beginning"], step=known["step"])["charts"] == []


def test_the_page_of_a_finished_run_is_its_report(server):
    assert "It got better by 40.0 points." in server.ask("r/done/")[2]
    assert server.news("r/done/state")["state"] == "done"


def test_the_table_tells_of_every_run(server):
    rows = {row["name"]: row for row in server.news()["rows"]}
    assert rows["done"]["verdict"] == "improved" and rows["sweep/going"]["verdict"] == "going"
    assert rows["sweep/going"]["page"] == GOING


def test_only_our_own_page_can_stop_a_run_that_is_going(server):
    folder = server.runs / "sweep" / "going"
    asked = {"Origin": f"http://127.0.0.1:{server.port}", "Content_Type": "application/json"}
    for wrong in ({}, {"Origin": asked["Origin"]}, {"Content_Type": "application/json"}, asked | {"Origin": "null"}):
        assert server.ask(GOING + "stop", "POST", **wrong)[0] == 403
    assert server.ask(GOING + "stop")[0] == 405
    assert server.ask(GOING + "state", "POST", **asked)[0] == 403
    assert server.ask("r/done/stop", "POST", **asked)[0] == 409
    assert not (folder / "stop.request").exists()
    assert server.ask(GOING + "stop", "POST", **asked)[0] == 200
    assert (folder / "stop.request").exists()


# Without a server


def test_a_run_that_has_yet_to_begin_is_waited_for(tmp_path):
    run = live.LiveRun(tmp_path / "run")
    assert run.news(0, 0)["state"] == "waiting"
    write_run(tmp_path / "run", result=False)
    assert run.news(0, 0)["state"] == "going"


def test_watching_500_steps_costs_next_to_nothing(tmp_path):
    run = live.LiveRun(write_run(tmp_path / "run", steps=500, groups=4, result=False))
    beat(run.path, doing="step", done=500, total=600, left_s=60.0)
    run.news(0, 0)
    begin, polls = time.process_time(), 100
    for _ in range(polls):
        run.news(1, 500)
    assert (time.process_time() - begin) / polls < 0.01  # asked once a second: under 1 % of a core


def test_a_server_that_a_run_started_ends_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LINGER_S", 0.2)
    begin = time.monotonic()
    for folder in (write_run(tmp_path / "run"), tmp_path / "never began"):
        serve(folder, 0, lambda _: None, ends_with_run=True)
    assert time.monotonic() - begin < 10


def test_a_port_in_use_is_one_sentence(server, tmp_path):
    with pytest.raises(ConfigError, match=f"--port {server.port} cannot be used"):
        serve(tmp_path, server.port, print)


# The command line


def test_what_cannot_be_watched_is_one_sentence(tmp_path):
    run = write_run(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    assert "is not the folder of a run" in complaint("report", "--watch", tmp_path / "empty")
    assert "does not exist" in complaint("report", "--watch", tmp_path / "none")
    assert "--watch shows one run" in complaint("report", "--watch", run, run)
    assert "--watch shows one run" in complaint("report", "--watch", run, "--out", tmp_path / "x.html")
    assert "--port is of the live page; add --watch" in complaint("report", run, "--port", 80)


def test_the_address_is_printed_and_ctrl_c_is_not_an_error(tmp_path, monkeypatch):
    def serve_nothing(folder, port, tell, ends_with_run):
        tell("http://127.0.0.1:1/token/")
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "serve", serve_nothing)
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    done = tinyreason("report", "--watch", write_run(tmp_path / "run"), "--open")
    assert done.exit_code == 0 and "live page  http://127.0.0.1:1/token/" in done.output
    assert opened == ["http://127.0.0.1:1/token/"]


def test_a_run_opens_its_live_page_in_a_process_of_its_own(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda words, **more: started.append((words, more)))
    monkeypatch.setattr("tinyreason.cli.train.run_and_report", lambda *_: None)
    done = tinyreason("recipe", "one_shot_rlvr", "--on", "sandbox", "--out", tmp_path / "run", "--open")
    assert done.exit_code == 0, done.output
    ((words, more),) = started
    assert words[1:] == ["-m", "tinyreason", "report", "--watch", str(tmp_path / "run"), "--open", "--ends-with-run"]
    assert more["start_new_session"]
