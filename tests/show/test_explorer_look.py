"""The colours of the explorer, and its drawing of blocks in a notebook."""

import re

import pytest

import ablation as ab
from ablation.show.explorer import look
from ablation.show.explorer.compared import side_by_side
from ablation.show.explorer.svg import DARK, LIGHT

TEXTS = [
    *((text, ground) for text in ("ink", "soft") for ground in ("paper", "card", "warm", "grid")),
    ("blue", "paper"),  # links
    ("on-blue", "blue"),  # the first button
]


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_four_and_a_half(colours):
    assert set(LIGHT) == set(DARK)
    for text, ground in TEXTS:
        bright, dim = sorted((luminance(colours[name]) for name in (text, ground)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, f"{text} on {ground}"


def test_every_colour_of_the_sheet_is_a_variable_that_is_set():
    used = set(re.findall(r"var\(--ax-([\w-]+)\)", look.CSS)) - {"rise"}
    assert used <= set(LIGHT) and "{{" not in look.CSS
    assert not re.findall(r"font-size: (?:[0-9]|10)px", look.CSS), "no text below 11 px"


def test_the_three_blocks_can_be_shown_in_a_notebook():
    shown = side_by_side(ab.convnext("tiny"))._repr_html_()
    assert shown.count("<svg") == 3 and "7x7 dw from 96 to 96 channels" in shown
    swin = 96 * 3 * 96 + 96 * 96 + 2 * 4 * 96 * 96
    assert f"{swin:,} weights" in shown and f"{49 * 96 + 2 * 4 * 96 * 96:,} weights" in shown
