"""Answers to the exercises of notebook 06."""

import torch


def sum_of_phases(x, weight, bias):
    phases = [(i, j) for i in (0, 1) for j in (0, 1)]
    total = sum(torch.einsum("oc,nchw->nohw", weight[:, :, i, j], x[..., i::2, j::2]) for i, j in phases)
    return total + bias[:, None, None]


def pooling(channels):
    return torch.eye(channels)[:, :, None, None].expand(-1, -1, 2, 2) / 4


def first_phase(channels):
    weight = torch.zeros(channels, channels, 2, 2)
    weight[:, :, 0, 0] = torch.eye(channels)
    return weight


def contrasts(subsampled, maximum, average):
    return {"every second pixel": subsampled, "max-pool 2x2": maximum, "average pool 2x2": average}


RIGHT = {
    "phase_sum": sum_of_phases,
    "pooling_weights": pooling,
    "folded_frequency": lambda frequency: min(2 * frequency, 1 - 2 * frequency),
    "contrast_after": contrasts((2, 2), (2, 0), (2, 0)),
}
WRONG = {
    "phase_sum": [
        lambda x, weight, bias: sum_of_phases(x, weight.transpose(2, 3), bias),  # rows and columns swapped
        lambda x, weight, bias: sum_of_phases(x, weight, 4 * bias),  # the bias added once per phase
        lambda x, weight, bias: sum_of_phases(x, weight, 0 * bias),
        lambda x, weight, bias: sum_of_phases(x, weight.flip(2, 3), bias),  # mathematical convolution
        lambda x, weight, bias: torch.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x[..., ::2, ::2]),
    ],
    "pooling_weights": [
        lambda channels: torch.full((channels, channels, 2, 2), 0.25),  # mixes all channels
        lambda channels: 4 * pooling(channels),  # a sum
        lambda channels: torch.ones(channels, 1, 2, 2) / 4,  # a depthwise kernel
        first_phase,
        lambda channels: [[0.25, 0.25], [0.25, 0.25]],
    ],
    "folded_frequency": [
        lambda frequency: 2 * frequency,  # never folds
        lambda frequency: frequency,
        lambda frequency: 2 * frequency % 0.5,  # wraps around instead of folding back
        lambda frequency: 0.5 - frequency,
        lambda frequency: min(frequency, 0.5 - frequency),  # still in cycles per old position
        lambda frequency: None,
    ],
    "contrast_after": [
        contrasts((2, 2), (2, 2), (2, 2)),  # a grating at the limit frequency is always kept
        contrasts((2, 0), (2, 0), (2, 0)),
        contrasts((2, 2), (2, 0), (2, 1)),
        contrasts((2, 2), (2, 2), (2, 0)),
        {"every second pixel": (2, 2)},
        [(2, 2), (2, 0), (2, 0)],
    ],
}
