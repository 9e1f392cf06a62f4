"""Downloads that cannot hang: every request has a timeout, and a connection that is too slow is aborted.

torchvision downloads through urllib without a timeout. Inside `download_limits`, its requests are limited in time.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT_SECONDS = 20.0  # for a server that sends nothing; also the window over which the rate is measured
MIN_BYTES_PER_SECOND = 100_000  # CIFAR-10 then takes half an hour; its usual server can be even slower


@contextmanager
def download_limits(too_slow: Callable[[str], Exception]) -> Iterator[None]:
    """Apply a timeout and a minimum rate to every urllib request made inside this context.

    Args:
        too_slow: returns the exception to raise for a slow connection, given a description of the problem.
    """
    previous = getattr(urllib.request, "_opener", None)
    urllib.request.install_opener(urllib.request.build_opener(_LimitHandler(too_slow)))
    try:
        yield
    finally:
        urllib.request._opener = previous  # type: ignore[attr-defined]


class _LimitHandler(urllib.request.BaseHandler):
    """A urllib handler that sets a timeout on each request and a minimum rate on each response."""

    def __init__(self, too_slow: Callable[[str], Exception]) -> None:
        self.too_slow = too_slow

    def http_request(self, request: Any) -> Any:
        request.timeout = TIMEOUT_SECONDS
        return request

    def http_response(self, request: Any, response: Any) -> Any:
        since, received = time.monotonic(), 0

        def read(amount: int = -1) -> bytes:
            nonlocal since, received
            data: bytes = response.read1(amount)  # read() would block until all of it has arrived, however slowly
            received += len(data)
            elapsed = time.monotonic() - since
            if data and elapsed > TIMEOUT_SECONDS:
                if received < MIN_BYTES_PER_SECOND * elapsed:
                    rate = received / elapsed / 1000
                    raise self.too_slow(f"{request.full_url} sends only {rate:.1f} kB/s: download aborted")
                since, received = time.monotonic(), 0
            return data

        response.read = read
        return response

    https_request = http_request
    https_response = http_response
