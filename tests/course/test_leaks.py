"""The search for answers in texts finds each usual way to write them, and leaves other numbers alone."""

import pytest

from ablation import steps
from tests.course.leaks import directions, given_away


@pytest.mark.parametrize(
    "text",
    [
        "it is 28582504",
        "it is 28,582,504.",
        "28_582_504 parameters",
        "28 582 504",
        "28\u202f582\u202f504",
        "28'582'504",
        "about 28.6 M",
        "28.58 million",
        "29 million",
        "28,600,000",
        "28.6e6",
        "2.86e7",
        "28.6",
        "29 M",
        "0.0286 G",
        "between 28.5825 and 30",
    ],
)
def test_a_large_number_is_found_in_any_rounding(text):
    assert given_away(text, 28_582_504)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("the distance is 21 px", 21),
        ("21.0", 21),
        ("about 1.2 deviations", 1.16),
        ("1.16", 1.16),
        ("a share of 0 %", 0),
        ("widths of 96", (192, 96)),
        ("15 blocks", (15, 1, 1, 1)),
        ("first 0, then 1", {"a": 0, "b": 1}),
        ("(1, 0)", (1, 0)),
        ("a width of 192", [steps.gelu, steps.widen(192)]),
    ],
)
def test_a_small_number_is_found(text, answer):
    assert given_away(text, answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ResNet-50, notebook 04, 30 million, 28.7 M, 2.9 M, 2e7", 28_582_504),
        ("20 px, 22 px, 210, 2.1, 3x21, 21x3, ResNet-21", 21),
        ("7 x 7 positions, 8", (1, 7)),
        ("at least 1", (15, 1, 1, 1)),
        ("from 0.3 to 1, 0 to 5", {"a": 0, "b": 1}),
        ("the 1st of 2", 1.16),
        ("a number", lambda x: 3),
        ("192 channels", "macs"),
    ],
)
def test_other_numbers_are_left_alone(text, answer):
    assert not given_away(text, answer)


def test_a_number_of_the_given_answer_gives_nothing_away():
    assert not given_away("the number must not be '28582504'", 28_582_504, given="28582504")
    assert not given_away("28600000.0 is wrong", 28_582_504, given=28.6e6)
    assert given_away("28600000.0 is wrong, 28582504 is right", 28_582_504, given=28.6e6)


@pytest.mark.parametrize(
    "text",
    [
        "it is too high",
        "Too small.",
        "larger than the answer",
        "fewer than expected",
        "less than it should be",
        "increase it",
    ],
)
def test_a_direction_is_found(text):
    assert directions(text)


@pytest.mark.parametrize(
    "text", ["no higher cost", "at least 1", "half widths below 1", "more than two axes", "lower left"]
)
def test_other_comparisons_are_left_alone(text):
    assert not directions(text)
