"""Every exercise lets its solution pass and turns typical mistakes away, with a reason and a hint."""

from importlib import import_module

import pytest

from ablation.course import AnswerError, check, exercises
from ablation.course.checking import NOTEBOOKS
from ablation.errors import AblationError

RIGHT, WRONG = {}, {}
for notebook in NOTEBOOKS:
    answers = import_module(f"tests.course.answers.{notebook}")
    RIGHT |= answers.RIGHT
    WRONG |= answers.WRONG


def test_every_exercise_has_answers_of_both_kinds():
    assert set(exercises()) == set(RIGHT) == set(WRONG)
    assert {exercise.notebook for exercise in exercises().values()} == set(NOTEBOOKS)
    assert all(len(mistakes) >= 3 for mistakes in WRONG.values())


@pytest.mark.parametrize("name", RIGHT)
def test_the_solution_passes(name, capsys):
    check(name, RIGHT[name])
    assert exercises()[name].accepts in capsys.readouterr().out


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, mistakes in WRONG.items() for i in range(len(mistakes))])
def test_a_mistake_is_turned_away_with_a_hint(name, i):
    with pytest.raises(AnswerError, match="not yet") as caught:
        check(name, WRONG[name][i])
    said = str(caught.value)
    assert exercises()[name].hint in said and exercises()[name].accepts in said


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("nothing", [None, ...])
def test_no_answer_is_no_answer(name, nothing):
    with pytest.raises(AnswerError, match="no answer yet"):
        check(name, nothing)


def test_an_unknown_exercise_offers_the_nearest():
    with pytest.raises(AblationError, match="did you mean 'last_rung'"):
        check("last_rungs", 1)
