"""Answers to the exercises of notebook 02."""


def cost(width, side, kernel_size):
    return side**2 * (kernel_size**2 * width + 2 * 4 * width**2)


def patchify(x, weight, bias):
    n, c, h, w = x.shape
    s = weight.shape[-1]
    patches = x.reshape(n, c, h // s, s, w // s, s).permute(0, 2, 4, 1, 3, 5).flatten(3)
    return (patches @ weight.flatten(1).T + bias).permute(0, 3, 1, 2)


def pixels_in_the_wrong_order(x, weight, bias):
    n, c, h, w = x.shape
    s = weight.shape[-1]
    patches = x.reshape(n, c, h // s, s, w // s, s).permute(0, 2, 4, 3, 5, 1).flatten(3)
    return (patches @ weight.flatten(1).T + bias).permute(0, 3, 1, 2)


def strips_instead_of_patches(x, weight, bias):
    n, c, h, w = x.shape
    s = weight.shape[-1]
    patches = x.reshape(n, h // s, w // s, c * s * s)
    return (patches @ weight.flatten(1).T + bias).permute(0, 3, 1, 2)


def fixed_patch_size(x, weight, bias):
    n, c, h, w = x.shape
    patches = x.reshape(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 1, 3, 5).flatten(3)
    return (patches @ weight.flatten(1).T + bias).permute(0, 3, 1, 2)


RIGHT = {"convnext_block_cost": cost, "any_patchify": patchify, "leanest_depths": (15, 1, 1, 1), "blind_columns": 3}
WRONG = {
    "convnext_block_cost": [
        lambda width, side, k: side**2 * (k**2 * width**2 + 8 * width**2),  # dense convolution instead of depthwise
        lambda width, side, k: side**2 * (k**2 * width + 4 * width**2),  # the second pointwise layer forgotten
        lambda width, side, k: side * (k**2 * width + 8 * width**2),  # only one side of the map
        lambda width, side, k: k**2 * width + 8 * width**2,  # weights, not MACs
        lambda width, side, k: side**2 * (4 * k**2 * width + 8 * width**2),  # depthwise at the expanded width
        lambda width, side, k: 2 * side**2 * (k**2 * width + 8 * width**2),  # FLOPs
        77_672_448,
    ],
    "any_patchify": [
        pixels_in_the_wrong_order,
        strips_instead_of_patches,
        fixed_patch_size,
        lambda x, weight, bias: patchify(x, weight, 0 * bias),
        lambda x, weight, bias: patchify(x, weight, bias).permute(0, 2, 3, 1),
        lambda x, weight, bias: patchify(x, weight.transpose(2, 3), bias),
    ],
    "leanest_depths": [(3, 3, 9, 3), (13, 1, 1, 1), (1, 1, 1, 15), (18, 0, 0, 0), (16, 1, 1), 15],
    "blind_columns": [0, 7, 4, 103, "3", True],  # 7: columns beyond a multiple of 32, if no kernel reached them
}
