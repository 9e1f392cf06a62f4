"""How long a network takes: throughput, latency, spread, peak memory, and how much of the machine it uses.

A copy of the module is timed, so that nothing of the module itself changes: neither memory format nor weights nor statistics.
Each sample is one call on a fixed batch, or several calls where one takes under ten milliseconds, after calls to warm up. A
timing is its median, given with the quartiles. On CUDA, events on the device's own clock are used.

Roofline share (Williams et al. 2009, https://doi.org/10.1145/1498765.1498785, its flat part): the multiply-accumulates a second
that the network achieves, over those that this machine achieves in one large matrix product of the same type.
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

from ..errors import AblationError, unknown
from .counting import count
from .features import run
from .memory import peak_bytes
from .modes import device_and_dtype, refuse_inference_mode, same_random_state

MEMORY_FORMATS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
STEPS = ("forward", "training")
_TRAINING_FORWARDS = (
    3  # a training step is counted as three forward passes: one, and two products for each one backwards
)
_SHORTEST_SAMPLE = 0.01  # seconds
_STEADY, _MOST_SETS = 0.15, 3  # interquartile range over median, below which no other set of samples is taken
_MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
_MATRIX_SAMPLES = 15
_LONGEST_PRODUCT = 1.0  # seconds


@dataclass(frozen=True)
class Timing:
    """How long one call on a batch took.

    Args:
        seconds: median of one call.
        low, high: the quartiles, in seconds.
        samples: how many were taken.
        step: "forward", in eval mode without gradients, or "training": forward, backward and a step of SGD.
        batch, size: images in a call, and their side in pixels.
        memory_format, precision, compiled, device, threads: how it was run.
        peak_bytes: the most that tensors made in one call held at once; None where that cannot be told (compiled on a CPU).
        macs: multiply-accumulates of one call, a training step counted as three forward passes; None where an operator has no
            rule.
        macs_per_second: of this machine, in one large matrix product of this precision.
    """

    seconds: float
    low: float
    high: float
    samples: int
    step: str
    batch: int
    size: int
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
        """Throughput."""
        return self.batch / self.seconds

    @property
    def spread(self) -> float:
        """The interquartile range over the median."""
        return (self.high - self.low) / self.seconds

    @property
    def roofline_share(self) -> float | None:
        """Achieved multiply-accumulates a second over those of a large matrix product, from 0 to about 1."""
        return None if self.macs is None else self.macs / self.seconds / self.macs_per_second


def benchmark(
    module: nn.Module,
    size: int = 224,
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
    """Time a network on the device where it lies. Latency is that of batch 1, throughput that of a batch that fills the device.

    Args:
        module: takes (batch, in_chans, size, size); a copy is timed.
        size: side of the square image in pixels.
        batch: images in a call.
        in_chans: channels of an image.
        step: "forward" or "training".
        memory_format: "NCHW" or "channels-last", of weights and images.
        precision: "fp32", or "bf16" under autocast.
        compiled: through torch.compile; compiling itself is not timed.
        samples: how many to take, 4 or more; where their quartiles are further apart than 15 % of the median, they are taken
            again, at most twice, and the steadiest set is kept.
        progress: called after each sample with (samples done, samples in all).

    Returns:
        The median of one call, its quartiles, and what follows from them.

    Raises:
        AblationError: if an option is not one of these, or the module cannot be run, or not be compiled.
    """
    for name, value, possible in (
        ("step", step, STEPS),
        ("memory_format", memory_format, MEMORY_FORMATS),
        ("precision", precision, PRECISIONS),
    ):
        if value not in possible:
            raise unknown(name, value, possible)
    for name, number, least in (("batch", batch, 1), ("size", size, 1), ("samples", samples, 4)):
        if number < least:
            raise AblationError(f"{name} {number!r} must be {least} or more")
    refuse_inference_mode("timing trains and counts as well")
    device, _ = device_and_dtype(module)
    with same_random_state(device):
        call = _call(module, (batch, in_chans, size, size), device, step, memory_format, precision, compiled)
        peak = None if compiled and device.type != "cuda" else peak_bytes(call, device)
        low, middle, high = _steady_quartiles(call, samples, device, progress)
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


def _call(
    module: nn.Module,
    shape: tuple[int, int, int, int],
    device: torch.device,
    step: str,
    memory_format: str,
    precision: str,
    compiled: bool,
) -> Callable[[], Any]:
    """What is timed, on a copy of the module and a fixed batch."""
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
        output = run(network, images, copy=False)  # a module that does not fit says so here, before it is compiled
    if step == "training":
        if not isinstance(output, Tensor):
            raise AblationError(f"{name} puts out a {type(output).__name__}: a training step takes one tensor")
        if not output.requires_grad:
            raise AblationError(f"{name} has no weights that its output depends on: there is nothing to train")
        optimizer = torch.optim.SGD([*network.parameters()], lr=0.0, momentum=0.9)
    call = train if step == "training" else forward
    if compiled:
        try:
            network = torch.compile(network)
            call()
        except Exception as error:  # a compiler fails in many ways
            cause = error.__cause__ or error
            said = (str(cause).splitlines() or [type(cause).__name__])[0]
            raise AblationError(f"torch.compile could not compile {name} here: {said}") from error
    return call


def _steady_quartiles(
    call: Callable[[], Any], samples: int, device: torch.device, progress: Callable[[int, int], None] | None
) -> tuple[float, float, float]:
    """Quartiles of a set of samples; of up to three sets, the steadiest, because other work on the machine comes in bursts."""
    best: tuple[float, float, float] | None = None
    for _ in range(_MOST_SETS):
        low, middle, high = statistics.quantiles(sampled_seconds(call, samples, device, progress), n=4)
        if best is None or (high - low) / middle < (best[2] - best[0]) / best[1]:
            best = (low, middle, high)
        if (best[2] - best[0]) / best[1] < _STEADY:
            break
    assert best is not None
    return best


def sampled_seconds(
    call: Callable[[], Any], samples: int, device: torch.device, progress: Callable[[int, int], None] | None = None
) -> list[float]:
    """Seconds of one call, that many times, each over enough calls; at least one goes before, unkept."""
    calls = 1
    while (seconds := _seconds(call, calls, device)) * calls < _SHORTEST_SAMPLE:
        calls = max(2 * calls, int(1.2 * _SHORTEST_SAMPLE / max(seconds, 1e-9)))
        if calls > 1_000_000:
            break
    collecting = gc.isenabled()
    gc.disable()
    try:
        times = []
        for done in range(samples):
            times.append(_seconds(call, calls, device))
            if progress:
                progress(done + 1, samples)
        return times
    finally:
        if collecting:
            gc.enable()


def _seconds(call: Callable[[], Any], calls: int, device: torch.device) -> float:
    """Mean seconds of that many calls."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000 / calls
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


@cache
def matrix_rate(device: str, precision: str, threads: int) -> float:
    """Multiply-accumulates a second of this machine in one large square matrix product, the best of 15; measured once a process.

    Args:
        device: "cpu" or "cuda".
        precision: "fp32" or "bf16".
        threads: that torch runs with; another number, another rate.
    """

    def product(side: int) -> Callable[[], Tensor]:
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(side, side, generator=generator).to(device, PRECISIONS[precision]) for _ in range(2))
        return lambda: left @ right

    side = _MATRIX_SIDE.get(device, _MATRIX_SIDE["cpu"])
    small = max(1, side // 8)
    expected = _seconds(product(small), 2, torch.device(device)) * (side / small) ** 3
    while expected > _LONGEST_PRODUCT and side > small:  # bf16 on a processor without instructions for it
        side, expected = side // 2, expected / 8
    best = min(sampled_seconds(product(side), _MATRIX_SAMPLES, torch.device(device)))
    return side**3 / best


def _macs(module: nn.Module, size: int, batch: int, in_chans: int, step: str) -> int | None:
    try:
        one = count(module, size, in_chans).macs
    except AblationError:
        return None
    return one * batch * (_TRAINING_FORWARDS if step == "training" else 1)
