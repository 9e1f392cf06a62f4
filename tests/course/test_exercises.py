"""nbgrader makes the students' version from the instructors', and gives the instructors' full marks and an empty one none."""

import nbformat
import pytest

from ablation.course import exercises
from tests.exercises import COURSE, NAMES, course, generate, grade

# nbgrader's own way with its database, which a newer SQLAlchemy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")


@pytest.fixture(scope="module")
def made():
    with course() as (root, api):
        for name in NAMES:
            generate(api, name)
        yield root, api


def sources(file):
    return [cell.source for cell in nbformat.read(file, as_version=4).cells]


@pytest.mark.parametrize("name", NAMES)
def test_the_students_version_is_what_nbgrader_makes_and_holds_no_solution(made, name):
    fresh, kept = made[0] / "release" / name / f"{name}.ipynb", COURSE / "release" / name / f"{name}.ipynb"
    assert sources(fresh) == sources(kept), "`make exercises` makes it anew"
    text = "\n".join(sources(kept))
    assert "SOLUTION" not in text and "NotImplementedError" in text
    for cell in nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4).cells:
        if "### BEGIN SOLUTION" in cell.source:
            solution = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0].strip()
            assert solution and solution not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_full_marks(made, name):
    root, api = made
    marks = grade(root, api, name, root / "source" / name / f"{name}.ipynb")
    assert len(marks) >= 2 and all(score == most > 0 for score, most in marks.values()), marks


def test_an_empty_one_gets_none(made):
    root, api = made
    marks = grade(root, api, NAMES[0], root / "release" / NAMES[0] / f"{NAMES[0]}.ipynb")
    assert all(score == 0 for score, _ in marks.values())


def test_every_exercise_that_checks_itself_stands_in_the_notebook_it_belongs_to():
    for name in NAMES:
        text = "\n".join(sources(COURSE / "source" / name / f"{name}.ipynb"))
        own = [e.name for e in exercises().values() if e.notebook == name[3:]]
        assert len(own) >= 2 and all(f'check("{exercise}", ' in text for exercise in own)
    assert {name[3:] for name in NAMES} == {e.notebook for e in exercises().values()}
