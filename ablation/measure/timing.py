"""Benchmarks of a network: throughput, latency, spread, peak memory and roofline share.

A copy of the module is timed, so the module itself keeps its memory format, weights and statistics. After warm-up
calls, each sample is one call on a fixed batch, or several calls if one call takes less than ten milliseconds. The
reported time is the median of the samples, with the quartiles. On CUDA, times are measured with events on the device.

Roofline share (the flat part of the roofline of Williams et al. 2009, https://doi.org/10.1145/1498765.1498785):
multiply-accumulates per second of the network, divided by those of one large matrix product of the same data type on
this machine.
"""

from __future__ import annotations

import copy
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AblationError, first_line, unknown
from .counting import count
from .features import run
from .memory import peak_bytes
from .modes import device_and_dtype, refuse_inference_mode, same_random_state
from .sizes import Size, image_shape

MEMORY_FORMATS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
STEPS = ("forward", "training")
_TRAINING_FORWARDS = 3  # a backward pass computes two products for each product of the forward pass
_MIN_SAMPLE_SECONDS = 0.01
_MAX_SPREAD = 0.15  # interquartile range / median from which another set of samples is taken
_MAX_SETS = 3
_MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
_MATRIX_SAMPLES = 15
_MAX_PRODUCT_SECONDS = 1.0


@dataclass(frozen=True)
class Timing:
    """Time of one call on a batch, and the settings it was measured with.

    Args:
        seconds: median time of one call.
        low, high: the quartiles, in seconds.
        samples: number of samples.
        step: "forward", in eval mode without gradients, or "training": forward pass, backward pass and one SGD step.
        batch, size: images per call, and their side in pixels, or (height, width).
        memory_format, precision, compiled, device, threads: settings of the run.
        peak_bytes: peak memory of the tensors created during one call; None if it cannot be measured (compiled on a
            CPU).
        macs: multiply-accumulates of one call, a training step counted as three forward passes; None if the network
            contains an operator without a counting rule.
        macs_per_second: multiply-accumulates per second of this machine in one large matrix product of this precision.
    """

    seconds: float
    low: float
    high: float
    samples: int
    step: str
    batch: int
    size: Size
    memory_format: str
    precision: str
    compiled: bool
    device: str
    threads: int
    peak_bytes: int | None
    macs: int | None
    macs_per_second: float

    @property
    def images_per_second(self) -> float:
        """Throughput in images per second."""
        return self.batch / self.seconds

    @property
    def spread(self) -> float:
        """Interquartile range divided by the median."""
        return (self.high - self.low) / self.seconds

    @property
    def roofline_share(self) -> float | None:
        """Multiply-accumulates per second divided by those of a large matrix product, from 0 to about 1."""
        return None if self.macs is None else self.macs / self.seconds / self.macs_per_second


def benchmark(
    module: nn.Module,
    size: Size = 224,
    batch: int = 8,
    in_chans: int = 3,
    *,
    step: str = "forward",
    memory_format: str = "NCHW",
    precision: str = "fp32",
    compiled: bool = False,
    samples: int = 9,
    progress: Callable[[int, int], None] | None = None,
) -> Timing:
    """Time a network on its device. For latency use batch 1, for throughput a batch that fills the device.

    Args:
        module: takes (batch, in_chans, height, width); a copy is timed.
        size: side of the square image in pixels, or (height, width).
        batch: images per call.
        in_chans: channels of an image.
        step: "forward" or "training".
        memory_format: "NCHW" or "channels-last", for weights and images.
        precision: "fp32", or "bf16" with autocast.
        compiled: whether to use torch.compile; compilation is not timed.
        samples: number of samples, 4 or more; if the interquartile range is 15 % of the median or more, they are taken
            again, at most twice, and the set with the smallest spread is kept.
        progress: called after each sample with (samples done, total samples).

    Returns:
        The median time of one call, its quartiles, and quantities derived from them.

    Raises:
        AblationError: if an option is invalid, or the module cannot be run or compiled.
    """
    for name, value, possible in (
        ("step", step, STEPS),
        ("memory_format", memory_format, MEMORY_FORMATS),
        ("precision", precision, PRECISIONS),
    ):
        if value not in possible:
            raise unknown(name, value, possible)
    for name, number, least in (("batch", batch, 1), ("samples", samples, 4)):
        if number < least:
            raise AblationError(f"{name} {number!r} must be {least} or more")
    image = image_shape(size, in_chans)
    refuse_inference_mode("timing requires the normal autograd mode")
    device, _ = device_and_dtype(module)
    with same_random_state(device):
        call = _timed_call(module, (batch, *image), device, step, memory_format, precision, compiled)
        peak = None if compiled and device.type != "cuda" else peak_bytes(call, device)
        low, middle, high = _quartiles(call, samples, device, progress)
    return Timing(
        seconds=middle,
        low=low,
        high=high,
        samples=samples,
        step=step,
        batch=batch,
        size=size,
        memory_format=memory_format,
        precision=precision,
        compiled=compiled,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        peak_bytes=peak,
        macs=_macs(module, size, batch, in_chans, step),
        macs_per_second=matrix_rate(device.type, precision, torch.get_num_threads()),
    )


def _timed_call(
    module: nn.Module,
    shape: tuple[int, int, int, int],
    device: torch.device,
    step: str,
    memory_format: str,
    precision: str,
    compiled: bool,
) -> Callable[[], Any]:
    """Return the function to time; it runs a copy of the module on a fixed batch."""
    network: Any = copy.deepcopy(module).requires_grad_(step == "training").train(step == "training")
    network = network.to(memory_format=MEMORY_FORMATS[memory_format])
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, device_and_dtype(module)[1])
    images = images.to(memory_format=MEMORY_FORMATS[memory_format])
    name = type(module).__name__

    def forward() -> Any:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            return run(network, images, copy=False)

    def train() -> None:
        with torch.enable_grad():
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = run(network, images, copy=False)
            output.float().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    with (
        torch.set_grad_enabled(step == "training"),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        output = run(network, images, copy=False)  # errors of the module itself are raised here, before compilation
    if step == "training":
        if not isinstance(output, Tensor):
            raise AblationError(f"{name} outputs a {type(output).__name__}: a training step requires a single tensor")
        if not output.requires_grad:
            raise AblationError(f"the output of {name} depends on no weights: there is nothing to train")
        optimizer = torch.optim.SGD([*network.parameters()], lr=0.0, momentum=0.9)
    call = train if step == "training" else forward
    if compiled:
        try:
            network = torch.compile(network)
            call()
        except Exception as error:  # compilers raise many types of errors
            cause = error.__cause__ or error
            reason = first_line(cause)
            raise AblationError(f"torch.compile could not compile {name} on this machine: {reason}") from error
    return call


def _quartiles(
    call: Callable[[], Any], samples: int, device: torch.device, progress: Callable[[int, int], None] | None
) -> tuple[float, float, float]:
    """Return the quartiles of the steadiest of up to three sets of samples; other load often comes in bursts."""
    best: tuple[float, float, float] | None = None
    for _ in range(_MAX_SETS):
        low, middle, high = statistics.quantiles(sampled_seconds(call, samples, device, progress), n=4)
        if best is None or (high - low) / middle < (best[2] - best[0]) / best[1]:
            best = (low, middle, high)
        if (best[2] - best[0]) / best[1] < _MAX_SPREAD:
            break
    assert best is not None
    return best


def sampled_seconds(
    call: Callable[[], Any], samples: int, device: torch.device, progress: Callable[[int, int], None] | None = None
) -> list[float]:
    """Return samples of the seconds per call, each averaged over enough calls, after at least one warm-up call."""
    calls = 1
    while (seconds := _seconds(call, calls, device)) * calls < _MIN_SAMPLE_SECONDS:
        calls = max(2 * calls, int(1.2 * _MIN_SAMPLE_SECONDS / max(seconds, 1e-9)))
        if calls > 1_000_000:
            break
    gc_was_enabled = gc.isenabled()
    gc.disable()
    try:
        times = []
        for done in range(samples):
            times.append(_seconds(call, calls, device))
            if progress:
                progress(done + 1, samples)
        return times
    finally:
        if gc_was_enabled:
            gc.enable()


def _seconds(call: Callable[[], Any], calls: int, device: torch.device) -> float:
    """Return the mean seconds per call over a number of calls."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000 / calls
    start_seconds = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start_seconds) / calls


@cache
def matrix_rate(device: str, precision: str, threads: int) -> float:
    """Return the multiply-accumulates per second of one large square matrix product, best of 15; cached per process.

    Args:
        device: "cpu" or "cuda".
        precision: "fp32" or "bf16".
        threads: number of torch threads; only a cache key, because the rate depends on it.
    """

    def product(side: int) -> Callable[[], Tensor]:
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(side, side, generator=generator).to(device, PRECISIONS[precision]) for _ in range(2))
        return lambda: left @ right

    side = _MATRIX_SIDE.get(device, _MATRIX_SIDE["cpu"])
    small = max(1, side // 8)
    expected = _seconds(product(small), 2, torch.device(device)) * (side / small) ** 3
    while expected > _MAX_PRODUCT_SECONDS and side > small:  # for example bf16 on a processor without bf16 instructions
        side, expected = side // 2, expected / 8
    best = min(sampled_seconds(product(side), _MATRIX_SAMPLES, torch.device(device)))
    return side**3 / best


def _macs(module: nn.Module, size: Size, batch: int, in_chans: int, step: str) -> int | None:
    try:
        macs_per_image = count(module, size, in_chans).macs
    except AblationError:
        return None
    return macs_per_image * batch * (_TRAINING_FORWARDS if step == "training" else 1)
