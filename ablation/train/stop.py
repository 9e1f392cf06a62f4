"""Signals that ask a training to end, heard between two of its steps."""

from __future__ import annotations

import signal
import threading
from typing import Any


class StopSignal:
    """Within this context SIGINT and SIGTERM are noted instead of obeyed, so that a step can end and be kept.

    Only the main thread of a process hears of signals; elsewhere nothing is changed. A second SIGINT is obeyed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.asked

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
