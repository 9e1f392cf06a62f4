"""Answers to the exercises of notebook 04."""

import numpy as np


def field(layers):
    size = jump = 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


def stride_too_early(layers):
    size = jump = 1
    for kernel, stride, dilation in layers:
        jump *= stride
        size += (kernel - 1) * dilation * jump
    return size


def no_stride(layers):
    return 1 + sum((kernel - 1) * dilation for kernel, _, dilation in layers)


def no_dilation(layers):
    return field([(kernel, stride, 1) for kernel, stride, _ in layers])


def kernel_not_reduced_by_one(layers):
    size = jump = 1
    for kernel, stride, dilation in layers:
        size += kernel * dilation * jump
        jump *= stride
    return size


def side(values, share):
    row, column = values.shape[0] // 2, values.shape[1] // 2
    for half in range(max(values.shape)):
        inside = values[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
        if inside.sum() >= share * values.sum():
            return 2 * half + 1
    raise AssertionError


def half_side(values, share):
    return side(values, share) // 2


def threshold_at_the_maximum(values, share):
    rows = np.flatnonzero((values > share * values.max()).any(1))
    return int(rows[-1] - rows[0] + 1)


def even_side(values, share):
    return side(values, share) + 1


def along_the_middle_row(values, share):
    return side(values[values.shape[0] // 2][None], share)


def square_root_of_the_share(values, share):
    return 2 * round(share**0.5 * len(values) / 2) + 1


RIGHT = {"field_of_layers": field, "side_of_share": side, "breaks_at": 21, "smallest_shifts": (1, 7)}
WRONG = {
    "field_of_layers": [stride_too_early, no_stride, no_dilation, kernel_not_reduced_by_one, 19],
    "side_of_share": [half_side, threshold_at_the_maximum, even_side, along_the_middle_row, square_root_of_the_share],
    "breaks_at": [19, 20, 22, 18.5, "far"],
    "smallest_shifts": [(1, 1), (7, 7), (1, 4), (1, 14), 7],
}
