"""Which pixels a network's answer rests on: captum's methods under one call, each with what it needs to be right.

What is attributed is the logit of one class, before any softmax. The network is run in eval mode and left as it was: modes,
flags, gradients, hooks and parameters, also after an error. Captum: https://captum.ai (Kokhlikyan et al. 2020, arXiv
2009.07896).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from captum.attr import (
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import AblationError, unknown
from .features import cam_layer, probed
from .memory import chunk_size
from .methods import METHODS
from .modes import as_images, out_of_place, preserving_state
from .targets import Target, pixels, targets

Progress = Callable[[int, int], None]


class AttributionWarning(UserWarning):
    """The attribution is computed as asked, and means less than it seems."""


_NEEDS_RELU = ("guided_backprop", "guided_grad_cam")
_NEEDS_BASELINE = ("integrated_gradients", "occlusion")
_MANY_CALLS = ("integrated_gradients", "smoothgrad", "occlusion")
_MOST = 1024  # images at a time


def attribute(
    module: nn.Module,
    images: Tensor,
    target: Target = None,
    method: str = "integrated_gradients",
    *,
    baseline: float | Tensor = 0.0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    steps: int = 50,
    samples: int = 25,
    noise: float = 0.15,
    window: int | None = None,
    layer: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Which pixels the logit of a class rests on.

    Args:
        module: (N, C, H, W) -> (N, classes), on any device.
        images: (N, C, H, W), normalised as the network expects.
        target: class, or one for each image; by default the class that the network puts first.
        method: a key of `METHODS`, which says what each number means.
        baseline: what integrated gradients start from and occlusion covers with, in pixels: 0 is black, 1 white, or a tensor
            that broadcasts to the images. It is normalised like the images.
        mean, std: the normalisation of the images, one number a channel; by default those that a timm model names, otherwise
            ImageNet's.
        steps: of integrated gradients, between baseline and image.
        samples, noise: of SmoothGrad: noisy copies, and their standard deviation as a part of the image's range.
        window: of occlusion: side of the covered square in pixels; by default an eighth of the image. It moves by half of that.
        layer: of Grad-CAM; by default the last layer that puts out a map.
        seed: of the noise.
        progress: called after each image with (images done, images in all).

    Returns:
        (N, H, W), on the images' device.

    Raises:
        AblationError: if the method, layer or class does not exist, the images or weights are not finite, the module puts out
            anything but (N, classes), or a guided method meets a network without ReLU.

    Warns:
        AttributionWarning: for a guided method, whose maps hardly depend on the weights; and for a baseline that is zero after
            normalisation in a network with layer normalisation, which divides by the spread of what it gets: the path from such a
            baseline starts where the gradient is steepest, and the completeness gap is wide.

    >>> attribute(nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2)), torch.rand(5, 3, 2, 2), target=1).shape
    torch.Size([5, 2, 2])
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    for name, number in (("steps", steps), ("samples", samples), ("window", 1 if window is None else window)):
        if number < 1:
            raise AblationError(f"{name} {number} must be 1 or more")
    if not 0 <= noise < float("inf"):
        raise AblationError(f"noise {noise} must be 0 or more, a part of the image's range")
    images = as_images(module, images)
    start = pixels(module, images, baseline, mean, std) if method in _NEEDS_BASELINE else images
    _warn(module, method, start)
    classes = targets(module, images, target)
    with preserving_state(module), out_of_place(module), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")  # they are removed
        warnings.filterwarnings("ignore", message="Input Tensor . did not already require gradients")  # it is a copy
        chunk = chunk_size(module, images[:1].expand(_MOST, -1, -1, -1)) if method in _MANY_CALLS else 1
        name = (layer or cam_layer(module, images[:1])) if method.endswith("cam") else ""
        maps = []
        for i in range(len(images)):
            one = (images[i : i + 1].clone(), int(classes[i]))  # captum turns the flag of what it gets
            if method == "grad_cam":
                small = _grad_cam(module, *one, name).relu()
                found = F.interpolate(small[:, None], images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
            elif method == "integrated_gradients":
                found = _integrated_gradients(module, *one, start[i : i + 1], steps, chunk)
            elif method == "smoothgrad":
                found = _smoothgrad(module, *one, samples, noise, seed, chunk)
            elif method == "occlusion":
                found = _occlusion(module, *one, start[i : i + 1], window, chunk)
            elif method == "guided_grad_cam":
                found = _guided_grad_cam(module, *one, name)
            else:
                found = _GRADIENTS[method](module, *one)
            maps.append(found.detach().to(images.dtype))  # captum occludes in float32
            if progress:
                progress(i + 1, len(images))
    return torch.cat(maps)  # (N, H, W)


def grad_cam(
    module: nn.Module, images: Tensor, target: Target = None, layer: str | None = None, relu: bool = True
) -> Tensor:
    """Grad-CAM at the size of the feature map.

    Args:
        module: (N, C, H, W) -> (N, classes), of any layout inside.
        images: normalised as the network expects.
        target: class, or one for each image; by default the class that the network puts first.
        layer: whose map is weighted; by default the last that puts out a map.
        relu: keep what speaks for the class only, as the paper does; without it, negative numbers speak against.

    Returns:
        (N, h, w), on the images' device.

    Raises:
        AblationError: as `attribute`.
    """
    images = as_images(module, images)
    classes = targets(module, images, target)
    with preserving_state(module), out_of_place(module):
        name = layer if layer is not None else cam_layer(module, images[:1])
        maps = torch.cat(
            [_grad_cam(module, image[None], int(c), name) for image, c in zip(images, classes, strict=True)]
        )
    return maps.relu() if relu else maps


def _warn(module: nn.Module, method: str, start: Tensor) -> None:
    parts = list(module.modules())
    if method in _NEEDS_RELU:
        if not any(isinstance(part, nn.ReLU) for part in parts):
            raise AblationError(
                f"{method} changes the gradient at ReLUs, and {type(module).__name__} has none: it would be the plain "
                "gradient under another name. Possible here: saliency, smoothgrad, integrated_gradients"
            )
        warnings.warn(METHODS[method].caveat, AttributionWarning, stacklevel=3)
    normed = any(isinstance(part, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm) for part in parts)
    if method == "integrated_gradients" and normed and not start.any():
        warnings.warn(
            f"the baseline is zero after normalisation, and {type(module).__name__} has layer normalisation, which divides by "
            "the spread of what it gets: close to such a baseline the gradient is steepest and the completeness gap wide. Give "
            "the baseline in pixels with mean and std, such as baseline=0.0 for black",
            AttributionWarning,
            stacklevel=3,
        )


def _integrated_gradients(
    module: nn.Module, image: Tensor, target: int, start: Tensor, steps: int, chunk: int
) -> Tensor:
    found = IntegratedGradients(module).attribute(
        image, baselines=start, target=target, n_steps=steps, internal_batch_size=min(chunk, steps)
    )
    return found.sum(1)


def _smoothgrad(
    module: nn.Module, image: Tensor, target: int, samples: int, noise: float, seed: int, chunk: int
) -> Tensor:
    spread = float(noise * (image.max() - image.min())) or noise
    tunnel = NoiseTunnel(Saliency(module))
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        found = tunnel.attribute(
            image,
            nt_samples=samples,
            nt_samples_batch_size=min(chunk, samples),
            stdevs=spread,
            target=target,
            abs=False,
        )
    return found.sum(1)


def _occlusion(module: nn.Module, image: Tensor, target: int, start: Tensor, window: int | None, chunk: int) -> Tensor:
    channels, height, width = image.shape[1:]
    side = window or max(1, min(height, width) // 8)
    if side > min(height, width):
        raise AblationError(f"window {side} is larger than the image of {height} x {width}")
    stride = max(1, side // 2)
    with torch.no_grad():
        found = Occlusion(module).attribute(
            image,
            sliding_window_shapes=(channels, side, side),
            strides=(channels, stride, stride),
            baselines=start,
            target=target,
            perturbations_per_eval=chunk,
        )
    return found.mean(1)  # every channel of a pixel carries the same fall


def _grad_cam(module: nn.Module, image: Tensor, target: int, layer: str) -> Tensor:
    with probed(module, layer, image) as probe:
        found = LayerGradCam(module, probe).attribute(image, target=target, relu_attributions=False)[:, 0].detach()
    if not found.any():
        raise AblationError(
            f"class {target} does not depend on the map of layer {layer!r} (as after the last attention of a network with a "
            "class token): name an earlier layer"
        )
    return found


def _guided_grad_cam(module: nn.Module, image: Tensor, target: int, layer: str) -> Tensor:
    with probed(module, layer, image) as probe:
        found = GuidedGradCam(module, probe).attribute(image, target=target, interpolate_mode="bilinear")
    return found.sum(1)


_GRADIENTS: dict[str, Callable[[nn.Module, Tensor, int], Any]] = {
    "saliency": lambda module, image, target: Saliency(module).attribute(image, target=target).amax(1),
    "input_x_gradient": lambda module, image, target: InputXGradient(module).attribute(image, target=target).sum(1),
    "guided_backprop": lambda module, image, target: GuidedBackprop(module).attribute(image, target=target).sum(1),
}
