# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser, headless: Debian's chromium or what is called so; skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@contextmanager
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser to open the page in (none of {', '.join(NAMES)})")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as e:
            pytest.skip(f"{found} does not start: {str(e).splitlines()[0]}")
        with opened:
            yield opened
