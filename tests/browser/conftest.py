"""What the browser's tests share: Debian's Chromium, a page that overlooks nothing, and servers that end with the tests.

A test that takes `page` fails if the page logged an error, raised one, or asked another machine for anything. What a
program that is not ours is known to log goes, with its reason, into `complaints.allowed`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.servers import Serve, serving

HERE = {"127.0.0.1", "localhost", "::1"}
PATIENCE_MS = 60_000  # for what should be there at once, on a busy machine
NO_HOST = {"file", "data", "blob", "about"}  # schemes that ask nobody


@dataclass
class Complaints:
    """What went wrong on a page while a test looked elsewhere.

    Args:
        seen: one line for each console error, page error and request to another machine, in order.
        allowed: patterns of lines that do not count; each with a comment that says why.
    """

    seen: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    @property
    def unexpected(self) -> list[str]:
        return [line for line in self.seen if not any(re.search(pattern, line) for pattern in self.allowed)]


def leaves(address: str) -> bool:
    """Whether a request for this address goes to another machine."""
    parts = urlsplit(address)
    return parts.scheme not in NO_HOST and parts.hostname not in HERE


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Per module: Playwright keeps an event loop running, which other tests had better not meet."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium here (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Complaints:
    """What `page` noticed so far; take it to look at it, or to allow what another program is known to log."""
    return Complaints()


@pytest.fixture
def page(chromium: Browser, complaints: Complaints) -> Iterator[Page]:
    """A page in a context of its own, 1280x900, that must end without a complaint."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    seen = complaints.seen
    context.on(
        "console",
        lambda said: seen.append(f"console: {said.text} ({said.location['url']})") if said.type == "error" else None,
    )
    context.on("weberror", lambda error: seen.append(f"page: {error.error}"))
    context.on("request", lambda asked: seen.append(f"request: {asked.url}") if leaves(asked.url) else None)
    opened = context.new_page()
    opened.on("websocket", lambda asked: seen.append(f"request: {asked.url}") if leaves(asked.url) else None)
    yield opened
    context.close()
    assert complaints.unexpected == []


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start a server that lives until the module's tests are done, so longer than their pages; gives its address.

    `serve(["jupyter", "lab", "--ServerApp.port={port}"], path="/api")`: see `serving`.
    """
    with ExitStack() as running:
        yield lambda command, **options: running.enter_context(
            serving(command, tmp_path_factory.mktemp("server"), **options)
        )
