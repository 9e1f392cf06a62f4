"""The receptive field of every layer against the image: layers that start when every position already sees all of it.

Richter et al. 2022 (arXiv 2211.14487) call a convolutional layer unproductive if the field of its input already covers
the image: it can add no context. In a network with several paths, the fields of the shortest and of the longest path
differ. A layer whose input covers the image on the longest path only is critical; on the shortest path too, unproductive.

Fields are added up along all paths, by kernel, dilation and stride. That is exact if nothing else mixes positions, which
the exact field of the last map decides (`support`). If it disagrees, as with attention, squeeze-and-excitation or spatial
norms, the field of each layer is measured within the image, and no layer is called unproductive.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import AblationError
from .features import find_map, run
from .layouts import Layout, layout_of
from .modes import device_and_dtype, evaluating
from .open_paths import pair
from .support import theoretical_receptive_field

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_LAYERS = (nn.Conv2d, *_POOLS, nn.Linear)
PRODUCTIVE, CRITICAL, UNPRODUCTIVE, GLOBAL = "productive", "critical", "unproductive", "global"


@dataclass(frozen=True)
class LayerField:
    """The theoretical receptive field of one layer, in pixels.

    Args:
        layer: name of the layer.
        kind: its type, such as "Conv2d 3x3, stride 2".
        field: side of its field. At most the image's side where it is measured (`measured`).
        before: side of the field of its input, on the longest path; None where it is measured.
        shortest: side of the field of its input, on the shortest path; None where it is measured.
        image: side of the image.
        measured: whether the field was measured within the image, because more than kernels mixes positions.
    """

    layer: str
    kind: str
    field: int
    before: int | None
    shortest: int | None
    image: int
    measured: bool

    @property
    def status(self) -> str:
        """`PRODUCTIVE`, `CRITICAL`, `UNPRODUCTIVE`, or `GLOBAL` if a measured field covers the image."""
        if self.before is None or self.shortest is None:
            return GLOBAL if self.field >= self.image else PRODUCTIVE
        if self.shortest >= self.image:
            return UNPRODUCTIVE
        return CRITICAL if self.before >= self.image else PRODUCTIVE


def receptive_fields(
    module: nn.Module,
    size: int = 224,
    in_chans: int = 3,
    layout: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[LayerField, ...]:
    """Return the theoretical receptive field of each layer, and mark the layers that start when it covers the image.

    Args:
        module: any network that takes (N, in_chans, H, W).
        size: side of the image in pixels.
        in_chans: channels of the image.
        layout: layout of the network's maps, if it cannot be told: "NCHW", "NHWC", "NLC" (tokens), or "NLC+k" (tokens after
            k class or register tokens).
        progress: called after each layer with (layers done, total layers).

    Returns:
        One entry per convolution, pooling or linear layer that outputs a map, in the order of their first call.

    Raises:
        AblationError: if the module cannot be run on such an image, or no such layer outputs a map.

    >>> fields = receptive_fields(nn.Sequential(nn.Conv2d(3, 4, 7), nn.Conv2d(4, 4, 3)), size=12)
    >>> [(x.layer, x.field, x.before, x.status) for x in fields]
    [('0', 7, 1, 'productive'), ('1', 9, 7, 'productive')]
    """
    if not isinstance(size, int) or size < 1:
        raise AblationError(f"size {size!r} must be a whole number of pixels, 1 or more")
    network = copy.deepcopy(module)
    device, dtype = device_and_dtype(network)
    image = torch.zeros(1, in_chans, size, size, device=device, dtype=dtype)
    with evaluating(network), torch.no_grad():
        paths = _Paths(image)
        calls = _run(network, image, layout, paths)
        if not calls:
            raise AblationError(f"no convolution, pooling or linear layer of {type(module).__name__} outputs a map")
        last = find_map(network, image, None, layout).layer
    exact = theoretical_receptive_field(module, layer=last, in_chans=in_chans, layout=layout)
    added = paths.outputs.get(last)
    trusted = added is not None and not exact.whole_image and added.longest == (exact.height, exact.width)
    rows = []
    for done, (name, call) in enumerate(calls.items(), start=1):
        if trusted and call.before and call.after:
            before, after = max(call.before.longest), max(call.after.longest)
            row = LayerField(name, call.kind, after, before, max(call.before.shortest), size, measured=False)
        else:
            field = theoretical_receptive_field(module, size=size, layer=name, in_chans=in_chans, layout=layout)
            row = LayerField(name, call.kind, int(field), None, None, size, measured=True)
        rows.append(row)
        if progress:
            progress(done, len(calls))
    return tuple(rows)


@dataclass(frozen=True)
class _Reach:
    """Rows and columns in pixels: field of the longest and shortest path, and distance from one position to the next."""

    longest: tuple[int, int] = (1, 1)
    shortest: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)

    def after(self, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> _Reach:
        """Return the reach after a convolution or pooling."""
        grown = [(k - 1) * d * s for k, d, s in zip(kernel, dilation, self.stride, strict=True)]
        return _Reach(
            (self.longest[0] + grown[0], self.longest[1] + grown[1]),
            (self.shortest[0] + grown[0], self.shortest[1] + grown[1]),
            (self.stride[0] * stride[0], self.stride[1] * stride[1]),
        )


@dataclass
class _Call:
    """The first call of a layer."""

    kind: str
    before: _Reach | None
    after: _Reach | None = None


class _Paths(TorchFunctionMode):
    """Add up fields along all paths of a network while it runs.

    An operator that is neither a convolution nor a pooling is taken to leave positions apart. Tensors are kept alive, so
    that their identities stay unique.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.outputs: dict[str, _Reach] = {}
        self._known: dict[int, tuple[Tensor, _Reach]] = {id(image): (image, _Reach())}

    def reach(self, x: Any) -> _Reach | None:
        found = self._known.get(id(x))
        return found[1] if found else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        inputs = [x for x in map(self.reach, _tensors([*args, *kwargs.values()])) if x]
        if not inputs:
            return result
        if name in ("conv2d", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d"):
            reach = inputs[0].after(*_window(name, args, kwargs))
        else:
            reach = _Reach(
                _each(max, [x.longest for x in inputs]),
                _each(min, [x.shortest for x in inputs]),
                _each(max, [x.stride for x in inputs]),
            )
        for output in _tensors([result]):
            self._known[id(output)] = (output, reach)
        return result


def _run(network: nn.Module, image: Tensor, layout: str | None, paths: _Paths) -> dict[str, _Call]:
    """Run the network, and return the first call of each layer that outputs a map."""
    calls: dict[str, _Call] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            reach = paths.reach(output)
            if reach:
                paths.outputs[name] = reach
            is_map = isinstance(part, _LAYERS) and isinstance(layout_of(output, image, network, name, layout), Layout)
            if is_map and name not in calls:
                calls[name] = _Call(_describe(part), paths.reach(inputs[0]), reach)

        return hook

    handles = [part.register_forward_hook(hook_for(name)) for name, part in network.named_modules()]
    try:
        with paths:
            run(network, image, copy=False)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _describe(part: nn.Module) -> str:
    if isinstance(part, nn.Linear):
        return "Linear"
    kernel, stride = (pair(getattr(part, name)) for name in ("kernel_size", "stride"))
    step = f", stride {stride[0]}" if stride != (1, 1) else ""
    depthwise = isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1
    return f"{'depthwise ' if depthwise else ''}{type(part).__name__} {kernel[0]}x{kernel[1]}{step}"


def _window(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return kernel size, stride and dilation of a call."""
    if name == "conv2d":
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        kernel: Any = tuple(weight.shape[-2:])
        stride = _option(args, kwargs, 3, "stride", 1)
        return kernel, pair(stride), pair(_option(args, kwargs, 5, "dilation", 1))
    kernel = _option(args, kwargs, 1, "kernel_size", 1)
    stride = _option(args, kwargs, 2, "stride", None) or kernel
    dilation = 1 if name == "avg_pool2d" else _option(args, kwargs, 4, "dilation", 1)
    return pair(kernel), pair(stride), pair(dilation)


def _option(args: Any, kwargs: dict[str, Any], place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _tensors(values: Any) -> list[Tensor]:
    """Return the tensors among values, also those in lists and tuples."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found


def _each(choose: Callable[..., int], pairs: list[tuple[int, int]]) -> tuple[int, int]:
    return choose(x[0] for x in pairs), choose(x[1] for x in pairs)
