"""Memory: what training a network keeps, what a call has alive at its peak, and how many images fit into what is free.

What the backward pass needs is known exactly: torch hands every tensor that it saves to a hook. A tensor's storage is counted
once however often it is saved, and parameters, which are there anyway, not at all.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import AblationError, unknown
from .features import run
from .modes import device_and_dtype, evaluating, refuse_inference_mode, same_random_state

# State that an optimizer keeps beside each parameter, in copies of it.
OPTIMIZER_COPIES = {"sgd": 0, "momentum": 1, "adamw": 2}
# Four images of 224 px. Gradients of ResNet-50, ConvNeXt-T and Swin-T to eight images (2 cores, November 2026): one at a time
# takes 1.0 to 1.3 times as long, eight at a time 1.2 to 1.9 times.
_CPU_PIXELS = 4 * 224 * 224
_FREE_SHARE = 0.4  # of what is free; the rest is for the kernels' scratch space and for others
_PROBE_IMAGES = 2  # batch normalisation in training refuses one image with a map of one position


@dataclass(frozen=True)
class TrainingMemory:
    """An estimate of what one training step holds, in bytes, without the kernels' scratch space.

    Args:
        weights: parameters and buffers.
        gradients: one copy of every parameter.
        optimizer: its state.
        activations: what the forward pass saves for the backward pass, for the whole batch.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.weights + self.gradients + self.optimizer + self.activations


def training_memory(
    module: nn.Module, size: int = 224, batch: int = 1, in_chans: int = 3, optimizer: str = "adamw"
) -> TrainingMemory:
    """Estimate what a training step holds, from one forward pass of two images in training mode.

    Args:
        module: takes (N, in_chans, size, size); a copy of it is run.
        size: side of the square image in pixels.
        batch: images in a step.
        in_chans: channels of an image.
        optimizer: "sgd" keeps nothing beside a parameter, "momentum" one copy, "adamw" two.

    Returns:
        Bytes by what they are for. Activations grow in proportion to the batch.

    Raises:
        AblationError: if the optimizer is none of these or the module cannot be run.

    >>> training_memory(nn.Conv2d(3, 8, kernel_size=1), size=10, batch=4).gradients  # 24 weights and 8 biases, 4 bytes each
    128
    """
    if optimizer not in OPTIMIZER_COPIES:
        raise unknown("optimizer", optimizer, OPTIMIZER_COPIES)
    if batch < 1:
        raise AblationError(f"batch {batch} must be 1 or more")
    refuse_inference_mode("a training step takes gradients")
    network = copy.deepcopy(module).train()
    device, dtype = device_and_dtype(network)
    images = torch.zeros(_PROBE_IMAGES, in_chans, size, size, device=device, dtype=dtype)
    with torch.enable_grad(), same_random_state(device), Saving(network) as saving:
        kept = run(network, images)  # while this lives, no storage is used twice
    del kept
    gradients = sum(_bytes(parameter) for parameter in network.parameters() if parameter.requires_grad)
    return TrainingMemory(
        weights=sum(_bytes(tensor) for tensor in [*network.parameters(), *network.buffers()]),
        gradients=gradients,
        optimizer=gradients * OPTIMIZER_COPIES[optimizer],
        activations=saving.bytes * batch // _PROBE_IMAGES,
    )


class Saving:
    """Within this context, what forward passes save for the backward pass is added up in `bytes`, parameters left out.

    A storage counts once, however often it is saved, as long as the graph that it belongs to lives.
    """

    def __init__(self, module: nn.Module) -> None:
        self._mine = {tensor.untyped_storage()._cdata for tensor in [*module.parameters(), *module.buffers()]}
        self._storages: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    @property
    def bytes(self) -> int:
        return sum(self._storages.values())

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._mine:
            self._storages[storage._cdata] = storage.nbytes()
        return tensor

    def __enter__(self) -> Saving:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)


def chunk_size(module: nn.Module, images: Tensor) -> int:
    """How many images to run at a time, with gradients to the images: 1 or more.

    As many as the free memory holds; on a CPU not more than about 200,000 pixels, because larger chunks are slower there.

    Args:
        module: as it will be run: its parameters asking for gradients or not.
        images: (N, C, H, W), on the module's device; the first is run.
    """
    with evaluating(module), torch.enable_grad(), Saving(module) as saving:
        kept = run(module, images[:1].detach().requires_grad_())  # while this lives, no storage is used twice
    del kept
    return chunk_for(saving.bytes, images)


def chunk_for(bytes_per_image: int, images: Tensor) -> int:
    """How many images at a time, where one saves that many bytes for its backward pass."""
    needed = 2 * bytes_per_image + 4 * images[0].numel() * images.element_size()  # twice: gradients of what is saved
    chunk = int(_FREE_SHARE * free_bytes(images.device)) // needed
    if images.device.type == "cpu":
        chunk = min(chunk, _CPU_PIXELS // (images.shape[-2] * images.shape[-1]))
    return max(1, min(len(images), chunk))


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device; on the CPU, what the system calls available."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    table = Path("/proc/meminfo")
    if table.is_file():
        for line in table.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4 * 2**30  # a system that does not say: a small laptop's share


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """The most bytes that tensors made during a call held at once, beyond what was there before it.

    On CUDA as its allocator counts. Elsewhere the storages that operators put out, from their making to their end, so scratch
    space inside a kernel is not seen.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _Watching() as watching:
        call()
    return watching.peak


class _Watching(TorchDispatchMode):
    """Follows every storage that an operator puts out until it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                key = storage._cdata
                if key not in known and key not in self.sizes:  # neither a view nor a result in place
                    self.sizes[key] = storage.nbytes()
                    self.alive += self.sizes[key]
                    self.peak = max(self.peak, self.alive)
                    weakref.finalize(storage, self._end, key)
        return output

    def _end(self, key: int) -> None:
        self.alive -= self.sizes.pop(key, 0)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
