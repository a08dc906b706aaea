"""A real browser that looks at the pages of this repository, and complains about what no page may do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

PATIENCE = 60_000
"""Milliseconds to wait for what has to happen at once: other tests may run beside."""
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window."""
    assert CHROMIUM
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, timeout=PATIENCE)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Opens pages from the disk, and notes what they ask of a network and what goes wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    def open(self, path: Path, **options: Any) -> Page:
        """Open a file in a browser of its own; `options` are a context's of Playwright, such as `color_scheme`."""
        page = self._browser.new_context(**options).new_page()
        page.set_default_timeout(PATIENCE)
        page.route("**/*", self._allow_files)
        page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.goto(path.as_uri())
        return page

    def close(self) -> None:
        for context in self._browser.contexts:
            context.close()

    def _allow_files(self, route: Route, request: Request) -> None:
        if request.is_navigation_request() and request.url.startswith("file:"):
            route.continue_()
        else:
            self.complaints.append(f"request: {request.url}")
            route.abort()


def is_wider_than_its_window(page: Page) -> bool:
    """Return whether a page has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def brightness(page: Page) -> int:
    """Return how bright the background of a page is: 0 for black, 255 for white."""
    return int(
        page.evaluate("parseInt(getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/)[0])")
    )
