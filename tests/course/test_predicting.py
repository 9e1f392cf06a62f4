"""Predictions: a guess is taken once, kept, and compared with the computed result; a notebook runs without any."""

import json

import numpy as np
import pytest
import torch

from ablation.course import all_predictions, predictions
from ablation.course.guess_row import static_html
from ablation.course.kept_guesses import FILE
from ablation.course.predicting import Predictions
from ablation.course.question import question
from ablation.errors import AblationError


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def kept(tmp_path, notebook="05"):
    return json.loads((tmp_path / FILE).read_text())[notebook]


def row_of(own, name):
    return own._rows[name]


def said(row):
    return row.widget.children[-1].children[-1].value


def controls(row):
    return list(row.widget.children[2].children)


def test_without_guesses_it_prints_the_results_and_leaves_no_file(tmp_path, capsys):
    predict, reveal, summary = predictions("05")
    predict("slope", ["positive", "zero", "negative"])
    reveal("slope", "negative")
    assert summary() is None
    assert capsys.readouterr().out.splitlines() == [
        "Predict slope: positive, zero or negative",
        "slope: negative (your guess: none)",
        "Notebook 05: 1 prediction, none guessed. Run the notebook in JupyterLab and guess before each result; "
        "this cell then compares.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_click_locks_and_keeps_the_guess_and_the_result_scores_it(tmp_path, capsys):
    own = Predictions("05")
    own.predict("slope", ["positive", "zero", "negative"])
    row = row_of(own, "slope")
    positive, zero, negative = controls(row)
    negative.click()
    assert kept(tmp_path)["slope"] == {"guess": "negative", "late": False, "result": None, "right": None}
    assert said(row).startswith("Locked.") and positive.disabled and zero.disabled and not negative.disabled
    positive.click()
    assert kept(tmp_path)["slope"]["guess"] == "negative"
    own.reveal("slope", "negative")
    assert said(row) == "slope: negative (your guess: negative, right)"
    assert said(row) in capsys.readouterr().out
    assert kept(tmp_path)["slope"] == {"guess": "negative", "late": False, "result": "negative", "right": True}


@pytest.mark.parametrize(
    ("options", "guess", "result", "right", "text"),
    [
        ({"numbers": (-1.0, 1.0), "within": 0.05}, -0.2, torch.tensor(-0.1587), True, "-0.159"),
        ({"numbers": (-1.0, 1.0), "within": 0.05}, -0.2, np.float64(-0.14), False, "-0.14"),
        ({"numbers": (-1.0, 1.0), "within": 0.05}, 0.1, 0.15, True, "0.15"),  # at the end of the tolerance
        ({"numbers": (0, 40)}, 2, np.int64(2), True, "2"),
        ({"numbers": (0, 40)}, 3, 2, False, "2"),
        ({"numbers": (0, 40), "within": 2, "unit": "px"}, 3, 2.5, True, "2.5 px"),
        ({"choices": [5, 7, 9, 11]}, 9, 9, True, "9"),
        ({"choices": ["yes", "no"]}, "no", np.bool_(False), True, "no"),
        ({"choices": ["a", "b", "c"], "several": True}, ["b", "a"], ["a", "b"], True, "a, b"),
        ({"choices": ["a", "b", "c"], "several": True}, ["a"], [], False, "none of them"),
    ],
)
def test_a_guess_is_scored_by_its_kind(options, guess, result, right, text, tmp_path, capsys):
    own = Predictions("05")
    own.predict("it", **options)
    own.guess("it", guess)
    own.reveal("it", result)
    assert kept(tmp_path)["it"]["right"] is right
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"it: {text} (your guess: ")
    assert own.summary().loc["it", "score"] == ("right" if right else "wrong")


def test_a_slider_starts_in_the_middle_and_locks_with_its_button(tmp_path):
    own = Predictions("05")
    own.predict("share", numbers=(0.0, 60.0), within=5, unit="%")
    slider, lock = controls(row_of(own, "share"))
    assert slider.value == 30 and slider.step == 1 and lock.description == "Lock"
    slider.value = 45
    lock.click()
    assert kept(tmp_path)["share"]["guess"] == 45 and slider.disabled and lock.description == "Locked"


def test_boxes_take_any_number_of_choices(tmp_path):
    own = Predictions("05")
    own.predict("which", ["a", "b", "c"], several=True)
    first, _, third, lock = controls(row_of(own, "which"))
    first.value = third.value = True
    lock.click()
    assert kept(tmp_path)["which"]["guess"] == ["a", "c"] and first.disabled


def test_a_guess_is_locked_also_in_the_next_session(tmp_path):
    first = Predictions("05")
    first.predict("kernel", [5, 7, 9])
    first.guess("kernel", 7)
    second = Predictions("05")
    second.predict("kernel", [5, 7, 9])
    row = row_of(second, "kernel")
    assert said(row).startswith("Locked.") and [one.disabled for one in controls(row)] == [True, False, True]
    with pytest.raises(AblationError, match="the guess for 'kernel' is locked: 7"):
        second.guess("kernel", 9)
    second.reveal("kernel", 9)
    assert kept(tmp_path)["kernel"]["right"] is False


def test_a_kept_guess_that_the_question_no_longer_allows_can_be_made_again(tmp_path):
    first = Predictions("05")
    first.predict("kernel", [5, 7, 9])
    first.guess("kernel", 7)
    second = Predictions("05")
    second.predict("kernel", ["small", "large"])
    second.guess("kernel", "small")
    assert kept(tmp_path)["kernel"]["guess"] == "small"


def test_a_guess_after_the_result_is_compared_but_not_counted(tmp_path, capsys):
    own = Predictions("05")
    for name in ("one", "two"):
        own.predict(name, ["up", "down"])
    own.guess("one", "down")
    own.reveal("one", "up")
    own.reveal("two", "up")
    controls(row_of(own, "two"))[0].click()
    assert said(row_of(own, "two")).endswith("(your guess: up, right, but made after the result: not counted)")
    table = own.summary()
    assert "0 of 1 guesses right; 2 predictions in all" in capsys.readouterr().out
    assert list(table["score"]) == ["wrong", "right, but made after the result: not counted"]


def test_all_notebooks_are_counted_together(capsys):
    assert all_predictions() is None
    for notebook, guess in (("03", "up"), ("05", "down")):
        own = Predictions(notebook)
        own.predict("it", ["up", "down"])
        own.guess("it", guess)
        own.reveal("it", "up")
    table = all_predictions()
    assert "All notebooks: 1 of 2 guesses right." in capsys.readouterr().out
    assert table.to_dict("index") == {
        "03": {"guesses counted": 1, "right": 1},
        "05": {"guesses counted": 1, "right": 0},
    }


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda own: own.reveal("slope", 1), "no prediction 'slope' yet: first run the cell"),
        (lambda own: own.predict("it", ["a", "b"]) or own.reveal("ti", "a"), "unknown prediction 'ti'; did you mean 'it'"),
        (lambda own: own.predict("it", ["up", "down"]) or own.guess("it", "upp"), "'upp'; did you mean 'up'"),
        (lambda own: own.predict("it", ["up", "down"]) or own.reveal("it", "same"), "answer to 'it' 'same'"),
        (lambda own: own.predict("it", numbers=(0, 9)) or own.reveal("it", float("nan")), "finite number"),
        (lambda own: own.predict("it", numbers=(0, 9)) or own.reveal("it", "two"), "must be a number"),
        (lambda own: own.predict("it", ["a", "b"], several=True) or own.reveal("it", "a"), "must be a list"),
        (lambda own: own.predict("it"), "either choices or numbers"),
        (lambda own: own.predict("it", ["a", "b"], numbers=(0, 1)), "either choices or numbers"),
        (lambda own: own.predict("it", "ab"), "must be a list"),
        (lambda own: own.predict("it", ["a", "a"]), "two or more choices, all different"),
        (lambda own: own.predict("it", numbers=(3, 3)), "least and greatest, not 3 and 3"),
        (lambda own: own.predict("it", numbers=5), "must be two"),
        (lambda own: own.predict("it", numbers=(0.0, 1.0)), "needs within"),
        (lambda own: own.predict("it", numbers=(0.0, 1.0), within=-1), "within -1 of prediction 'it' must be"),
        (lambda own: own.predict(3, ["a", "b"]), "must be a text"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_clear_error(use, message, tmp_path):
    with pytest.raises(AblationError, match=message):
        use(Predictions("05"))
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"05": 3}', '{"05": {"it": {}}}', b"\xff"])
def test_a_damaged_file_is_named_and_not_overwritten(content, tmp_path):
    file = tmp_path / FILE
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = file.read_bytes()
    with pytest.raises(AblationError, match=r"predictions\.json.*rename or delete it"):
        predictions("05")
    assert file.read_bytes() == before


def test_a_guess_that_cannot_be_kept_is_told_and_the_row_stays_open(tmp_path):
    own = Predictions("05")
    own.predict("it", ["up", "down"])
    (tmp_path / FILE).mkdir()
    row = row_of(own, "it")
    controls(row)[0].click()
    assert said(row).startswith("Not kept: ") and FILE in said(row) and not controls(row)[1].disabled
    (tmp_path / FILE).rmdir()
    controls(row)[1].click()
    assert kept(tmp_path)["it"]["guess"] == "down"


def test_two_notebooks_share_the_file(tmp_path):
    one, two = Predictions("03"), Predictions("05")
    for own in (one, two):
        own.predict("it", ["up", "down"])
        own.guess("it", "up")
    assert set(json.loads((tmp_path / FILE).read_text())) == {"03", "05"}


def test_one_output_has_the_widget_and_its_text_for_pages_without_a_kernel():
    own = Predictions("05")
    own.predict("a < b", ["yes", "no"])
    bundle = row_of(own, "a < b")._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/plain", "text/html"}
    assert bundle["text/plain"] == "Predict a < b: yes or no"
    assert bundle["text/html"] == '<p class="prediction"><b>a &lt; b</b> <span>yes</span> <span>no</span></p>'
    assert "right within 5 %" in static_html(question("s", numbers=(0.0, 60.0), within=5, unit="%"))


@pytest.mark.parametrize(
    ("numbers", "within", "step"),
    [((0, 500), 20, 1), ((0.0, 1.0), 0.1, 0.01), ((0.0, 60.0), 5, 1), ((-3.0, 3.0), 0.1, 0.1), ((0.0, 250.0), 9, 5)],
)
def test_a_slider_has_round_steps(numbers, within, step):
    assert question("it", numbers=numbers, within=within).step == pytest.approx(step)
