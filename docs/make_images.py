"""Makes docs/images/report.png, the picture of a run's report: `python docs/make_images.py RUN`.

It drives a Chromium that is installed on this machine (on Debian: `apt-get install chromium`) through playwright, which
the extra `dev` brings. RUN is the folder of a finished run; its page is not written anew, so type
`tinyreason report RUN` first if it is old.
"""

import shutil
import sys
from pathlib import Path

IMAGE = Path(__file__).parent / "images" / "report.png"
WIDTH, HEIGHT = 1120, 1600
"""Of the window, in CSS pixels; the picture ends below the first row of curves."""
MARGIN = 12
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main(words: list[str]) -> None:
    """Writes the picture. Errors: `SystemExit`, one sentence."""
    if len(words) != 1:
        sys.exit("type: python docs/make_images.py RUN, with the folder of a finished run.")
    page = Path(words[0]) / "report.html"
    if not page.is_file():
        sys.exit(f"there is no {page}; type: tinyreason report {words[0]}")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is installed; on Debian type: apt-get install chromium")
    IMAGE.parent.mkdir(exist_ok=True)
    take(page, program)
    print(f"{IMAGE} ({IMAGE.stat().st_size / 1000:.0f} kB)")


def take(page: Path, program: str) -> None:
    """The verdict and the first row of curves as a person sees them, in light colours."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", device_scale_factor=1.25
        )
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-ready]")
        curve = tab.locator("figure").first.bounding_box()
        end = curve["y"] + curve["height"] + MARGIN
        tab.screenshot(path=str(IMAGE), clip={"x": 0, "y": 0, "width": WIDTH, "height": end})
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
