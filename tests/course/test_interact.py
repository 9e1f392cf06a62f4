"""Figures with sliders: they start at the defaults, follow the sliders, and are a figure where there is no kernel."""

import base64
import io
import re

import pytest
from PIL import Image

from ablation.course import interact
from ablation.errors import AblationError
from ablation.show.style import new_figure
from tests.notebooks import SLIDERS, WIDGET, save


def area(side=2, scale=1.5):
    """A figure whose width is the side, and a sentence with both values."""
    return new_figure(side, 1), f"side {side} at scale {scale:g}: area {scale * side * side:g}"


def picture_of(shown):
    """The picture that the sliders redraw."""
    data = re.search(r"base64,([^\"]+)", shown.widget.children[-1].value).group(1)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_it_starts_at_the_defaults_and_follows_a_slider():
    shown = interact(area, side=(1, 2, 3), scale=(0.5, 1.5))
    assert shown.text == "side 2 at scale 1.5: area 6" and picture_of(shown).width == 220
    shown.sliders["side"].value = 3
    assert shown.text == "side 3 at scale 1.5: area 13.5" and picture_of(shown).width == 330
    assert 'alt="side 3 at scale 1.5: area 13.5"' in shown.widget.children[-1].value


def test_a_page_without_a_kernel_shows_the_figure_at_the_defaults_with_its_sentence():
    shown = interact(area, side=(1, 2, 3))
    shown.sliders["side"].value = 3
    data, metadata = shown._repr_mimebundle_()
    assert WIDGET in data and metadata["image/png"]["alt"] == "side 2 at scale 1.5: area 6"
    assert data["text/plain"] == "Sliders: side (1 to 3). Shown for side 2: side 2 at scale 1.5: area 6"
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width == 400


def test_the_text_lists_the_values_of_a_slider_that_has_names():
    def named(kind="round"):
        return area()

    assert repr(interact(named, kind=("square", "round"))).startswith(
        "Sliders: kind (square, round). Shown for kind round: "
    )


def test_a_saved_notebook_has_no_sliders_that_nothing_would_answer(tmp_path):
    import nbformat

    cell = nbformat.v4.new_code_cell("interact(area, side=(1, 2))", metadata={"tags": [SLIDERS]})
    data, _ = interact(area, side=(1, 2))._repr_mimebundle_()
    cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    save(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    (saved,) = nbformat.read(tmp_path / "one.ipynb", as_version=4).cells[0].outputs
    assert set(saved["data"]) == {"image/png", "text/plain"}


def test_an_error_while_drawing_is_shown_below_the_sliders():
    def fails(side=1):
        if side == 2:
            raise ValueError("no figure of side 2")
        return area(side)

    shown = interact(fails, side=(1, 2))
    shown.sliders["side"].value = 2
    assert shown.text == "Cannot be drawn: no figure of side 2"
    shown.sliders["side"].value = 1
    assert shown.text.startswith("side 1")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "at least one slider"),
        ({"sides": (1, 2)}, r"unknown argument 'sides'.*side"),
        ({"side": (1, 3)}, r"default of 'side' is 2, which is not one of \[1, 3\]"),
    ],
)
def test_a_slider_that_does_not_fit_the_function_is_refused(choices, message):
    with pytest.raises(AblationError, match=message):
        interact(area, **choices)


def test_a_slider_without_an_initial_value_is_refused():
    def draw(side):
        return area(side)

    with pytest.raises(AblationError, match="argument 'side' needs a default"):
        interact(draw, side=(1, 2))
