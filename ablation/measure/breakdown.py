"""Where the work and the time of a network go, by kind of layer.

Multiply-accumulates and seconds are two things: a depthwise convolution has few of the ones and many of the others, a norm
none of the ones at all. Seconds are taken layer by layer with hooks, on CUDA between synchronisations, so that their sum is
a little more than the time of an undisturbed call: read them as shares.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import AblationError
from .counting import count
from .features import run
from .modes import device_and_dtype, evaluating, first_input
from .norms import NORMS

KINDS = ("k x k convolution", "depthwise convolution", "pointwise", "linear", "norm", "activation", "other")
_OTHER = KINDS[-1]


@dataclass(frozen=True)
class Share:
    """What one kind of layer takes.

    Args:
        kind: one of KINDS. "pointwise" are 1x1 convolutions and linear layers at every position; "linear" those after pooling;
            "other" is what happens outside of single layers, such as additions, and products of attention.
        params, macs: of those layers, the MACs for one image.
        seconds: within those layers, in one call on the batch.
    """

    kind: str
    params: int
    macs: int
    seconds: float


def breakdown(
    module: nn.Module, size: int = 224, batch: int = 8, in_chans: int = 3, samples: int = 5
) -> tuple[Share, ...]:
    """Parameters, MACs and forward seconds of a network by kind of layer.

    Args:
        module: takes (batch, in_chans, size, size).
        size: side of the square image in pixels.
        batch: images in the timed call.
        in_chans: channels of an image.
        samples: calls; the median is taken for each kind.

    Returns:
        One entry for each kind that occurs, in the order of KINDS.

    Raises:
        AblationError: if the module cannot be counted or run.

    >>> [share.kind for share in breakdown(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()), size=8) if share.params]
    ['pointwise']
    """
    for name, number in (("batch", batch), ("samples", samples)):
        if number < 1:
            raise AblationError(f"{name} {number} must be 1 or more")
    counted = count(module, size, in_chans)
    device, dtype = device_and_dtype(module)
    images = torch.randn(batch, in_chans, size, size, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    leaves = dict(_single_layers(module))
    kinds: dict[str, str] = {}
    seconds: Counter[str] = Counter()
    started: dict[str, float] = {}

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def before(name: str) -> Any:
        def hook(part: nn.Module, inputs: Any, named: Any) -> None:
            kinds[name] = _kind(part, first_input(inputs, named))
            started[name] = now()

        return hook

    def after(name: str) -> Any:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            seconds[kinds[name]] += now() - started[name]  # type: ignore[assignment]

        return hook

    handles = [part.register_forward_pre_hook(before(name), with_kwargs=True) for name, part in leaves.items()]
    handles += [part.register_forward_hook(after(name)) for name, part in leaves.items()]
    takes: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        with evaluating(module), torch.no_grad():
            for sample in range(samples + 1):
                seconds.clear()
                began = now()
                run(module, images, copy=False)
                seconds[_OTHER] += now() - began - sum(seconds.values())  # type: ignore[assignment]
                if sample:  # the first warms up
                    for kind, taken in takes.items():
                        taken.append(float(seconds[kind]))
    finally:
        for handle in handles:
            handle.remove()
    macs: Counter[str] = Counter()
    params: Counter[str] = Counter()
    counted_once: set[nn.Parameter] = set()  # a parameter may serve two layers
    for name, kind in kinds.items():
        macs[kind] += counted.by_module.get(name, 0)
        own = set(leaves[name].parameters()) - counted_once
        params[kind] += sum(parameter.numel() for parameter in own)
        counted_once |= own
    macs[_OTHER] += counted.macs - sum(macs.values())
    params[_OTHER] += counted.params - sum(params.values())
    shares = (Share(kind, params[kind], macs[kind], statistics.median(takes[kind])) for kind in KINDS)
    return tuple(share for share in shares if share.params or share.macs or share.seconds)


def _single_layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Parts without parts of their own. A norm that carries its activation along, as some of timm's do, is one layer; so is a
    convolution or linear layer whose weights are computed, as under weight normalisation."""
    children = list(module.named_children())
    if not children or isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)):
        yield name, module
        return
    for key, child in children:
        yield from _single_layers(child, f"{name}.{key}" if name else key)


def _kind(part: nn.Module, x: Any) -> str:
    if isinstance(part, nn.Conv2d):
        if part.groups == part.in_channels and part.groups > 1:
            return "depthwise convolution"
        return "pointwise" if set(part.kernel_size) == {1} else "k x k convolution"
    if isinstance(part, nn.Linear):
        return "pointwise" if getattr(x, "ndim", 2) > 2 else "linear"
    if isinstance(part, NORMS):
        return "norm"
    return (
        "activation" if type(part).__module__.endswith(("nn.modules.activation", "timm.layers.activations")) else _OTHER
    )
