"""The state dicts of timm's `resnet*` and `convnext_*`, in and out.

timm: Ross Wightman, https://github.com/huggingface/pytorch-image-models. Where the architectures are the same, the
weights are the same tensors under other names; only ConvNeXt's linear layers have two dimensions there and four here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import timm
from torch import Tensor

from ..design.architecture import RESNET50, RESNET200, Architecture
from ..design.convnext import SIZES, convnext
from ..errors import AblationError, unknown
from .build import ConvNet, build
from .weights import load_state, read_state_dict

TIMM_MODELS = {
    "resnet50": RESNET50,
    "resnet101": RESNET50.replace(depths=(3, 4, 23, 3)),
    "resnet152": RESNET50.replace(depths=(3, 8, 36, 3)),
    "resnet200": RESNET200,
    **{f"convnext_{size}": convnext(size) for size in SIZES},
}
_CONV_MLP = ("atto", "femto", "pico", "nano")  # timm builds these with 1x1 convolutions, the larger with linear layers

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
    """Our network with the weights of a timm model: the same logits.

    Args:
        name: such as "resnet50" or "convnext_tiny.fb_in1k".
        pretrained: download timm's weights, where its hub can be reached.
        file: a local file of the model's weights instead.
        num_classes: outputs of the classifier.
        in_chans: channels of the image.

    Returns:
        A `ConvNet`; without `pretrained` and `file`, with the weights that timm initialises.

    Raises:
        AblationError: if the model has no description here, or the weights cannot be had or do not fit.
    """
    base = name.partition(".")[0]
    if base not in TIMM_MODELS:
        raise unknown("timm model with a description here", base, TIMM_MODELS)
    network = build(TIMM_MODELS[base], num_classes=num_classes, in_chans=in_chans)
    if file is not None:
        load_timm_state(network, read_state_dict(file), origin=str(file))
        return network
    try:
        model = timm.create_model(name, pretrained=pretrained, num_classes=num_classes, in_chans=in_chans)
    except Exception as error:  # a hub fails in many ways, each with a class of its own
        raise AblationError(
            f"timm could not make {name!r} ({type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}). "
            "Where no hub can be reached, give the weights as a local file"
        ) from error
    load_timm_state(network, model.state_dict(), origin=name)
    return network


def load_timm_state(network: ConvNet, state: Mapping[str, Tensor], origin: str = "the state dict") -> None:
    """Put the state dict of a timm `resnet*` or `convnext_*` into our network of the same architecture.

    Raises:
        AblationError: if it is another network's; the network is then left as it was.
    """
    ours = {_timm_name(name, network.architecture): (name, value) for name, value in network.state_dict().items()}
    renamed = {}
    for key, value in state.items():
        name, own = ours.get(key, (key, value))
        is_linear = value.ndim == 2 and own.ndim == 4
        renamed[name] = value[:, :, None, None] if is_linear else value
    load_state(network, renamed, origin)


def to_timm(network: ConvNet, conv_mlp: bool | None = None) -> dict[str, Tensor]:
    """The state dict of timm's model of the same architecture, with our weights.

    Args:
        network: a ResNet or a ConvNeXt of ours; other rungs have no counterpart in timm.
        conv_mlp: whether timm's model has 1x1 convolutions for linear layers; by default, as timm's own models, for atto,
            femto, pico and nano only.

    Raises:
        AblationError: if timm has no counterpart.
    """
    if conv_mlp is None:
        small = (convnext(size) for size in _CONV_MLP)
        conv_mlp = any((a.depths, a.width) == (network.architecture.depths, network.architecture.width) for a in small)
    state = {}
    for name, value in network.state_dict().items():
        theirs = _timm_name(name, network.architecture)
        is_linear = ".mlp.fc" in theirs and value.ndim == 4 and not conv_mlp
        state[theirs] = value.flatten(1) if is_linear else value
    return state


def _timm_name(name: str, architecture: Architecture) -> str:
    """What timm calls one of our tensors."""
    family = architecture.replace(depths=RESNET50.depths, width=RESNET50.width, layer_scale=None)
    if family == RESNET50 and architecture.layer_scale is None:
        name = re.sub(r"stages\.(\d)\.blocks\.", lambda match: f"layer{int(match[1]) + 1}.", name)
        table: tuple[tuple[str, str], ...] = _RESNET
    elif family == convnext("tiny").replace(depths=RESNET50.depths, width=RESNET50.width, layer_scale=None):
        table = _CONVNEXT
    else:
        raise AblationError(
            f"timm has no model of {architecture!r}: only ResNets and ConvNeXts have a counterpart there"
        )
    for ours, theirs in table:
        name = name.replace(ours, theirs)
    return name
