"""Answers to the exercises of notebook 09."""

import torch


def occlusion(network, image, target, value, copy=True, negate=False, channels=slice(None)):
    """Compute occlusion correctly with the default options; each other option is a typical mistake."""
    drop = torch.zeros(image.shape[-2:], dtype=image.dtype)
    with torch.no_grad():
        original = network(image)[0, target]
        covered = image.clone()
        for i in range(image.shape[-2]):
            for j in range(image.shape[-1]):
                if copy:
                    covered = image.clone()
                covered[:, channels, i, j] = value
                drop[i, j] = (original - network(covered)[0, target]) * (-1 if negate else 1)
    return drop


def changes_the_image(network, image, target, value):
    drop = occlusion(network, image, target, value)
    image[..., 0, 0] = value
    return drop


RIGHT = {
    "occlusion_by_pixel": occlusion,
    "grad_cam_by_hand": lambda maps, gradients: (maps * gradients.mean((2, 3), keepdim=True)).sum(1).relu(),
    "saturated_score": {"input x gradient": 0, "integrated gradients": 1},
    "black_baseline": 0,
}
WRONG = {
    "occlusion_by_pixel": [
        lambda *given: occlusion(*given, copy=False),
        lambda *given: occlusion(*given, negate=True),
        lambda *given: occlusion(*given, channels=0),
        lambda network, image, target, value: occlusion(network, image, target, 0.0),
        changes_the_image,
    ],
    "grad_cam_by_hand": [
        lambda maps, gradients: (maps * gradients).sum(1).relu(),
        lambda maps, gradients: (maps * gradients.mean((2, 3), keepdim=True)).sum(1),
        lambda maps, gradients: (maps * gradients.mean((2, 3), keepdim=True)).relu().sum(1),
        lambda maps, gradients: (maps * gradients.mean(1, keepdim=True)).sum(1).relu(),
    ],
    "saturated_score": [
        {"input x gradient": 1, "integrated gradients": 1},
        {"input x gradient": 2, "integrated gradients": 1},
        {"input x gradient": 0, "integrated gradients": 2},
        {"input x gradient": 0, "integrated gradients": 0},
        {"gradient": 0, "integrated gradients": 1},
    ],
    "black_baseline": [100, 22.2, 50, "none"],
}
