"""The figures that sliders redraw show what they say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from torch import nn, ones

from ablation.errors import AblationError
from ablation.show.batch_noise import normalised_value, plot_batch_noise
from ablation.show.covered import plot_covered
from ablation.show.power_plot import plot_power
from ablation.show.sampling import plot_sampling, stripes_through
from ablation.show.speed import plot_front
from ablation.show.style import BLUE
from ablation.show.window_stack import plot_window_stack


def filled(figure, row):
    """Left edge and width of the filled cells of a row, in pixels from the middle."""
    boxes = [
        path.get_extents()
        for cells in figure.axes[0].collections
        if to_rgb(cells.get_facecolor()[0]) == to_rgb(BLUE)
        for path in cells.get_paths()
    ]
    return [(box.x0, box.width) for box in boxes if abs((box.y0 + box.y1) / 2 - row) < 1e-9]


@pytest.mark.parametrize("kernel", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_filled_pixels_are_those_that_a_stack_of_convolutions_depends_on(kernel, stride, depth):
    layers = nn.Sequential(*(nn.Conv1d(1, 1, kernel, stride, bias=False) for _ in range(depth)))
    for layer in layers:
        nn.init.ones_(layer.weight)
    row = ones(1, 1, 200, requires_grad=True)
    layers(row)[0, 0, 3].backward()
    figure = plot_window_stack(kernel, stride, depth)
    assert len(filled(figure, 0)) == int((row.grad != 0).sum())
    assert len(filled(figure, depth)) == 1
    if depth > 1:
        assert len(filled(figure, depth - 1)) == kernel
    edges = filled(figure, 0)
    assert min(x for x, _ in edges) == pytest.approx(-max(x + width for x, width in edges))  # centred


def test_above_the_limit_stripes_come_out_coarser_and_the_average_dims_them():
    through = stripes_through(0.375, 0)
    spectrum = abs(np.fft.rfft(through["every second pixel"]))
    assert spectrum.argmax() / len(through["every second pixel"]) == pytest.approx(1 - 2 * 0.375)
    dimmed = abs(np.fft.rfft(through["average of two"])).max() / spectrum.max()
    assert dimmed == pytest.approx(np.cos(np.pi * 0.375))
    finest = {shift: stripes_through(0.5, shift)["every second pixel"] for shift in (0, 1)}
    assert np.allclose(finest[0], 1) and np.allclose(finest[1], -1)


@pytest.mark.parametrize("frequency", [0.0, 0.2, 0.25, 0.4, 0.5])
@pytest.mark.parametrize("shift", [0.0, 0.75])
def test_the_line_below_the_pixels_is_the_slowest_wave_through_every_second_one(frequency, shift):
    line = plot_sampling(frequency, shift).axes[0].get_lines()[1]
    x, y = line.get_xdata(), line.get_ydata() - np.mean([line.get_ydata().max(), line.get_ydata().min()])
    at = [int(np.abs(x - 2 * i).argmin()) for i in range(12)]
    kept = stripes_through(frequency, shift)["every second pixel"]
    assert np.ptp(line.get_ydata()[at] - kept) < 1e-9  # up to the height of the row
    assert (np.diff(np.sign(y[np.abs(y) > 1e-6])) != 0).sum() <= 2 * 0.25 * 23 + 1


def test_batch_noise_shrinks_with_the_values_in_a_mean_and_has_two_values_for_two():
    spreads = [normalised_value(0.5, batch, 1).std() for batch in (2, 8, 32, 128)]
    assert spreads == sorted(spreads, reverse=True) and spreads[-1] < 0.15
    assert set(np.abs(normalised_value(0.5, 2, 1)).round(6)) == {1.0}
    assert normalised_value(0.5, 2, 49).std() == pytest.approx(normalised_value(0.5, 98, 1).std(), rel=0.5)
    axes = plot_batch_noise(np.zeros(10), 0.5).axes[0]
    assert axes.get_lines()[0].get_xdata()[0] == 0.5


def test_the_marked_number_of_seeds_is_on_the_curve():
    axes = plot_power([3, 4, 5], [10.0, 20.0, 30.0], 4).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[4.0, 20.0]]
    with pytest.raises(ValueError, match="6"):
        plot_power([3, 4, 5], [10.0, 20.0, 30.0], 6)


def test_the_covered_window_is_black_and_both_logits_have_bars():
    image = np.ones((4, 4))
    figure = plot_covered(image, (1, 2, 2), [1.0, 2.0], [3.0, -4.0])
    shown = figure.axes[0].get_images()[0].get_array()
    assert shown[1:3, 2:4].max() == 0 and shown.sum() == 12 and image.sum() == 16
    assert [bar.get_height() for bar in figure.axes[1].patches] == [1.0, 2.0, 3.0, -4.0]


def test_the_front_depends_on_the_cost():
    table = pd.DataFrame(
        {
            "title": ["a", "b", "c"],
            "published_accuracy": [70.0, 71.0, 72.0],
            "macs": [1e9, 3e9, 2e9],
            "params": [3e6, 2e6, 1e6],
            "seconds": [2.0, 1.0, 3.0],
            "batch": 2,
        }
    )
    fronts = {cost: plot_front(table, cost)[1] for cost in ("MACs", "parameters", "latency")}
    assert fronts == {"MACs": ["a", "c"], "parameters": ["c"], "latency": ["b", "c"]}
    with pytest.raises(AblationError, match="latency"):
        plot_front(table, "latencies")
