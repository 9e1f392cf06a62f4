"""Every exercise accepts its solution and rejects typical mistakes with a reason and a hint."""

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


def test_every_exercise_has_a_solution_and_three_mistakes():
    assert set(exercises()) == set(RIGHT) == set(WRONG)
    assert {exercise.notebook for exercise in exercises().values()} == set(NOTEBOOKS)
    assert all(len(mistakes) >= 3 for mistakes in WRONG.values())


@pytest.mark.parametrize("name", RIGHT)
def test_the_solution_is_accepted(name, capsys):
    check(name, RIGHT[name])
    assert exercises()[name].accepts in capsys.readouterr().out


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, mistakes in WRONG.items() for i in range(len(mistakes))])
def test_a_mistake_is_rejected_with_a_hint(name, i):
    with pytest.raises(AnswerError, match="not yet") as caught:
        check(name, WRONG[name][i])
    message = str(caught.value)
    assert exercises()[name].hint in message and exercises()[name].accepts in message


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("missing", [None, ...])
def test_a_missing_answer_is_rejected(name, missing):
    with pytest.raises(AnswerError, match="no answer yet"):
        check(name, missing)


def test_an_unknown_exercise_suggests_the_closest_name():
    with pytest.raises(AblationError, match="did you mean 'last_rung'"):
        check("last_rungs", 1)
