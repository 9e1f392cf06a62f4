"""The ConvNeXt paper's road from ResNet-50 to ConvNeXt-T, taken apart.

Names load on first use (PEP 562), so `import ablation` is instant and needs no torch until something is built.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .design import steps
    from .design.architecture import RESNET50, RESNET200, Architecture
    from .design.convnext import convnext
    from .design.cost import Cost, cost
    from .design.registry import register_activation, register_norm
    from .design.roadmap import Rung, roadmap
    from .design.steps import Step, chain
    from .errors import AblationError
    from .measure.counting import Count, count
    from .network import ConvNet, build, from_timm, load_weights, save_weights, to_timm
    from .study.recipe import MICRO_MODERN, MICRO_ORIGINAL, MODERN, ORIGINAL, Recipe
    from .study.study import Study
    from .study.training import run
    from .study.trial import Outcome, Trial

_HOME = {
    "AblationError": "errors",
    "Architecture": "design.architecture",
    "ConvNet": "network",
    "Cost": "design.cost",
    "Count": "measure.counting",
    "MICRO_MODERN": "study.recipe",
    "MICRO_ORIGINAL": "study.recipe",
    "MODERN": "study.recipe",
    "ORIGINAL": "study.recipe",
    "Outcome": "study.trial",
    "RESNET50": "design.architecture",
    "RESNET200": "design.architecture",
    "Recipe": "study.recipe",
    "Rung": "design.roadmap",
    "Step": "design.steps",
    "Study": "study.study",
    "Trial": "study.trial",
    "build": "network",
    "chain": "design.steps",
    "convnext": "design.convnext",
    "cost": "design.cost",
    "count": "measure.counting",
    "from_timm": "network",
    "load_weights": "network",
    "register_activation": "design.registry",
    "register_norm": "design.registry",
    "roadmap": "design.roadmap",
    "run": "study.training",
    "save_weights": "network",
    "steps": "design",
    "to_timm": "network",
}

__all__ = [
    "MICRO_MODERN",
    "MICRO_ORIGINAL",
    "MODERN",
    "ORIGINAL",
    "RESNET50",
    "RESNET200",
    "AblationError",
    "Architecture",
    "ConvNet",
    "Cost",
    "Count",
    "Outcome",
    "Recipe",
    "Rung",
    "Step",
    "Study",
    "Trial",
    "__version__",
    "build",
    "chain",
    "convnext",
    "cost",
    "count",
    "from_timm",
    "load_weights",
    "register_activation",
    "register_norm",
    "roadmap",
    "run",
    "save_weights",
    "steps",
    "to_timm",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME[name]}")
    value = getattr(home, name, None)
    if value is None:  # a submodule
        value = import_module(f"{home.__name__}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
