"""Answers to the exercises of notebook 04."""

import numpy as np
import torch


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


def attention(x, window, q, k, v, heads, scale=lambda d, c: d**-0.5, axis=-1, in_place=True, interleaved=False):
    """Attention within windows by reshapes; the options are typical mistakes.

    Args:
        scale: channels per head and all channels -> factor of the scores.
        axis: of the softmax.
        in_place: whether the outputs of the windows are put back in place.
        interleaved: whether a head consists of every heads-th channel.
    """
    n, height, width, c = x.shape
    d, grid = c // heads, (height // window, width // window)
    cut = x.reshape(n, grid[0], window, grid[1], window, c)
    positions = cut.transpose(2, 3).reshape(-1, window * window, c)

    def parts(weight):
        projected = (positions @ weight.T).unflatten(2, (d, heads) if interleaved else (heads, d))
        return (
            projected.permute(0, 3, 1, 2) if interleaved else projected.transpose(1, 2)
        )  # (windows, heads, positions, d)

    queries, keys, values = map(parts, (q, k, v))
    weights = (queries @ keys.transpose(2, 3) * scale(d, c)).softmax(axis)
    out = weights @ values
    out = (out.permute(0, 2, 3, 1) if interleaved else out.transpose(1, 2)).reshape(n, *grid, window, window, c)
    return (out.transpose(2, 3) if in_place else out).reshape(x.shape)


def consecutive_positions(x, window, q, k, v, heads):
    strips = x.reshape(len(x), -1, window, x.shape[3])
    return attention(strips, window, q, k, v, heads).reshape(x.shape)


def whole_map(x, window, q, k, v, heads):
    n, d = len(x), x.shape[3] // heads
    queries, keys, values = ((x @ weight.T).reshape(n, -1, heads, d).transpose(1, 2) for weight in (q, k, v))
    out = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
    return out.transpose(1, 2).reshape(x.shape)


def influence(
    network, images, layer, relu=torch.relu, slope=torch.relu, middle=lambda side: side // 2, evaluate=True, tidy=True
):
    """The map of an effective field; the options are typical mistakes."""
    training, found = network.training, []
    hook = network.get_submodule(layer).register_forward_hook(lambda module, inputs, out: found.append(out))
    inputs = images.detach().clone().requires_grad_()
    network.train(not evaluate)(inputs)
    network.train(training)
    if tidy:
        hook.remove()
    maps = found[0]
    centre = relu(maps[:, :, middle(maps.shape[2]), middle(maps.shape[3])])
    return slope(torch.autograd.grad(centre.sum(), inputs)[0]).sum(1).mean(0)


def with_backward(network, images, layer):
    """The right map, but the parameters are left with gradients."""
    training, found = network.training, []
    with network.get_submodule(layer).register_forward_hook(lambda module, inputs, out: found.append(out)):
        inputs = images.detach().clone().requires_grad_()
        network.eval()(inputs)
    network.train(training)
    maps = found[0]
    maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2].relu().sum().backward()
    return inputs.grad.relu().sum(1).mean(0)


def on_the_images_themselves(network, images, layer):
    images.requires_grad_()
    return influence(network, images, layer)


def left_in_evaluation(network, images, layer):
    found = influence(network, images, layer)
    network.eval()
    return found


def of_the_last_map(network, images, layer):
    """The notebook's function, for a network in evaluation mode."""
    return influence(network, images, "stages.3")


RIGHT = {"field_of_layers": field, "side_of_share": side, "breaks_at": 21, "smallest_shifts": (1, 7)}
RIGHT |= {"window_attention": attention, "effective_map": influence}
WRONG = {
    "field_of_layers": [stride_too_early, no_stride, no_dilation, kernel_not_reduced_by_one, 19],
    "side_of_share": [half_side, threshold_at_the_maximum, even_side, along_the_middle_row, square_root_of_the_share],
    "breaks_at": [19, 20, 22, 18.5, "far"],
    "smallest_shifts": [(1, 1), (7, 7), (1, 4), (1, 14), 7],
    "window_attention": [
        lambda *given: attention(*given, scale=lambda d, c: 1.0),
        lambda *given: attention(*given, scale=lambda d, c: c**-0.5),
        lambda *given: attention(*given, scale=lambda d, c: 1 / d),
        lambda *given: attention(*given, axis=-2),
        lambda *given: attention(*given, axis=1),  # over the heads
        consecutive_positions,
        lambda *given: attention(*given, in_place=False),
        whole_map,
        lambda *given: attention(*given, interleaved=True),
        lambda x, window, q, k, v, heads: attention(x, window, q.T, k.T, v.T, heads),
        lambda x, window, q, k, v, heads: attention(x, window, k, q, v, heads),
        lambda x, window, q, k, v, heads: attention(x, window, q, k, v, 1),
        lambda *given: attention(*given).permute(0, 3, 1, 2),
    ],
    "effective_map": [
        lambda *given: influence(*given, slope=torch.abs),
        lambda *given: influence(*given, slope=torch.clone),
        lambda *given: influence(*given, relu=torch.clone),
        lambda *given: influence(*given, relu=torch.clone, slope=torch.abs),
        lambda *given: influence(*given, middle=lambda side: (side - 1) // 2),
        lambda *given: influence(*given, evaluate=False),
        lambda *given: influence(*given, tidy=False),
        lambda network, images, layer: len(images) * influence(network, images, layer),
        lambda network, images, layer: influence(network, images, layer) / images.shape[1],
        lambda *given: influence(*given) / influence(*given).max(),
        with_backward,
        on_the_images_themselves,
        left_in_evaluation,
        of_the_last_map,
    ],
}
