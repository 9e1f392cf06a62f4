"""Memory: bytes needed by a training step, peak bytes of a call, and how many images fit in free memory.

The memory that the backward pass needs is measured exactly: torch calls a hook for every tensor that it saves. A
storage is counted once, however often it is saved. Parameters are not counted, because they are in memory anyway.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..environment import free_memory
from ..errors import AblationError, unknown
from .features import run
from .modes import device_and_dtype, evaluating, refuse_inference_mode, same_random_state
from .sizes import Size, image_shape

# Size of the optimizer's state, in copies of the trained parameters.
OPTIMIZER_COPIES = {"sgd": 0, "momentum": 1, "adamw": 2}
# Four images of 224 px. Measured: gradients of ResNet-50, ConvNeXt-T and Swin-T with respect to eight images (2 cores,
# November 2026). Compared with four at a time, one at a time takes 1.0 to 1.3 times as long, eight at a time 1.2 to 1.9
# times.
_CPU_PIXELS = 4 * 224 * 224
_FREE_SHARE = 0.4  # of the free memory; the rest is for the kernels' scratch space and other processes
_PROBE_IMAGES = 2  # in training mode, batch normalisation rejects a single image with a map of one position


@dataclass(frozen=True)
class TrainingMemory:
    """Estimated memory of one training step in bytes, without the kernels' scratch space.

    Args:
        weights: parameters and buffers.
        gradients: one copy of every trained parameter.
        optimizer: state of the optimizer.
        activations: tensors that the forward pass saves for the backward pass, for the whole batch.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """Sum of all four, in bytes."""
        return self.weights + self.gradients + self.optimizer + self.activations


def training_memory(
    module: nn.Module, size: Size = 224, batch: int = 1, in_chans: int = 3, optimizer: str = "adamw"
) -> TrainingMemory:
    """Estimate the memory of a training step from one forward pass of two images in training mode.

    Args:
        module: takes (N, in_chans, height, width); a copy of it is run.
        size: side of the square image in pixels, or (height, width).
        batch: images per step.
        in_chans: channels of the images.
        optimizer: "sgd" keeps no copy of a parameter, "momentum" one, "adamw" two.

    Returns:
        Bytes by purpose. Activations grow in proportion to the batch.

    Raises:
        AblationError: if the optimizer is not one of these, a number is not 1 or more, or the module cannot be run.

    >>> training_memory(nn.Conv2d(3, 8, kernel_size=1), size=10, batch=4).gradients  # 24 weights and 8 biases, 4 bytes each
    128
    """
    if optimizer not in OPTIMIZER_COPIES:
        raise unknown("optimizer", optimizer, OPTIMIZER_COPIES)
    if batch < 1:
        raise AblationError(f"batch {batch} must be 1 or more")
    shape = image_shape(size, in_chans)
    refuse_inference_mode("a training step needs gradients")
    network = copy.deepcopy(module).train()
    device, dtype = device_and_dtype(network)
    images = torch.zeros(_PROBE_IMAGES, *shape, device=device, dtype=dtype)
    with torch.enable_grad(), same_random_state(device), Saving(network) as saving:
        kept = run(network, images)  # kept alive, so that no storage is reused
    del kept
    gradients = sum(_bytes(parameter) for parameter in network.parameters() if parameter.requires_grad)
    return TrainingMemory(
        weights=sum(_bytes(tensor) for tensor in [*network.parameters(), *network.buffers()]),
        gradients=gradients,
        optimizer=gradients * OPTIMIZER_COPIES[optimizer],
        activations=saving.bytes * batch // _PROBE_IMAGES,
    )


class Saving:
    """Context manager that adds up, in `bytes`, what forward passes save for the backward pass, without parameters.

    A storage counts once, however often it is saved, as long as its graph is alive.
    """

    def __init__(self, module: nn.Module) -> None:
        self._excluded = {tensor.untyped_storage()._cdata for tensor in [*module.parameters(), *module.buffers()]}
        self._storages: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    @property
    def bytes(self) -> int:
        return sum(self._storages.values())

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._excluded:
            self._storages[storage._cdata] = storage.nbytes()
        return tensor

    def __enter__(self) -> Saving:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)


def chunk_size(module: nn.Module, images: Tensor) -> int:
    """Return how many images to run at a time when gradients with respect to the images are needed: 1 or more.

    As many as fit in free memory; on a CPU at most about 200,000 pixels, because larger chunks are slower there.

    Args:
        module: with `requires_grad` of its parameters set as it will be run.
        images: (N, C, H, W), on the module's device; the first one is run.
    """
    with evaluating(module), torch.enable_grad(), Saving(module) as saving:
        kept = run(module, images[:1].detach().requires_grad_())  # kept alive, so that no storage is reused
    del kept
    return chunk_for(saving.bytes, images)


def chunk_for(bytes_per_image: int, images: Tensor) -> int:
    """Return how many images to run at a time, given the bytes that one image saves for its backward pass."""
    # Twice the saved bytes, for the gradients of the saved tensors.
    needed = 2 * bytes_per_image + 4 * images[0].numel() * images.element_size()
    chunk = int(_FREE_SHARE * free_bytes(images.device)) // needed
    if images.device.type == "cpu":
        chunk = min(chunk, _CPU_PIXELS // (images.shape[-2] * images.shape[-1]))
    return max(1, min(len(images), chunk))


def free_bytes(device: torch.device) -> int:
    """Return the free memory of a device in bytes; for the CPU, what this process can still use."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_memory()


def peak_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """Return the peak memory in bytes of the tensors created during a call, excluding memory allocated before it.

    On CUDA this is the allocator's count. Elsewhere the storages that operators return are counted while they are
    alive, so scratch space inside a kernel is not included.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _StorageTracker() as tracker:
        call()
    return tracker.peak


class _StorageTracker(TorchDispatchMode):
    """Tracks every storage that an operator returns until it is freed."""

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
                if key not in known and key not in self.sizes:  # neither a view nor an in-place result
                    self.sizes[key] = storage.nbytes()
                    self.alive += self.sizes[key]
                    self.peak = max(self.peak, self.alive)
                    weakref.finalize(storage, self._release, key)
        return output

    def _release(self, key: int) -> None:
        self.alive -= self.sizes.pop(key, 0)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
