"""Sizes of images: a square or (height, width); anything else is one clear error before the network runs."""

import numpy as np
import pytest
from torch import nn

from ablation import AblationError, benchmark, breakdown, count, photographs, training_memory
from ablation.measure.pairs import interleaved
from ablation.measure.sizes import image_shape
from ablation.measure.work import work

CONV = nn.Conv2d(3, 4, 1, bias=False)


def measures(size=8, in_chans=3):
    """Return every function that measures a module on images of a size."""
    return {
        "count": lambda: count(CONV, size, in_chans),
        "breakdown": lambda: breakdown(CONV, size, 1, in_chans, samples=1),
        "benchmark": lambda: benchmark(CONV, size, 1, in_chans, samples=4),
        "training_memory": lambda: training_memory(CONV, size, in_chans=in_chans),
        "work": lambda: work(CONV, size, in_chans=in_chans),
        "interleaved": lambda: interleaved(CONV, CONV, size, in_chans=in_chans, pairs=6),
    }


@pytest.mark.parametrize("function", measures())
@pytest.mark.parametrize("size", [-5, 0, "x", 2.5, None, True, (8,), (8, 0), (8, 8, 8)], ids=str)
def test_what_is_no_size(function, size):
    with pytest.raises(AblationError, match=r"^size .* must be the side of a square image"):
        measures(size)[function]()


@pytest.mark.parametrize("function", measures())
@pytest.mark.parametrize("in_chans", [0, -1, "x", 1.5, None], ids=str)
def test_what_is_no_number_of_channels(function, in_chans):
    with pytest.raises(AblationError, match=r"^in_chans .* must be a whole number of channels"):
        measures(in_chans=in_chans)[function]()


@pytest.mark.parametrize("function", ["count", "breakdown", "training_memory", "work"])
def test_rectangles(function):
    tall = measures((6, 4))[function]()
    if function == "count":
        assert tall.macs == 3 * 4 * 6 * 4
    elif function == "breakdown":
        assert tall[0].macs == 3 * 4 * 6 * 4
    elif function == "work":
        assert tall.macs == 3 * 4 * 6 * 4
    else:
        assert tall.activations < measures((6, 8))[function]().activations


def test_height_comes_first():
    assert count(nn.Conv2d(3, 1, (1, 4)), size=(2, 4)).macs == 3 * 4 * 2


def test_whole_numbers_of_numpy_are_sizes():
    assert image_shape(np.int64(4), np.int32(3)) == (3, 4, 4)
    assert all(type(number) is int for number in image_shape([np.int64(4), 5], 3))


@pytest.mark.parametrize("size", [0, -1, "x", (4, 4)], ids=str)
def test_photographs_are_squares(size):
    with pytest.raises(AblationError, match="must be 1 pixel or more"):
        photographs(size)
