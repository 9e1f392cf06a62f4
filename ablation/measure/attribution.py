"""Attribution: how much each pixel contributes to a network's output, by the methods of captum under one function.

The attributed quantity is the logit of one class, before any softmax. The network runs in eval mode. Its modes, flags,
gradients, hooks and parameters are restored afterwards, even after an error. Captum: https://captum.ai (Kokhlikyan et
al. 2020, arXiv 2009.07896).
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
from .features import Place, find_cam, probed
from .memory import chunk_size
from .methods import METHODS
from .modes import as_images, out_of_place, preserving_state
from .rectifiers import rectifiers_without_module
from .targets import Target, pixels, targets

Progress = Callable[[int, int], None]


class AttributionWarning(UserWarning):
    """The attribution is computed as requested, but is less meaningful than it looks."""


_NEEDS_RELU = ("guided_backprop", "guided_grad_cam")
_NEEDS_BASELINE = ("integrated_gradients", "occlusion")
_MANY_CALLS = ("integrated_gradients", "smoothgrad", "occlusion")
_MAX_CHUNK = 1024  # images at a time


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
    layout: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Return how much each pixel contributes to the logit of a class.

    Args:
        module: (N, C, H, W) -> (N, classes), on any device.
        images: (N, C, H, W), normalised as the network expects.
        target: class index, or one per image; by default the predicted class.
        method: a key of `METHODS`, which describes the values of each method's map.
        baseline: starting point of integrated gradients and replacement value of occlusion, as a pixel value: 0 is
            black, 1 is white; or a tensor that broadcasts to the images. It is normalised like the images.
        mean, std: normalisation of the images, one value per channel; by default those in a timm model's configuration,
            otherwise ImageNet's.
        steps: integrated gradients: number of steps between baseline and image.
        samples, noise: SmoothGrad: number of noisy copies, and standard deviation of the noise as a fraction of the
            image's range.
        window: occlusion: side of the occluding square in pixels; by default an eighth of the image. The stride is half
            of it.
        layer: Grad-CAM and guided Grad-CAM: name of the layer; by default the last layer that outputs a feature map.
        layout: layout of that layer's output, if it cannot be told: "NCHW", "NHWC", "NLC" (tokens), or "NLC+k" (tokens after
            k class or register tokens).
        seed: seed of the noise.
        progress: called after each image with (images done, total images).

    Returns:
        (N, H, W), on the images' device.

    Raises:
        AblationError: if the method, layer or class does not exist, the images or weights are not finite, the module
            outputs anything but (N, classes), or a guided method is used on a network without ReLU or with one that is not an
            `nn.ReLU` module.

    Warns:
        AttributionWarning: for a guided method, whose maps hardly depend on the weights; and for integrated gradients
            from a baseline that is zero after normalisation, in a network with layer normalisation. That layer divides
            by the standard deviation of its input, so the gradient is steepest near such a baseline and the
            completeness gap is large.

    >>> attribute(nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2)), torch.rand(5, 3, 2, 2), target=1).shape
    torch.Size([5, 2, 2])
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    for name, number in (("steps", steps), ("samples", samples), ("window", 1 if window is None else window)):
        if number < 1:
            raise AblationError(f"{name} {number} must be 1 or more")
    if not 0 <= noise < float("inf"):
        raise AblationError(f"noise {noise} must be 0 or more, as a fraction of the image's range")
    images = as_images(module, images)
    start = pixels(module, images, baseline, mean, std) if method in _NEEDS_BASELINE else images
    _check_applicability(module, method, start)
    classes = targets(module, images, target)
    with preserving_state(module), out_of_place(module), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")  # captum removes them
        warnings.filterwarnings("ignore", message="Input Tensor . did not already require gradients")  # ours is a copy
        chunk = chunk_size(module, images[:1].expand(_MAX_CHUNK, -1, -1, -1)) if method in _MANY_CALLS else 1
        place = find_cam(module, images[:1], layer, layout) if method.endswith("cam") else None
        maps = []
        for i in range(len(images)):
            one = (images[i : i + 1].clone(), int(classes[i]))  # captum sets requires_grad on its input
            if method == "grad_cam" and place:
                cam = _grad_cam(module, *one, place).relu()
                found = F.interpolate(cam[:, None], images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
            elif method == "integrated_gradients":
                found = _integrated_gradients(module, *one, start[i : i + 1], steps, chunk)
            elif method == "smoothgrad":
                found = _smoothgrad(module, *one, samples, noise, seed, chunk)
            elif method == "occlusion":
                found = _occlusion(module, *one, start[i : i + 1], window, chunk)
            elif method == "guided_grad_cam" and place:
                found = _guided_grad_cam(module, *one, place)
            else:
                found = _GRADIENTS[method](module, *one)
            maps.append(found.detach().to(images.dtype))  # captum occludes in float32
            if progress:
                progress(i + 1, len(images))
    return torch.cat(maps)  # (N, H, W)


def grad_cam(
    module: nn.Module,
    images: Tensor,
    target: Target = None,
    layer: str | None = None,
    relu: bool = True,
    layout: str | None = None,
) -> Tensor:
    """Return Grad-CAM at the resolution of the feature map.

    Args:
        module: (N, C, H, W) -> (N, classes); its feature maps may have any layout.
        images: (N, C, H, W), normalised as the network expects.
        target: class index, or one per image; by default the predicted class.
        layer: name of the layer whose map is weighted; by default the last layer that outputs a feature map.
        relu: keep only the evidence for the class, as the paper does; without it, negative values are evidence against
            the class.
        layout: layout of that layer's output, if it cannot be told: "NCHW", "NHWC", "NLC" (tokens), or "NLC+k" (tokens after
            k class or register tokens).

    Returns:
        (N, h, w), on the images' device.

    Raises:
        AblationError: as `attribute`.
    """
    images = as_images(module, images)
    classes = targets(module, images, target)
    with preserving_state(module), out_of_place(module):
        place = find_cam(module, images[:1], layer, layout)
        maps = torch.cat(
            [_grad_cam(module, image[None], int(c), place) for image, c in zip(images, classes, strict=True)]
        )
    return maps.relu() if relu else maps


def _check_applicability(module: nn.Module, method: str, start: Tensor) -> None:
    """Refuse guided methods on networks without ReLU, and warn where a map must be read with care."""
    parts = list(module.modules())
    if method in _NEEDS_RELU:
        if not any(isinstance(part, nn.ReLU) for part in parts):
            raise AblationError(
                f"{method} changes the gradient at ReLUs, and {type(module).__name__} has none: the result would be "
                "the plain gradient. Possible here: saliency, smoothgrad, integrated_gradients"
            )
        others = rectifiers_without_module(module, start[:1])
        if others:
            raise AblationError(
                f"{method} changes the gradient at nn.ReLU modules, but {type(module).__name__} also rectifies without one, "
                f"in {', '.join(others[:5])}{' and others' if len(others) > 5 else ''}: the map would be a mixture. Use "
                "nn.ReLU there, or saliency, smoothgrad or integrated_gradients"
            )
        warnings.warn(METHODS[method].caveat, AttributionWarning, stacklevel=3)
    has_layer_norm = any(isinstance(part, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm) for part in parts)
    if method == "integrated_gradients" and has_layer_norm and not start.any():
        warnings.warn(
            f"the baseline is zero after normalisation, and {type(module).__name__} has layer normalisation, which divides "
            "by the standard deviation of its input: near such a baseline the gradient is steepest and the completeness gap "
            "is large. Give the baseline in pixels with mean and std, such as baseline=0.0 for black",
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
    deviation = float(noise * (image.max() - image.min())) or noise
    tunnel = NoiseTunnel(Saliency(module))
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        found = tunnel.attribute(
            image,
            nt_samples=samples,
            nt_samples_batch_size=min(chunk, samples),
            stdevs=deviation,
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
    return found.mean(1)  # all channels of a pixel have the same value, the drop in the logit


def _grad_cam(module: nn.Module, image: Tensor, target: int, place: Place) -> Tensor:
    with probed(module, place.layer, place.layout) as probe:
        found = LayerGradCam(module, probe).attribute(image, target=target, relu_attributions=False)[:, 0].detach()
    if not found.any():
        raise AblationError(
            f"class {target} does not depend on the map of layer {place.layer!r} (as happens after the last attention of a "
            "network with a class token): name an earlier layer"
        )
    return found


def _guided_grad_cam(module: nn.Module, image: Tensor, target: int, place: Place) -> Tensor:
    with probed(module, place.layer, place.layout) as probe:
        found = GuidedGradCam(module, probe).attribute(image, target=target, interpolate_mode="bilinear")
    return found.sum(1)


_GRADIENTS: dict[str, Callable[[nn.Module, Tensor, int], Any]] = {
    "saliency": lambda module, image, target: Saliency(module).attribute(image, target=target).amax(1),
    "input_x_gradient": lambda module, image, target: InputXGradient(module).attribute(image, target=target).sum(1),
    "guided_backprop": lambda module, image, target: GuidedBackprop(module).attribute(image, target=target).sum(1),
}
