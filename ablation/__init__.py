"""The steps of the ConvNeXt paper from ResNet-50 to ConvNeXt-T, to build, count and train one by one.

Names are imported on first use (PEP 562), so `import ablation` is fast and does not import torch until it is needed.
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
    from .design.recipe import Recipe
    from .design.recipes import MICRO_MODERN, MICRO_ORIGINAL, MODERN, ORIGINAL
    from .design.registry import register_activation, register_norm
    from .design.roadmap import Rung, roadmap
    from .design.steps import Step, chain
    from .design.trial import Outcome, Trial
    from .errors import AblationError
    from .measure.attribution import attribute, grad_cam
    from .measure.breakdown import breakdown
    from .measure.counting import Count, count
    from .measure.faithfulness import completeness_gap, insertion_deletion, weight_randomisation
    from .measure.images import photographs
    from .measure.layer_fields import LayerField, receptive_fields
    from .measure.memory import training_memory
    from .measure.receptive_field import ERF, effective_receptive_field, open_branches
    from .measure.reconcile import Reconciliation, reconcile
    from .measure.support import theoretical_receptive_field
    from .measure.timing import Timing, benchmark
    from .network import ConvNet, build, from_timm, load_weights, save_weights, to_timm
    from .study.study import Study
    from .train.run import run

_HOME = {
    "AblationError": "errors",
    "Architecture": "design.architecture",
    "ConvNet": "network",
    "Cost": "design.cost",
    "Count": "measure.counting",
    "ERF": "measure.receptive_field",
    "LayerField": "measure.layer_fields",
    "MICRO_MODERN": "design.recipes",
    "MICRO_ORIGINAL": "design.recipes",
    "MODERN": "design.recipes",
    "ORIGINAL": "design.recipes",
    "Outcome": "design.trial",
    "RESNET200": "design.architecture",
    "RESNET50": "design.architecture",
    "Recipe": "design.recipe",
    "Reconciliation": "measure.reconcile",
    "Rung": "design.roadmap",
    "Step": "design.steps",
    "Study": "study.study",
    "Timing": "measure.timing",
    "Trial": "design.trial",
    "attribute": "measure.attribution",
    "benchmark": "measure.timing",
    "breakdown": "measure.breakdown",
    "build": "network",
    "chain": "design.steps",
    "completeness_gap": "measure.faithfulness",
    "convnext": "design.convnext",
    "cost": "design.cost",
    "count": "measure.counting",
    "effective_receptive_field": "measure.receptive_field",
    "from_timm": "network",
    "grad_cam": "measure.attribution",
    "insertion_deletion": "measure.faithfulness",
    "load_weights": "network",
    "open_branches": "measure.receptive_field",
    "photographs": "measure.images",
    "receptive_fields": "measure.layer_fields",
    "reconcile": "measure.reconcile",
    "register_activation": "design.registry",
    "register_norm": "design.registry",
    "roadmap": "design.roadmap",
    "run": "train.run",
    "save_weights": "network",
    "steps": "design",
    "theoretical_receptive_field": "measure.support",
    "to_timm": "network",
    "training_memory": "measure.memory",
    "weight_randomisation": "measure.faithfulness",
}

__all__ = [
    "ERF",
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
    "LayerField",
    "Outcome",
    "Recipe",
    "Reconciliation",
    "Rung",
    "Step",
    "Study",
    "Timing",
    "Trial",
    "__version__",
    "attribute",
    "benchmark",
    "breakdown",
    "build",
    "chain",
    "completeness_gap",
    "convnext",
    "cost",
    "count",
    "effective_receptive_field",
    "from_timm",
    "grad_cam",
    "insertion_deletion",
    "load_weights",
    "open_branches",
    "photographs",
    "receptive_fields",
    "reconcile",
    "register_activation",
    "register_norm",
    "roadmap",
    "run",
    "save_weights",
    "steps",
    "theoretical_receptive_field",
    "to_timm",
    "training_memory",
    "weight_randomisation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME[name]}")
    value = getattr(home, name, None)
    if value is None:  # the name of a submodule
        value = import_module(f"{home.__name__}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
