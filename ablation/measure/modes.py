"""Helpers to measure a module without changing it: modes, flags and hooks are restored, also after an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as _checkpoint  # under another name than the one exchanged below

from ..errors import AblationError

# Attributes in which a module stores its hooks: dictionaries, and a flag that the first backward hook sets.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
)
# Options of `checkpoint` itself; everything else is passed to the function.
_OPTIONS = {*signature(_checkpoint).parameters} - {"function", "args", "kwargs"}


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set a module and its submodules to eval mode; restore the mode of each on exit, also after an error."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


@contextmanager
def preserving_state(module: nn.Module) -> Iterator[None]:
    """Prepare a module for gradients with respect to its input: eval mode, gradients enabled, parameters frozen.

    On exit, every mode, flag and hook is restored, also after an error.

    Activation checkpointing is off meanwhile, because it runs layers a second time during the backward pass.

    Raises:
        AblationError: under `torch.inference_mode`, where no gradients exist; if a parameter is not finite; or if the
            network checkpoints activations in a way that cannot be turned off here.
    """
    refuse_inference_mode("this measurement requires gradients")
    for name, parameter in module.named_parameters():
        if not torch.isfinite(parameter.detach().sum()) and not torch.isfinite(parameter).all():  # sum first: faster
            raise AblationError(f"the weights are not finite: {name} of {type(module).__name__} holds NaN or infinity")
    with restoring_hooks(module), evaluating(module), frozen(module), torch.enable_grad(), _without_checkpointing():
        try:
            yield
        except RuntimeError as error:
            if "checkpoint" not in str(error):
                raise
            raise AblationError(
                f"{type(module).__name__} checkpoints activations in a way that cannot be turned off here: turn it off, for "
                "example with set_grad_checkpointing(False)"
            ) from error


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter require a gradient; on exit, those that did require one again."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def restoring_hooks(module: nn.Module) -> Iterator[None]:
    """On exit, remove the hooks that were added meanwhile, since a library that fails midway may leave its hooks behind."""
    hooks = [(part, name, _copy(getattr(part, name))) for part in module.modules() for name in _HOOKS]
    try:
        yield
    finally:
        for part, name, before in hooks:
            table = getattr(part, name)
            if isinstance(table, dict):
                for key in set(table) - set(before):
                    del table[key]
            else:
                setattr(part, name, before)


@contextmanager
def _without_checkpointing() -> Iterator[None]:
    """Run checkpointed functions as they are, in every module that has imported `checkpoint`."""
    outermost = _exchange(_checkpoint, _run_directly)
    try:
        yield
    finally:
        if outermost:  # also in modules that were imported meanwhile
            _exchange(_run_directly, _checkpoint)


def _exchange(old: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """Replace a function named `checkpoint` in every loaded module that has it, and return whether any had it."""
    having = [x for x in list(sys.modules.values()) if getattr(x, "__dict__", {}).get("checkpoint") is old]
    for module in having:
        module.checkpoint = new  # type: ignore[attr-defined]
    return bool(having)


def _run_directly(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **{name: value for name, value in options.items() if name not in _OPTIONS})


@contextmanager
def out_of_place(module: nn.Module) -> Iterator[None]:
    """Disable in-place operation and pass the network a copy of its input, so that hooks see unmodified inputs."""
    in_place = [part for part in module.modules() if getattr(part, "inplace", False) is True]
    handle = module.register_forward_pre_hook(_copy_inputs)
    try:
        for part in in_place:
            part.inplace = False  # type: ignore[assignment]
        yield
    finally:
        handle.remove()
        for part in in_place:
            part.inplace = True  # type: ignore[assignment]


def refuse_inference_mode(why: str) -> None:
    """Raise an error if torch.inference_mode is on; the message starts with `why` and names the alternatives."""
    if torch.is_inference_mode_enabled():
        raise AblationError(f"{why}, but torch.inference_mode() is on: call it outside, or use torch.no_grad()")


def same_random_state(device: torch.device) -> AbstractContextManager[None]:
    """Return a context manager that restores the random state on exit, for example after draws by dropout."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def first_input(inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Return the first argument of a layer's call, positional or keyword."""
    return next(iter([*inputs, *named.values()]), None)


def device_and_dtype(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return the device and dtype of a module's first floating-point tensor; the CPU and float32 if it has none."""
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def as_images(module: nn.Module, images: Tensor) -> Tensor:
    """Check a batch of images and return it on the device and in the dtype of the module, detached from its graph.

    Raises:
        AblationError: if the images are not (N, C, H, W), or not finite.
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images):
        given = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise AblationError(f"images must be a tensor of shape (N, C, H, W) with N of 1 or more, not {given}")
    if not torch.isfinite(images).all():
        raise AblationError("the images are not finite: they hold NaN or infinity")
    device, dtype = device_and_dtype(module)
    return images.detach().to(device=device, dtype=dtype)


def _copy_inputs(part: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.clone() if isinstance(x, Tensor) else x for x in inputs)


def _copy(table: Any) -> Any:
    return dict(table) if isinstance(table, dict) else table
