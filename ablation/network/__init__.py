"""Building networks from descriptions, loading and saving weights, and registering every rung as a timm model.

It may import `ablation.design`.
"""

from . import timm_models  # noqa: F401  registers the rungs with timm
from .build import ConvNet, build
from .timm_weights import from_timm, load_timm_state, to_timm
from .weights import load_weights, save_weights
from .weights_reading import read_state_dict

__all__ = [
    "ConvNet",
    "build",
    "from_timm",
    "load_timm_state",
    "load_weights",
    "read_state_dict",
    "save_weights",
    "to_timm",
]
