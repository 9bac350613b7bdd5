"""A headless Chromium, where there is one."""

import shutil

import pytest

DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Opens a file or an address; each complaint of the browser fails the test, and each other host that it asks."""
    contexts, complaints = [], []

    def open_page(place, viewport=DESK, scheme="light", bypass_csp=False):
        address = place if isinstance(place, str) else place.resolve().as_uri()
        own = "/".join(address.split("/")[:3])
        contexts.append(chromium.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=bypass_csp))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: sent.url.startswith((own, "data:")) or complaints.append(sent.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
