"""The memory layout in which a network trains fastest, tried at the start of a trial on a CUDA device.

Where the channels of a position lie side by side (channels last), tensor cores read them without a copy, which suits most
networks. It also decides what computes depthwise convolutions: cuDNN there, and torch's own kernels in contiguous memory, which
may be faster. For contiguous fp16, torch has a table, and from its release 2.13 or so a setting, `depthwise_kernel`, which holds
for forward and backward passes of depthwise convolutions and for no others; `cudnn.enabled` would hold for all convolutions.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from ..data.about import Data
from ..design.trial import Trial
from .arithmetic import float32_products
from .device_steps import PRECISIONS as DTYPES
from .devices import stored_precision

_SECONDS = 2.0  # no further layout is tried after that
_MIN_GAIN = 0.03  # of the default's time; less may be noise
_PASSES = 3  # timed ones, of which the fastest counts


@dataclass(frozen=True)
class Layout:
    """How the images and weights of a network lie in memory.

    Args:
        memory_format: of images and weights.
        depthwise_kernel: what computes depthwise convolutions of contiguous fp16: "auto", "cudnn" or "native".
    """

    memory_format: torch.memory_format = torch.channels_last
    depthwise_kernel: str = "auto"


DEFAULT = "channels_last"
LAYOUTS = {
    DEFAULT: Layout(),
    "contiguous": Layout(torch.contiguous_format),
    "contiguous, cuDNN depthwise": Layout(torch.contiguous_format, "cudnn"),
    "contiguous, native depthwise": Layout(torch.contiguous_format, "native"),
}


def settle_layout(
    recorded: Any, network: nn.Module, trial: Trial, data: Data, accelerator: Accelerator, accumulate: int
) -> str:
    """Return the name of the layout to train a network in, and put the network into it. It is the same in all processes.

    Args:
        recorded: name of the layout in which the trial has begun, or None.
        network: on the device.
        trial, data: give the images that it is trained with.
        accelerator: device, processes and precision.
        accumulate: parts in which each process handles its share of a batch.
    """
    name = recorded if recorded in LAYOUTS else None
    if name is None:
        size = data.info.size or trial.recipe.size
        images = trial.recipe.batch_size // accelerator.num_processes // accumulate
        dtype = DTYPES[stored_precision(accelerator.mixed_precision)]
        name = choose_layout(network, (images, data.info.in_chans, size, size), accelerator.device, dtype)
        name = str(broadcast_object_list([name])[0])
    network.to(memory_format=LAYOUTS[name].memory_format)
    return name


@contextmanager
def fast_training(layout: str, device: torch.device) -> Iterator[torch.memory_format]:
    """Have a CUDA device train at its speed: with the kernels of a layout, cuDNN's fastest algorithms, and TF32.

    Yields:
        The memory format of the images.
    """
    with float32_products(device, tf32=True), kernels(LAYOUTS[layout], device, benchmark=True):
        yield LAYOUTS[layout].memory_format


def choose_layout(network: nn.Module, shape: Sequence[int], device: torch.device, dtype: torch.dtype | None) -> str:
    """Return the name of the layout in which a network trains fastest; the default where the device is not a CUDA device.

    The network, its gradients and statistics, and the states of random generators are unchanged.

    Args:
        network: on the device.
        shape: (N, C, H, W) of the images that it gets at a time.
        device: the device.
        dtype: of mixed precision, or None for float32.
    """
    if device.type != "cuda":
        return DEFAULT
    copied = copy.deepcopy(network).train()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()], device_type="cuda"):
        timed = partial(_seconds, copied, torch.randn(*shape, device=device), dtype, device)
        chosen = fastest(candidates(network, dtype), timed)
    del copied, timed
    torch.cuda.empty_cache()
    return chosen


def candidates(network: nn.Module, dtype: torch.dtype | None) -> list[str]:
    """Return the names of the layouts worth trying for a network in a precision, the default first."""
    depthwise = any(isinstance(m, nn.Conv2d) and 1 < m.groups == m.in_channels for m in network.modules())
    if depthwise and dtype is not None and _can_choose_kernel():
        return [name for name in LAYOUTS if name != "contiguous"]  # which is one of the other two
    return [DEFAULT, "contiguous"]


def fastest(
    names: Sequence[str],
    seconds_of: Callable[[str], float],
    clock: Callable[[], float] = time.perf_counter,
) -> str:
    """Return the name of the fastest layout, or the first one unless another is clearly faster.

    Args:
        names: of the layouts to try, in this order, until the time is up.
        seconds_of: returns the seconds of a pass in the layout of a name, or raises an error if it is not possible.
        clock: returns the time in seconds.
    """
    started = clock()
    times: dict[str, float] = {}
    for name in names:
        if times and clock() - started > _SECONDS:
            break
        try:
            times[name] = seconds_of(name)
        except (RuntimeError, ValueError):  # too little memory, or images that do not fit: training itself will tell
            continue
    best = min(times, key=lambda name: times[name], default=names[0])
    default = times.get(names[0])
    return names[0] if default is not None and times[best] > (1 - _MIN_GAIN) * default else best


@contextmanager
def kernels(layout: Layout, device: torch.device, benchmark: bool = False) -> Iterator[None]:
    """Have a CUDA device compute convolutions as a layout says, and restore the settings of the caller.

    Args:
        layout: the layout.
        device: has no effect on other devices.
        benchmark: whether cuDNN tries its algorithms once for each convolution, which pays if the shapes recur.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    wanted: dict[str, Any] = {"benchmark": benchmark}
    if _can_choose_kernel():
        wanted["depthwise_kernel"] = layout.depthwise_kernel
    before = {name: getattr(cudnn, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(cudnn, name, value)


def _can_choose_kernel() -> bool:
    return hasattr(torch.backends.cudnn, "depthwise_kernel")


def _seconds(network: nn.Module, images: Tensor, dtype: torch.dtype | None, device: torch.device, layout: str) -> float:
    """Return the seconds of a forward and backward pass. The network is changed: its layout, gradients and statistics."""
    memory_format = LAYOUTS[layout].memory_format
    network.to(memory_format=memory_format)
    images = images.contiguous(memory_format=memory_format)
    durations = []
    with float32_products(device, tf32=True), kernels(LAYOUTS[layout], device):
        for _ in range(1 + _PASSES):  # the first one also chooses algorithms and allocates memory
            started = time.perf_counter()
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                result = network(images)
            result.float().square().mean().backward()
            for parameter in network.parameters():
                parameter.grad = None
            if device.type == "cuda":
                torch.cuda.synchronize()
            durations.append(time.perf_counter() - started)
    return min(durations[1:])
