"""nbgrader generates the student version, gives the instructor version full marks and an unanswered one no marks."""

import nbformat
import pytest

from ablation.course import exercises
from tests.exercises import COURSE, NAMES, course, generate, grade

# How nbgrader uses its database; newer versions of SQLAlchemy warn about it.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")


@pytest.fixture(scope="module")
def generated():
    with course() as (root, api):
        for name in NAMES:
            generate(api, name)
        yield root, api


def sources(file):
    return [cell.source for cell in nbformat.read(file, as_version=4).cells]


@pytest.mark.parametrize("name", NAMES)
def test_the_student_version_is_up_to_date_and_contains_no_solution(generated, name):
    fresh, kept = generated[0] / "release" / name / f"{name}.ipynb", COURSE / "release" / name / f"{name}.ipynb"
    assert sources(fresh) == sources(kept), "outdated: run `make exercises`"
    text = "\n".join(sources(kept))
    assert "SOLUTION" not in text and "NotImplementedError" in text
    for cell in nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4).cells:
        if "### BEGIN SOLUTION" in cell.source:
            solution = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0].strip()
            assert solution and solution not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_full_marks(generated, name):
    root, api = generated
    marks = grade(root, api, name, root / "source" / name / f"{name}.ipynb")
    assert len(marks) >= 2 and all(score == maximum > 0 for score, maximum in marks.values()), marks


def test_an_unanswered_notebook_gets_no_marks(generated):
    root, api = generated
    marks = grade(root, api, NAMES[0], root / "release" / NAMES[0] / f"{NAMES[0]}.ipynb")
    assert all(score == 0 for score, _ in marks.values())


def test_every_self_checking_exercise_is_in_its_notebook():
    for name in NAMES:
        text = "\n".join(sources(COURSE / "source" / name / f"{name}.ipynb"))
        own = [e.name for e in exercises().values() if e.notebook == name[3:]]
        assert len(own) >= 2 and all(f'check("{exercise}", ' in text for exercise in own)
    assert {name[3:] for name in NAMES} == {e.notebook for e in exercises().values()}
