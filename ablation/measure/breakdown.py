"""MACs and forward time of a network, by kind of layer.

MACs do not predict time: a depthwise convolution has few MACs but takes long, and a norm has no MACs at all.
Each layer is timed with hooks, on CUDA with synchronisation before and after. The total is therefore slightly longer
than the time of a call without hooks: read the seconds as shares.
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
from .sizes import Size, image_shape

KINDS = ("k x k convolution", "depthwise convolution", "pointwise", "linear", "norm", "activation", "other")
_OTHER = KINDS[-1]


@dataclass(frozen=True)
class Share:
    """Parameters, MACs and time of one kind of layer.

    Args:
        kind: one of KINDS. "pointwise" means 1x1 convolutions and linear layers applied at every position; "linear"
            means linear layers after pooling; "other" is everything outside single layers, such as additions and
            attention products.
        params, macs: parameters and MACs of those layers; MACs are per image.
        seconds: time spent in those layers in one call on the batch.
    """

    kind: str
    params: int
    macs: int
    seconds: float


def breakdown(
    module: nn.Module, size: Size = 224, batch: int = 8, in_chans: int = 3, samples: int = 5
) -> tuple[Share, ...]:
    """Return parameters, MACs and forward time of a network, by kind of layer.

    Args:
        module: takes (batch, in_chans, height, width).
        size: side of the square image in pixels, or (height, width).
        batch: images in the timed call.
        in_chans: channels of the images.
        samples: number of timed calls; the median is taken per kind.

    Returns:
        One entry per kind that occurs, in the order of KINDS.

    Raises:
        AblationError: if a number is not 1 or more, or the module cannot be counted or run.

    >>> [share.kind for share in breakdown(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()), size=8) if share.params]
    ['pointwise']
    """
    for name, number in (("batch", batch), ("samples", samples)):
        if number < 1:
            raise AblationError(f"{name} {number} must be 1 or more")
    shape = image_shape(size, in_chans)
    counted = count(module, size, in_chans)
    device, dtype = device_and_dtype(module)
    images = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    leaves = dict(_single_layers(module))
    kinds: dict[str, str] = {}
    seconds: Counter[str] = Counter()
    start_times: dict[str, float] = {}

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def before(name: str) -> Any:
        def hook(layer: nn.Module, args: Any, kwargs: Any) -> None:
            kinds[name] = _kind(layer, first_input(args, kwargs))
            start_times[name] = now()

        return hook

    def after(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            seconds[kinds[name]] += now() - start_times[name]  # type: ignore[assignment]

        return hook

    handles = [part.register_forward_pre_hook(before(name), with_kwargs=True) for name, part in leaves.items()]
    handles += [part.register_forward_hook(after(name)) for name, part in leaves.items()]
    samples_of: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        with evaluating(module), torch.no_grad():
            for sample in range(samples + 1):
                seconds.clear()
                start = now()
                run(module, images, copy=False)
                seconds[_OTHER] += now() - start - sum(seconds.values())  # type: ignore[assignment]
                if sample:  # the first call is a warm-up
                    for kind, values in samples_of.items():
                        values.append(float(seconds[kind]))
    finally:
        for handle in handles:
            handle.remove()
    macs: Counter[str] = Counter()
    params: Counter[str] = Counter()
    already_counted: set[nn.Parameter] = set()  # layers may share a parameter
    for name, kind in kinds.items():
        macs[kind] += counted.by_module.get(name, 0)
        own = set(leaves[name].parameters()) - already_counted
        params[kind] += sum(parameter.numel() for parameter in own)
        already_counted |= own
    macs[_OTHER] += counted.macs - sum(macs.values())
    params[_OTHER] += counted.params - sum(params.values())
    shares = (Share(kind, params[kind], macs[kind], statistics.median(samples_of[kind])) for kind in KINDS)
    return tuple(share for share in shares if share.params or share.macs or share.seconds)


def _single_layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules without children, by name.

    A norm that contains its activation, as some of timm's do, is one layer. So is a convolution or linear layer whose
    weights are computed, as with weight normalisation.
    """
    children = list(module.named_children())
    if not children or isinstance(module, (nn.Conv2d, nn.Linear, *NORMS)):
        yield name, module
        return
    for key, child in children:
        yield from _single_layers(child, f"{name}.{key}" if name else key)


def _kind(part: nn.Module, x: Any) -> str:
    """Return the kind of a layer with input x, one of KINDS."""
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
