"""A handler that defers SIGINT, SIGTERM, SIGHUP and SIGUSR1 to the end of the current training step."""

from __future__ import annotations

import signal
import threading
from typing import Any

# SIGHUP is sent when a terminal is closed. SIGUSR1 is what Slurm is asked to send before a job's time is up
# (`--signal=USR1@120`). Windows has neither.
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]


class StopSignal:
    """Context manager that records a stop signal, so that the current step can finish and be saved.

    A second SIGINT raises KeyboardInterrupt immediately. Python allows signal handlers only in the main thread; in any other
    thread this context manager does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.requested

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._record)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: object) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
