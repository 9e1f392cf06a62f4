"""Generate the student versions of the exercises with nbgrader: `python -m tests.exercises [NAME...]`.

`notebooks/exercises` is an nbgrader course: `source/NAME/NAME.ipynb` is the instructor version with the solutions,
`release/NAME/NAME.ipynb` the student version that `nbgrader generate_assignment` makes from it. nbgrader runs in a copy of the
course, so that its database is not written to the repository.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

COURSE = Path(__file__).parents[1] / "notebooks" / "exercises"
NAMES = sorted(path.name for path in (COURSE / "source").iterdir() if path.is_dir())


@contextmanager
def course() -> Iterator[tuple[Path, Any]]:
    """Yield the folder of a temporary copy of the course and the nbgrader API for it."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top) / "course"
        shutil.copytree(COURSE / "source", root / "source")
        config = Config()
        config.CourseDirectory.root = str(root)
        config.CourseDirectory.course_id = "ablation"
        config.Application.log_level = "ERROR"
        config.ExecutePreprocessor.timeout = 300
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"  # nbgrader calls alembic by name
        try:
            yield root, NbGraderAPI(config=config)
        finally:
            os.environ["PATH"] = path


def generate(api: Any, name: str) -> None:
    """Generate the student version of one assignment; raise an error if nbgrader reports one."""
    result = api.generate_assignment(name, force=True)
    if not result["success"]:
        raise RuntimeError(f"{name}: {result.get('error')}\n{result.get('log')}")


def grade(root: Path, api: Any, name: str, submission: Path) -> dict[str, tuple[float, float]]:
    """Submit a notebook, grade it, and return the score and the maximum score of each check."""
    target = root / "submitted" / "reader" / name
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(submission, target / f"{name}.ipynb")
    result = api.autograde(name, "reader", force=True)
    if not result["success"]:
        raise RuntimeError(f"{name}: {result.get('error')}\n{result.get('log')}")
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(name, name, "reader").grades
        return {g.name: (g.auto_score or 0.0, g.max_score) for g in grades if g.cell.cell_type == "code"}


if __name__ == "__main__":
    with course() as (root, api):
        for name in sys.argv[1:] or NAMES:
            generate(api, name)
            target = COURSE / "release" / name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / "release" / name / f"{name}.ipynb", target)
            print(name, flush=True)
