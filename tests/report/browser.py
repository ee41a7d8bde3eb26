"""A headless Chromium: PATH's, or the one that tools/install_browser.sh unpacked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ON_PATH = ("chromium", "chromium-browser", "google-chrome")
UNPACKED = Path(__file__).parents[2] / "tools" / "chromium"


@contextmanager
def chromium(*words: str) -> Iterator[Browser]:
    """Start a browser with options, or skip the test where there is none."""
    program = next(filter(None, map(shutil.which, ON_PATH)), None)
    environment = {}
    if program is None and (UNPACKED / "chromium").is_file():
        program = str(UNPACKED / "chromium")
        environment = {"LD_LIBRARY_PATH": str(UNPACKED / "lib")}
    if program is None:
        pytest.skip("no Chromium: run tools/install_browser.sh, which says why not")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, env=environment, timeout=60_000, args=words
        )
        yield browser
        browser.close()
