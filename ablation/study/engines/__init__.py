"""Where trials run: processes of this machine, or a Ray cluster. An engine yields `Event`s as its trials go on."""

from .events import ATTEMPTS, Engine, Event
from .local import locally
from .named import ENGINES, engine_of
from .ray import on_ray

__all__ = ["ATTEMPTS", "ENGINES", "Engine", "Event", "engine_of", "locally", "on_ray"]
