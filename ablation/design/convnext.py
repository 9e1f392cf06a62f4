"""The published ConvNeXt models as chains of steps from ResNet-50.

Depths and widths of tiny to xlarge are from section 3 of the paper (Liu et al. 2022, arXiv 2201.03545); those of atto to
nano are from timm (Wightman, https://github.com/huggingface/pytorch-image-models, timm/models/convnext.py).
"""

from __future__ import annotations

from ..errors import unknown
from . import steps
from .architecture import RESNET50, Architecture
from .steps import Step, chain

SIZES = {
    "atto": ((2, 2, 6, 2), 40),
    "femto": ((2, 2, 6, 2), 48),
    "pico": ((2, 2, 6, 2), 64),
    "nano": ((2, 2, 8, 2), 80),
    "tiny": ((3, 3, 9, 3), 96),
    "small": ((3, 3, 27, 3), 96),
    "base": ((3, 3, 27, 3), 128),
    "large": ((3, 3, 27, 3), 192),
    "xlarge": ((3, 3, 27, 3), 256),
}


def convnext_steps(size: str) -> Step:
    """Return the chain of steps from ResNet-50 to the ConvNeXt of that size, with layer scale as the last step."""
    if size not in SIZES:
        raise unknown("size of ConvNeXt", size, SIZES)
    depths, width = SIZES[size]
    return chain(
        steps.stage_ratio(depths),
        steps.patchify_stem,
        steps.depthwise,
        steps.widen(width),
        steps.inverted_bottleneck,
        steps.move_up_depthwise,
        steps.kernel_size(7),
        steps.gelu,
        steps.fewer_activations,
        steps.fewer_norms,
        steps.layer_norm,
        steps.strided_downsampling,
        steps.layer_scale(1e-6),
    )


def convnext(size: str = "tiny") -> Architecture:
    """Return the description of a published ConvNeXt.

    Args:
        size: "tiny", "small", "base", "large" or "xlarge" (from the paper), or "atto", "femto", "pico" or "nano" (from timm).

    >>> convnext("tiny").diff(convnext("small"))
    {'depths': ((3, 3, 9, 3), (3, 3, 27, 3))}
    """
    return RESNET50.apply(convnext_steps(size))
