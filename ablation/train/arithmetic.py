"""How a CUDA device computes with float32 numbers, for a while: in full, or in TF32, which drops 13 of their 23 bits."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch


@contextmanager
def float32_products(device: torch.device, tf32: bool) -> Iterator[None]:
    """Compute float32 matrix products and convolutions in TF32 or in full, and restore the settings of the caller.

    By default, torch computes convolutions in TF32 and matrix products in full, so that the speed of a network depends on
    whether it multiplies by `nn.Conv2d` or by `nn.Linear`.

    Args:
        device: has no effect on other devices than CUDA.
        tf32: whether to use TF32; GPUs before compute capability 8 have none and compute in full.
    """
    if device.type != "cuda":
        yield
        return
    before = _read()
    try:
        _write("high" if tf32 else "highest", tf32, ["tf32" if tf32 else "ieee"] * len(_owners()))
        yield
    finally:
        _write(*before)


def _owners() -> list[Any]:
    """Return the holders of `fp32_precision`. The last is the CPU's, which `set_float32_matmul_precision` sets as well."""
    backends: Any = torch.backends
    return [backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.matmul]


def _read() -> tuple[str | None, bool | None, list[str]]:
    """Return the settings under both of torch's interfaces; None where the older one cannot say what the newer one has set."""
    matmul = cudnn = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older interface is deprecated by some releases
        with suppress(RuntimeError):
            matmul = torch.get_float32_matmul_precision()
        with suppress(RuntimeError):
            cudnn = torch.backends.cudnn.allow_tf32
    return matmul, cudnn, [owner.fp32_precision for owner in _owners()]


def _write(matmul: str | None, cudnn: bool | None, precisions: list[str]) -> None:
    """Set both interfaces alike: `torch.compile` reads the older one, which raises an error where they differ."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if matmul is not None:
            torch.set_float32_matmul_precision(matmul)
        if cudnn is not None:
            torch.backends.cudnn.allow_tf32 = cudnn
    for owner, precision in zip(_owners(), precisions, strict=True):
        owner.fp32_precision = precision
