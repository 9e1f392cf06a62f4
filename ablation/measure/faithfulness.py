"""Faithfulness of an attribution: completeness, insertion and deletion curves, and randomisation of the weights.

Completeness (Sundararajan et al. 2017, arXiv 1703.01365); insertion and deletion (Petsiuk et al. 2018, arXiv
1806.07421); cascading randomisation of the weights (Adebayo et al. 2018, arXiv 1810.03292).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import AblationError
from .attribution import Progress, attribute
from .modes import as_images, preserving_state
from .targets import Target, logits, pixels, targets

_SMALLEST_RISE = 1e-12  # avoids division by zero
_BATCH = 16  # images at a time, without gradients


def completeness_gap(
    module: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    baseline: float | Tensor = 0.0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Tensor:
    """Return the relative difference between a map's sum and the rise of the logit from baseline to image.

    Args:
        module, images, target, baseline, mean, std: as for `attribute`.
        maps: (N, H, W), the maps that it returned.

    Returns:
        (N,): |sum of the map - rise| / |rise|, 0 where the map sums exactly to the rise. Of the methods here, only
        integrated gradients guarantee this.

    Raises:
        AblationError: if maps and images do not match, or as in `attribute`.
    """
    images = as_images(module, images)
    _check_maps(images, maps)
    classes = targets(module, images, target)
    start = pixels(module, images, baseline, mean, std)
    with preserving_state(module), torch.no_grad():
        rise = torch.cat(
            [
                logits(module, image[None])[:, c] - logits(module, before[None])[:, c]
                for image, before, c in zip(images, start, classes, strict=True)
            ]
        ).double()
    return (maps.sum((1, 2), dtype=torch.float64) - rise).abs() / rise.abs().clamp_min(_SMALLEST_RISE)


@dataclass(frozen=True)
class Curves:
    """Probability of the class as pixels are inserted or deleted, most important first.

    Args:
        shares: (S,), fractions of the image's pixels, 0 to 1.
        insertion, deletion: (N, S), probabilities of the class.
    """

    shares: NDArray[np.float64]
    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]

    @property
    def insertion_area(self) -> NDArray[np.float64]:
        """Area under the insertion curve, (N,), 0 to 1. Higher is better."""
        return np.asarray(np.trapezoid(self.insertion, self.shares, axis=1))

    @property
    def deletion_area(self) -> NDArray[np.float64]:
        """Area under the deletion curve, (N,), 0 to 1. Lower is better."""
        return np.asarray(np.trapezoid(self.deletion, self.shares, axis=1))


def insertion_deletion(
    module: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    baseline: float | Tensor = 0.0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    steps: int = 20,
) -> Curves:
    """Insert or delete the pixels in the order of an attribution and record the probability of the class.

    Insertion starts from the baseline and deletion ends at the same baseline (the paper inserts into a blurred image
    instead).

    Args:
        module, images, target, baseline, mean, std: as for `attribute`.
        maps: (N, H, W), the maps that it returned; or any other order for comparison, such as a random one.
        steps: number of equal steps.

    Returns:
        The curves and their areas.

    Raises:
        AblationError: if maps and images do not match, or as in `attribute`.
    """
    if steps < 1:
        raise AblationError(f"steps {steps} must be 1 or more")
    images = as_images(module, images)
    _check_maps(images, maps)
    classes = targets(module, images, target)
    start = pixels(module, images, baseline, mean, std)
    shares = np.linspace(0, 1, steps + 1)
    number = images.shape[-2] * images.shape[-1]
    curves: dict[str, list[Any]] = {"insertion": [], "deletion": []}
    with preserving_state(module), torch.no_grad():
        for image, background, order, c in zip(images, start, maps.flatten(1), classes, strict=True):
            rank = torch.empty(number, dtype=torch.long, device=order.device)
            rank[order.argsort(descending=True, stable=True)] = torch.arange(number, device=order.device)
            first = [(rank < round(share * number)).reshape(image.shape[-2:]).to(image.device) for share in shares]
            for name, (inside, outside) in {"insertion": (image, background), "deletion": (background, image)}.items():
                batch = torch.stack([torch.where(mask, inside, outside) for mask in first])
                scores = torch.cat([logits(module, part) for part in batch.split(_BATCH)])
                curves[name].append(scores.softmax(1)[:, c].double().cpu().numpy())
    return Curves(shares, np.stack(curves["insertion"]), np.stack(curves["deletion"]))


@dataclass(frozen=True)
class Randomised:
    """Similarity of the maps after the weights from the top of the network down to a part are randomised.

    Args:
        part: the part randomised last; "" for none, where the similarity is 1.
        similarity: (N,), Spearman rank correlation of the absolute maps before and after.
    """

    part: str
    similarity: NDArray[np.float64]


def weight_randomisation(
    module: nn.Module,
    images: Tensor,
    target: Target = None,
    method: str = "saliency",
    *,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[Randomised, ...]:
    """Randomise a copy of the network part by part, from the top down, and compare its maps with the original maps.

    A map that does not change does not depend on what the network has learnt. The values of each parameter are
    shuffled, which preserves their distribution.

    Args:
        module, images, target, method, options: as for `attribute`.
        seed: seed of the shuffling.
        progress: called after each part with (parts done, total parts).

    Returns:
        One entry for the original network, then one per part, the classifier first.

    Raises:
        AblationError: as in `attribute`.
    """
    classes = targets(module, as_images(module, images), target)
    original = attribute(module, images, classes, method, **options)
    network = copy.deepcopy(module)
    parts = [(name, list(part.parameters())) for name, part in reversed(_parts(network))]
    if own := list(network.parameters(recurse=False)):
        parts.append(("parameters of its own", own))
    generator = torch.Generator().manual_seed(seed)
    results = [Randomised("", _rank_correlation(original, original))]
    for done, (name, parameters) in enumerate(parts, start=1):
        with torch.no_grad():
            for parameter in parameters:
                order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
        results.append(
            Randomised(name, _rank_correlation(original, attribute(network, images, classes, method, **options)))
        )
        if progress:
            progress(done, len(parts))
    return tuple(results)


def _parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the parts that have parameters, in order: children, with sequences split one level further."""
    parts = []
    for name, child in network.named_children():
        inner = list(child.named_children()) if isinstance(child, nn.Sequential | nn.ModuleList) else []
        parts += [(f"{name}.{key}", part) for key, part in inner] or [(name, child)]
    return [(name, part) for name, part in parts if any(True for _ in part.parameters())]


def _rank_correlation(a: Tensor, b: Tensor) -> NDArray[np.float64]:
    """Return Spearman's rank correlation per image: (N,). NaN for a constant map."""
    from scipy.stats import rankdata

    ranks = [rankdata(maps.abs().flatten(1).cpu().numpy(), axis=1) for maps in (a, b)]
    first, second = (rank - rank.mean(1, keepdims=True) for rank in ranks)
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), scale, out=np.full(len(scale), np.nan), where=scale > 0)


def _check_maps(images: Tensor, maps: Tensor) -> None:
    expected = (len(images), *images.shape[-2:])
    if tuple(maps.shape) != expected:
        raise AblationError(f"maps have shape {tuple(maps.shape)}, expected {expected}: one map per image")
