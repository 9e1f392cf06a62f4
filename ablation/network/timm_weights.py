"""Conversion of state dicts from and to timm's `resnet*` and `convnext_*`.

timm: Ross Wightman, https://github.com/huggingface/pytorch-image-models. For the same architecture, the state dicts hold
the same tensors under different names. Only the weights of ConvNeXt's linear layers differ in shape: two dimensions in
timm, four here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..design.architecture import RESNET50, RESNET200, Architecture
from ..design.convnext import SIZES, convnext
from ..errors import AblationError, unknown
from .build import ConvNet, build
from .timm_creation import create_timm, load_timm
from .weights import load_state

TIMM_MODELS = {
    "resnet50": RESNET50,
    "resnet101": RESNET50.replace(depths=(3, 4, 23, 3)),
    "resnet152": RESNET50.replace(depths=(3, 8, 36, 3)),
    "resnet200": RESNET200,
    **{f"convnext_{size}": convnext(size) for size in SIZES},
}
_CONV_MLP = ("atto", "femto", "pico", "nano")  # timm uses 1x1 convolutions here, linear layers in larger models

_CONVNEXT = (
    ("stem.conv.", "stem.0."),
    ("stem.norm.", "stem.1."),
    ("downsample.norm.", "downsample.0."),
    ("downsample.conv.", "downsample.1."),
    ("branch.conv1.", "conv_dw."),
    ("branch.norm1.", "norm."),
    ("branch.conv2.", "mlp.fc1."),
    ("branch.conv3.", "mlp.fc2."),
    ("branch.scale.gamma", "gamma"),
)
_RESNET = (
    ("stem.conv.", "conv1."),
    ("stem.norm.", "bn1."),
    ("branch.conv", "conv"),
    ("branch.norm", "bn"),
    ("shortcut.conv.", "downsample.0."),
    ("shortcut.norm.", "downsample.1."),
    ("head.fc.", "fc."),
)


def from_timm(
    name: str, pretrained: bool = False, file: str | Path | None = None, num_classes: int = 1000, in_chans: int = 3
) -> ConvNet:
    """Return a `ConvNet` with the weights of a timm model; it computes the same logits.

    Args:
        name: name of the timm model, such as "resnet50" or "convnext_tiny.fb_in1k".
        pretrained: download timm's pretrained weights; requires access to its hub.
        file: local file with the model's weights, as an alternative to `pretrained`.
        num_classes: outputs of the classifier.
        in_chans: channels of the image.

    Returns:
        The network; without `pretrained` and `file`, its weights are newly initialised by timm.

    Raises:
        AblationError: if the model has no description here, or if the weights cannot be loaded or do not fit.
    """
    base = name.partition(".")[0]
    if base not in TIMM_MODELS:
        raise unknown("timm model with a description here", base, TIMM_MODELS)
    network = build(TIMM_MODELS[base], num_classes=num_classes, in_chans=in_chans)
    if file is not None:
        model, _ = load_timm(base, file)
        load_timm_state(network, model.state_dict(), origin=str(file))
        return network
    model = create_timm(name, pretrained, num_classes=num_classes, in_chans=in_chans)
    load_timm_state(network, model.state_dict(), origin=name)
    return network


def load_timm_state(network: ConvNet, state: Mapping[str, Tensor], origin: str = "the state dict") -> None:
    """Load the state dict of a timm `resnet*` or `convnext_*` into a `ConvNet` of the same architecture.

    Raises:
        AblationError: if the state dict does not fit; the network is then unchanged.
    """
    load_state(network, our_names(network, state), origin)


def our_names(network: ConvNet, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a timm `resnet*` or `convnext_*` with the names and shapes of a `ConvNet`'s tensors.

    Raises:
        AblationError: if timm has no model of this architecture.
    """
    ours = {_timm_name(name, network.architecture): (name, value) for name, value in network.state_dict().items()}
    renamed = {}
    for key, value in state.items():
        name, target = ours.get(key, (key, value))
        is_linear = value.ndim == 2 and target.ndim == 4
        renamed[name] = value[:, :, None, None] if is_linear else value
    return renamed


def to_timm(network: ConvNet, conv_mlp: bool | None = None) -> dict[str, Tensor]:
    """Return the weights of a network as a state dict of timm's model of the same architecture.

    Args:
        network: a `ConvNet` whose architecture is a ResNet or a ConvNeXt; other rungs have no counterpart in timm.
        conv_mlp: whether timm's model has 1x1 convolutions instead of linear layers; by default True only for atto, femto,
            pico and nano, as in timm.

    Raises:
        AblationError: if timm has no model of this architecture.
    """
    if conv_mlp is None:
        small = (convnext(size) for size in _CONV_MLP)
        conv_mlp = any((a.depths, a.width) == (network.architecture.depths, network.architecture.width) for a in small)
    state = {}
    for name, value in network.state_dict().items():
        timm_name = _timm_name(name, network.architecture)
        is_linear = ".mlp.fc" in timm_name and value.ndim == 4 and not conv_mlp
        state[timm_name] = value.flatten(1) if is_linear else value
    return state


def _timm_name(name: str, architecture: Architecture) -> str:
    """Return the name in timm's state dict of one of our tensors."""
    family = architecture.replace(depths=RESNET50.depths, width=RESNET50.width, layer_scale=None)
    if family == RESNET50 and architecture.layer_scale is None:
        name = re.sub(r"stages\.(\d)\.blocks\.", lambda match: f"layer{int(match[1]) + 1}.", name)
        table: tuple[tuple[str, str], ...] = _RESNET
    elif family == convnext("tiny").replace(depths=RESNET50.depths, width=RESNET50.width, layer_scale=None):
        table = _CONVNEXT
    else:
        raise AblationError(
            f"timm has no model of {architecture!r}: only ResNets and ConvNeXts have a counterpart in timm"
        )
    for ours, theirs in table:
        name = name.replace(ours, theirs)
    return name
