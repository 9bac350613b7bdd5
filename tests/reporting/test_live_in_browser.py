"""The live page and the table of runs as a person sees them; and all pages as a screen reader does, by axe."""

import json
import os
import re
import time

import pytest
from live_server import Server, add_step, beat
from synthetic_run import outcome, write_run

from tinyreason.reporting.report import write_report
from tinyreason.reporting.runs_table import write_runs_table

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
DEAD = {"time": time.time() - 1000, "pid": 2**22 + 7}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs, of which one is going."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "best", steps=40)
    other = write_run(folder / "worst", steps=4, **outcome(-12.0, (-15.0, -9.0), "worse"))
    (other / "config.yaml").write_text((other / "config.yaml").read_text() + "adapter:\n  rank: 4\n")
    write_run(folder / "going", steps=3, result=False, completion=lambda step: HOSTILE)
    beat(folder / "going", doing="step", done=3, total=9, left_s=30.0)
    return folder


@pytest.fixture(scope="module")
def server(runs):
    server = Server(runs)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def table(runs):
    return write_runs_table(runs, runs.parent / "table.html", print)


def last_read(page, chart):
    title = page.locator("h3", has_text=re.compile(f"^{chart}"))
    return page.locator("figure", has=title).locator(".read").inner_text()


def test_the_page_follows_the_run_by_itself_and_stops_it(opened, runs, server):
    page = opened(server.address + "r/going/")
    assert page.inner_text("h1") == "Still going: step 3 of 3."
    assert page.locator("#tiles").inner_text().splitlines()[:2] == ["steps", "3 of 3"]
    page.get_by_text("30 s").wait_for()
    assert page.locator("#rollouts .completion pre").first.inner_text() == HOSTILE
    assert page.locator("img").count() == 0 and page.title() != "owned"
    assert page.evaluate("EVERY_MS") <= 2000  # a step is on the page within 3 s, on a machine with a moment for it
    add_step(runs / "going", 4, **{"kl/mean": 0.75})
    page.get_by_text("Step 4: 1 of its 1 groups").wait_for()
    assert "KL 0.75" in last_read(page, "KL to the base") and "total 0.5" in last_read(page, "Reward")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Stop and save").press("Enter")
    page.get_by_text("Asked: it ends after this step.").wait_for()
    assert (runs / "going" / "stop.request").exists()
    page.get_by_role("link", name="all runs").click()
    page.get_by_role("heading", name="3 runs in").wait_for()


def test_a_killed_run_says_so_and_a_finished_one_becomes_its_report(opened, tmp_path):
    folder = write_run(tmp_path / "run", steps=3, result=False)
    beat(folder)
    server = Server(folder)
    page = opened(server.address)
    beat(folder, **DEAD)
    page.get_by_role("heading", name="Killed after step 3 of 3.").wait_for()
    assert page.get_by_role("status").inner_text() == "Killed after step 3 of 3."
    assert not page.get_by_role("button", name="Stop and save").is_visible()
    assert page.get_by_text("tinyreason recipe one_shot_rlvr --out").is_visible()
    (folder / "result.json").write_text(json.dumps(outcome()))
    page.get_by_role("heading", name="It got better by 40.0 points.").wait_for()
    server.stop()


def test_the_arrow_keys_read_a_curve(opened, runs):
    page = opened(write_report([runs / "best"], runs.parent / "best.html"))
    plot = page.locator("figure", has_text="KL to the base").locator(".plot")
    plot.focus()
    plot.press("ArrowRight")
    assert "step 1" in last_read(page, "KL to the base")
    plot.press("ArrowRight")
    assert "step 2" in last_read(page, "KL to the base")
    assert "KL 0.4" in plot.get_attribute("aria-label")


def test_runs_are_sorted_filtered_compared_and_opened(opened, table):
    page = opened(table)
    names = lambda: page.locator(".runs tbody th").all_inner_texts()  # noqa: E731
    page.get_by_role("button", name="gain").click()
    assert names() == ["best", "worst", "going"]  # what has no gain comes last
    page.get_by_role("button", name="gain").press("Enter")
    assert names() == ["worst", "best", "going"]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("gain")
    page.get_by_role("searchbox").fill("adapter.rank=4")
    page.get_by_text("1 of 3 runs.").wait_for()
    assert names() == ["worst"]
    page.get_by_role("searchbox").fill("")
    page.get_by_text("All 3 runs.").wait_for()
    page.locator("select").select_option("improved")
    assert names() == ["best"]
    page.locator("select").select_option("all")
    for name in ("going", "worst", "best"):  # the third takes the place of the first
        page.get_by_label(f"compare {name}").check()
    rows = page.locator("#differences tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [["adapter.rank", "4", "not", "set"], ["train.max_steps", "4", "40"]]
    assert page.locator(".runs svg.spark").count() == 3
    page.get_by_role("link", name="best").click()
    page.get_by_role("heading", name="It got better by 40.0 points.").wait_for()


# A screen reader


@pytest.fixture(scope="module")
def axe():
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed; pip install -e '.[dev]'")
    return open(os.path.join(os.path.dirname(package.__file__), "axe.min.js"), encoding="utf-8").read()


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [pytest.param(DESK, "light", id="desk", marks=pytest.mark.stress), pytest.param(PHONE, "dark", id="phone")],
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(opened, axe, runs, server, table, viewport, scheme):
    pages = [
        write_report([runs / "best"], runs.parent / "best.html"),
        table,
        server.address,
        f"{server.address}r/going/",
    ]
    for place in pages:
        page = opened(place, viewport, scheme, bypass_csp=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.evaluate(axe)
        found = page.evaluate("axe.run(document)")
        assert len(found["passes"]) > 20
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
