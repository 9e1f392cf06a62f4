"""Fixtures of the browser tests: Debian's Chromium, a page that records errors, and servers that stop with the tests.

A test that uses `page` fails if the page logs an error, raises one, or sends a request to another machine. Add known
messages of third-party programs to `page_errors.allowed`, each with the reason.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.servers import Serve, serving

LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}
TIMEOUT_MS = 60_000  # long enough for a fast operation on a busy machine
LOCAL_SCHEMES = {"file", "data", "blob", "about"}  # send no request over the network


@dataclass
class PageErrors:
    """Errors of a page during a test.

    Args:
        lines: one line per console error, page error and request to another machine, in order.
        allowed: patterns of lines to ignore; each with a comment that gives the reason.
    """

    lines: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    @property
    def unexpected(self) -> list[str]:
        return [line for line in self.lines if not any(re.search(pattern, line) for pattern in self.allowed)]


def is_remote(url: str) -> bool:
    """Return whether a request for this URL goes to another machine."""
    parts = urlsplit(url)
    return parts.scheme not in LOCAL_SCHEMES and parts.hostname not in LOCAL_HOSTS


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Launch Debian's Chromium. Module scope, because Playwright keeps an event loop running that could disturb other tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page_errors() -> PageErrors:
    """Errors that `page` recorded so far; use it to inspect them, or to allow known messages of third-party programs."""
    return PageErrors()


@pytest.fixture
def page(chromium: Browser, page_errors: PageErrors) -> Iterator[Page]:
    """Open a page of 1280x900 in a new context, and fail at the end if it had unexpected errors."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    lines = page_errors.lines
    context.on(
        "console",
        lambda message: (
            lines.append(f"console: {message.text} ({message.location['url']})") if message.type == "error" else None
        ),
    )
    context.on("weberror", lambda error: lines.append(f"page: {error.error}"))
    context.on("request", lambda request: lines.append(f"request: {request.url}") if is_remote(request.url) else None)
    new_page = context.new_page()
    new_page.on(
        "websocket", lambda request: lines.append(f"request: {request.url}") if is_remote(request.url) else None
    )
    yield new_page
    context.close()
    assert page_errors.unexpected == []


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that starts a server, which runs until the tests of the module are done, and returns its address.

    Example: `serve(["jupyter", "lab", "--ServerApp.port={port}"], path="/api")`. For the arguments, see `serving`.
    """
    with ExitStack() as running:
        yield lambda command, **options: running.enter_context(
            serving(command, tmp_path_factory.mktemp("server"), **options)
        )


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    """Start `ablation explore` and return the address of its page, without the slash at its end."""
    command = [sys.executable, "-m", "ablation", "explore", "--no-browser", "--port", "{port}"]
    return serve(command, path="/voila/static/voila.js", printed=True)  # a request for "/" would start a kernel


@pytest.fixture
def explorer(page: Page, address: str) -> Page:
    """Open the page of the explorer, which starts at ResNet-50, and wait until it is ready."""
    page.goto(f"{address}/")
    page.locator(".ax-numbers").wait_for(timeout=90_000)
    return page
