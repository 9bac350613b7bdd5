"""The page as a person sees it: opened in headless Chromium, clicked, searched, on a phone and in the dark."""

import pytest
from synthetic_run import write_run, write_stage

from tinyreason.reporting.report import write_report

PHONE = {"width": 390, "height": 844}
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_report([write_run(tmp_path_factory.mktemp("runs") / "run", steps=50, groups=3)])


def test_the_verdict_is_on_the_first_screen_and_every_chart_is_drawn(opened, file):
    page = opened(file)
    assert page.get_by_role("heading", name="It got better by 40.0 points.").bounding_box()["y"] < 400
    assert page.locator("figure").count() == page.locator("figure canvas").count() == 7
    drawn = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value > 0)"
    assert all(page.locator("figure canvas").nth(n).evaluate(drawn) for n in range(7))


def test_the_curves_of_stages_are_drawn_too_and_fit_a_phone(opened, tmp_path):
    folder = write_run(tmp_path / "run")
    write_stage(folder / "stages" / "1-round")
    page = opened(write_report([folder]), PHONE)
    figure = page.locator("#stages figure", has_text="Reward, stage by stage")
    figure.scroll_into_view_if_needed()
    assert figure.locator("canvas").count() == 1 and "1-round 1" in figure.locator(".read").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_pointing_at_a_curve_reads_its_values(opened, file):
    page = opened(file)
    figure = page.locator("figure", has_text="KL to the base")
    figure.scroll_into_view_if_needed()
    figure.locator(".u-over").hover()
    assert "step 2" in figure.locator(".read").inner_text()
    assert "KL 0.2" in figure.locator(".read").inner_text()


def test_rollouts_are_browsed_by_step_and_group(opened, file):
    page = opened(file)
    section = page.locator("#rollouts")
    assert "step 1" in section.locator("output").inner_text()
    assert section.locator(".completion").count() == 4
    section.get_by_label("next").click()
    assert "step 2" in section.locator("output").inner_text()
    section.get_by_role("button", name="group 2").press("Enter")
    assert section.get_by_role("button", name="group 2").evaluate("button => button === document.activeElement")
    assert "problem p/2" in section.locator(".prompt").inner_text()
    advantages = section.locator(".completion header span", has_text="advantage").all_inner_texts()
    assert advantages == sorted(advantages, key=lambda text: -float(text.split()[-1]))
    section.locator("select").select_option("alike")
    assert len(set(section.locator(".completion header span", has_text="reward").all_inner_texts())) == 1


def test_a_search_leaves_only_what_holds_it_and_marks_it(opened, file):
    page = opened(file)
    section = page.locator("#rollouts")
    section.get_by_role("searchbox").fill("WHAT IS 1 + 37?")
    section.locator("output", has_text="step 37").wait_for()
    assert section.locator("mark").first.inner_text() == "What is 1 + 37?"
    assert section.get_by_label("next").is_disabled()
    section.get_by_role("searchbox").fill("nothing says this")
    section.get_by_text("No group matches.").wait_for()


def test_completions_before_and_after_stand_side_by_side(opened, file):
    page = opened(file)
    section = page.locator("#evaluation")
    before, after = (section.locator(".pair > div").nth(n).bounding_box() for n in (0, 1))
    assert before["y"] == after["y"] and before["x"] < after["x"]
    section.locator("select").select_option("worse")
    section.get_by_text("No problem matches.").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways_and_follows_the_colour_scheme(opened, file, scheme):
    page = opened(file, PHONE, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
    assert (red > 200) == (scheme == "light")


def test_what_a_model_wrote_is_shown_as_it_is_and_runs_nothing(opened, tmp_path):
    page = opened(write_report([write_run(tmp_path / HOSTILE.replace("/", "|"), completion=lambda step: HOSTILE)]))
    assert page.locator("#rollouts .completion pre").first.inner_text() == HOSTILE
    page.locator("#rollouts").get_by_role("searchbox").fill("<img")
    page.locator("#rollouts mark").first.wait_for()
    assert page.locator("img").count() == page.locator(".completion b:text('bold')").count() == 0
    assert page.title() != "owned"


def test_runs_that_are_laid_over_each_other_can_be_told_apart(opened, tmp_path):
    page = opened(write_report([write_run(tmp_path / name, steps=5) for name in ("one", "two")]))
    read = page.locator("figure", has_text="KL to the base").locator(".read").inner_text()
    assert read.split() == ["last", "one", "0.05", "two", "0.05"]
    page.locator("#rollouts select").first.select_option(label="two")
    assert page.locator("#rollouts .completion").count() == 4


def test_a_run_that_has_only_begun_opens(opened, tmp_path):
    (tmp_path / "config.yaml").write_text("recipe: rlvr\n")
    assert opened(write_report([tmp_path])).get_by_text("Still going: no step done yet.").is_visible()
