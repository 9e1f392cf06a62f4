"""Prerequisites and reading times are read from the first cell of each notebook; an error names the notebook."""

import json

import pytest

from ablation.course.reading_order import read_course
from ablation.errors import AblationError
from ablation.show.course_map import Notebook
from tests.notebooks import FOLDER

FIRST = """# {title}

> **You will be able to** do it.
>
> **Prerequisites** {needs} **Time** {minutes}
> minutes to read. **Download** nothing.

Later, [05](05_later.ipynb) continues."""


def write(folder, name, needs="Python.", minutes=20, first=FIRST):
    source = first.format(title=name, needs=needs, minutes=minutes)
    cells = [
        {"id": "a", "cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)},
        {"id": "b", "cell_type": "markdown", "metadata": {}, "source": "[05](05_later.ipynb)"},
    ]
    (folder / f"{name}.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )


def test_links_among_the_prerequisites_are_read_and_others_are_not(tmp_path):
    write(tmp_path, "01_roadmap")
    write(tmp_path, "02_macro", "[01](01_roadmap.ipynb);\n> gradients.", 35)
    write(tmp_path, "05_later", "[Seeds](02_macro.ipynb#Seeds-and-intervals) in 02, [01](01_roadmap.ipynb).", 5)
    assert read_course(tmp_path) == [
        Notebook("01_roadmap", 20),
        Notebook("02_macro", 35, ("01_roadmap",)),
        Notebook("05_later", 5, ("02_macro", "01_roadmap")),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": FIRST.replace("**Prerequisites**", "Prerequisites")}, "no line '**Prerequisites** ...'"),
        ({"first": FIRST.replace("> minutes", "> hours")}, "no line '**Time** N minutes'"),
        ({"minutes": "ten"}, "no line '**Time** N minutes'"),
        ({"needs": "[09](09_missing.ipynb)."}, "09_missing.ipynb, which is not in its folder"),
        ({"needs": "notebooks 01 and 07."}, "notebook 01 without a link"),
    ],
)
def test_an_error_names_the_notebook(tmp_path, change, message):
    write(tmp_path, "01_roadmap")
    write(tmp_path, "02_macro", **change)
    with pytest.raises(AblationError) as error:
        read_course(tmp_path)
    assert "02_macro.ipynb" in str(error.value) and message in str(error.value).replace("the first cell of ", "")


def test_a_notebook_without_cells_is_named(tmp_path):
    (tmp_path / "03_empty.ipynb").write_text('{"cells": []}')
    with pytest.raises(AblationError, match=r"03_empty\.ipynb"):
        read_course(tmp_path)


def test_notebooks_of_a_reader_are_left_out(tmp_path):
    write(tmp_path, "01_roadmap")
    (tmp_path / "Untitled.ipynb").write_text('{"cells": []}')
    assert [notebook.name for notebook in read_course(tmp_path)] == ["01_roadmap"]


def test_every_notebook_of_the_course_is_read():
    course = {notebook.name: notebook for notebook in read_course(FOLDER)}
    assert list(course) == sorted(file.stem for file in FOLDER.glob("*.ipynb"))
    assert course["06_downsampling"].needs == ("02_macro_design", "05_micro_design")
    assert course["07_training"].needs == ("01_roadmap", "02_macro_design")
