"""Every exercise accepts its solution and rejects typical mistakes with a reason and a hint, without giving the answer away."""

import re

import pytest

from ablation.course import AnswerError, check, checking, exercises
from ablation.course.checking import NOTEBOOKS
from ablation.errors import AblationError
from tests.course.answers.every import RIGHT, WRONG
from tests.course.leaks import directions, given_away

NUMBERS = {name: answer for name, answer in RIGHT.items() if isinstance(answer, int | float)}


@pytest.fixture(autouse=True)
def nothing_rejected_yet():
    checking._rejected.clear()


def rejected(name, answer):
    """Return the message with which a check rejects an answer."""
    with pytest.raises(AnswerError, match="not yet") as caught:
        check(name, answer)
    return str(caught.value)


def test_every_exercise_has_a_solution_and_three_mistakes():
    assert set(exercises()) == set(RIGHT) == set(WRONG)
    assert {exercise.notebook for exercise in exercises().values()} == set(NOTEBOOKS)
    assert all(len(mistakes) >= 3 for mistakes in WRONG.values())


@pytest.mark.parametrize("name", RIGHT)
def test_the_solution_is_accepted(name, capsys):
    check(name, RIGHT[name])
    assert exercises()[name].accepts in capsys.readouterr().out


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, mistakes in WRONG.items() for i in range(len(mistakes))])
def test_a_mistake_is_rejected_with_a_hint_and_without_the_answer(name, i):
    message = rejected(name, WRONG[name][i])
    assert exercises()[name].hints[0] in message and exercises()[name].accepts in message
    assert exercises()[name].hints[1] not in message
    reason = message.splitlines()[0]
    assert given_away(reason, RIGHT[name], given=WRONG[name][i]) == [] and directions(reason) == []


@pytest.mark.parametrize("name", RIGHT)
def test_neither_hints_nor_the_accepted_answers_give_the_answer_away(name):
    exercise = exercises()[name]
    assert len(set(exercise.hints)) == 2
    for text in (exercise.accepts, *exercise.hints):
        assert given_away(text, RIGHT[name]) == [] and directions(text) == []


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_rejected_with_the_same_words_on_both_sides_of_the_answer(name):
    right = NUMBERS[name]
    apart = 1 if isinstance(right, int) else 0.3
    messages = {re.sub(r"-?\d+(\.\d+)?", "#", rejected(name, right + sign * apart)) for sign in (-1, 1)}
    assert len(messages) == 1


def test_the_second_hint_comes_with_the_third_wrong_answer_and_goes_with_the_right_one():
    first, second = exercises()["last_rung"].hints
    messages = [rejected("last_rung", 1) for _ in range(4)]
    assert all(f"Hint 1 of 2: {first}" in message for message in messages)
    assert [f"Hint 2 of 2: {second}" in message for message in messages] == [False, False, True, True]
    assert "Hint 2 of 2 follows after 3 wrong answers." in messages[0]
    assert second not in rejected("order_that_matters", 1)  # each exercise counts its own
    check("last_rung", RIGHT["last_rung"])
    assert second not in rejected("last_rung", 1)


def not_written(*given):
    raise NotImplementedError


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("missing", [None, ..., not_written])
def test_a_missing_answer_is_rejected_and_shows_no_hint(name, missing):
    if missing is not_written and not callable(RIGHT[name]):
        return
    for _ in range(3):
        message = rejected(name, missing)
        assert "there is no answer yet" in message and "Hint" not in message


def test_an_unknown_exercise_suggests_the_closest_name():
    with pytest.raises(AblationError, match="did you mean 'last_rung'"):
        check("last_rungs", 1)
