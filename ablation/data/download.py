"""Downloads that cannot hang: every request times out, and a connection that is too slow is given up.

torchvision downloads through urllib and waits for ever; within `enforced_pace` its requests are bounded.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT_SECONDS = 20.0  # for a server that sends nothing, and the time over which the rate is measured
SLOWEST = 100_000  # bytes per second: CIFAR-10 then takes half an hour, and its usual server can be slower still


@contextmanager
def enforced_pace(too_slow: Callable[[str], Exception]) -> Iterator[None]:
    """Bound the time of every urllib request made inside this context.

    Args:
        too_slow: makes the exception that is raised for a slow connection, from a description of it.
    """
    before = getattr(urllib.request, "_opener", None)
    urllib.request.install_opener(urllib.request.build_opener(_Pace(too_slow)))
    try:
        yield
    finally:
        urllib.request._opener = before  # type: ignore[attr-defined]


class _Pace(urllib.request.BaseHandler):
    """Gives each request a timeout and each response a minimum rate."""

    def __init__(self, too_slow: Callable[[str], Exception]) -> None:
        self.too_slow = too_slow

    def http_request(self, request: Any) -> Any:
        request.timeout = TIMEOUT_SECONDS
        return request

    def http_response(self, request: Any, response: Any) -> Any:
        since, received = time.monotonic(), 0

        def read(amount: int = -1) -> bytes:
            nonlocal since, received
            data: bytes = response.read1(amount)  # read would wait for all of it, however slowly it comes
            received += len(data)
            elapsed = time.monotonic() - since
            if data and elapsed > TIMEOUT_SECONDS:
                if received < SLOWEST * elapsed:
                    rate = received / elapsed / 1000
                    raise self.too_slow(f"{request.full_url} sends only {rate:.1f} kB/s: given up")
                since, received = time.monotonic(), 0
            return data

        response.read = read
        return response

    https_request = http_request
    https_response = http_response
