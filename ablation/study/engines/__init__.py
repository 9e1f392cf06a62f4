"""Where trials run: processes of this machine. An engine yields `Event`s as its trials go on."""

from .events import ATTEMPTS, Engine, Event
from .local import locally

__all__ = ["ATTEMPTS", "Engine", "Event", "locally"]
