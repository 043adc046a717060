"""A headless Chromium, the one that is installed, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright

_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 120_000.0
"""Milliseconds for one step; the machine may be busy."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser with an empty profile of its own, in a directory that goes with it."""
    expect.set_options(timeout=PATIENCE)
    names = (os.environ.get("RECONCILE_BROWSER") or "chromium", "chromium", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    assert program, "no Chromium: scripts/ensure-browser installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            args=_FLAGS,
            headless=True,
            chromium_sandbox=False,  # root has none
            timeout=PATIENCE,
        )
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What one reader has: storage and preferences that no other test sees."""
    with browser.new_context(color_scheme="light") as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; at the end it must have asked for and complained of nothing."""
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []

    def refuse(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", refuse)
    yield page
    page.evaluate("null")  # what happened before this is told before its answer
    assert [url for url in asked if not url.startswith("file:")] == []
    assert complaints == []
