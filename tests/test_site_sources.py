"""What the site and hosted notebooks are made from: closed answers, lines for Colab, Codespaces, the moving picture, excerpts."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from docutils import nodes
from PIL import Image, ImageSequence

from docs import colab, moving_picture
from docs.excerpts import sections

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def code_cells(file):
    """Return (source, tags, whether there are outputs) of each code cell."""
    cells = [cell for cell in json.loads(file.read_text())["cells"] if cell["cell_type"] == "code"]
    return [("".join(cell["source"]), cell["metadata"].get("tags", []), bool(cell["outputs"])) for cell in cells]


ANSWERS = re.compile(r"\b(reveal|take)\(")  # in a cell with outputs: the answer to a prediction


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_answers_to_predictions_are_closed_and_their_questions_are_not(file):
    for source, tags, has_outputs in code_cells(file):
        assert ("prediction" in tags) == bool(has_outputs and re.search(r"\bpredict(_step)?\(", source)), source[:80]
        if has_outputs and ANSWERS.search(source):
            assert "hide-output" in tags, source[:80]
        assert not ("prediction" in tags and {"hide-input", "hide-output"} & set(tags))
        assert not {"hide-input", "hide-output"} <= set(tags)


@pytest.mark.parametrize("file", [file for file in NOTEBOOKS if file.stem[0].isdigit()], ids=lambda file: file.stem)
def test_predictions_are_revealed_and_counted(file):
    cells = code_cells(file)
    asked = [index for index, (_, tags, _) in enumerate(cells) if "prediction" in tags]
    answers = [index for index, (source, _, has_outputs) in enumerate(cells) if has_outputs and ANSWERS.search(source)]
    assert asked and min(asked) < min(answers) and max(asked) < max(answers)
    last = [source for source, _, _ in cells if source == "scores()"]
    assert len(last) == 1 and f'predictions("{file.name[:2]}")' in "\n".join(source for source, _, _ in cells)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_question_stands_before_the_row_that_takes_its_prediction(file):
    waiting = ""
    for cell in json.loads(file.read_text())["cells"]:
        source = "".join(cell["source"])
        if "prediction" in cell["metadata"].get("tags", []):
            waiting = cell["id"]
        elif cell["cell_type"] == "markdown":
            assert not (waiting and re.search(r"\*Predict|Guess first", source)), (
                f"{waiting} stands before its question"
            )
        elif ANSWERS.search(source):
            waiting = ""


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_row_takes_the_prediction_of_each_question(file):
    waiting = ""
    for cell in json.loads(file.read_text())["cells"]:
        if "prediction" in cell["metadata"].get("tags", []):
            waiting = ""
        elif cell["cell_type"] == "markdown":
            assert not waiting, f"{waiting} has a question without a row"
            waiting = cell["id"] if re.search(r"\*Predict|Guess first", "".join(cell["source"])) else ""
    assert not waiting


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_code_that_only_imports_is_closed_and_code_that_measures_a_claim_is_not(file):
    for source, tags, _ in code_cells(file):
        if all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(source).body):
            assert "hide-input" in tags, source[:80]
        assert "hide-input" not in tags or not any(tag.startswith("claim") for tag in tags)


REPOSITORY = "https://github.com/somebody/ablation.git"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_lines_for_colab_are_those_of_the_address_in_pyproject(file):
    first = "".join(json.loads(file.read_text())["cells"][0]["source"])
    assert colab.with_line(first, file.name, PROJECT.get("urls", {}).get("Repository")) == first
    added = colab.with_line(first, file.name, REPOSITORY)
    (line,) = (line for line in added.splitlines() if "colab" in line.lower())
    assert f"github/somebody/ablation/blob/main/notebooks/{file.name})" in line and "--no-deps -e .." in line
    assert line.startswith("> ") and added.splitlines()[added.splitlines().index(line) + 1] == ""
    assert colab.with_line(added, file.name, REPOSITORY) == added
    assert colab.with_line(added, file.name, None) == colab.with_line(first, file.name, None)


def test_colab_gets_no_other_torch():
    names = {re.split(r"[>=]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert {re.split(r"[>=]", name)[0] for name in colab.MISSING} <= names - {"torch", "torchvision"}
    page = (ROOT / "docs/install.md").read_text()
    assert all(line in page for line in colab.installation().splitlines())


def test_codespaces_runs_the_set_up_and_opens_a_notebook():
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    target = settings["postCreateCommand"].removeprefix("make ")
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}: \$\(READY\)", makefile, re.M)
    version = settings["image"].rpartition(":")[2]
    assert tuple(map(int, version.split("."))) >= (3, 11)
    assert all((ROOT / file).exists() for file in settings["customizations"]["codespaces"]["openFiles"])
    assert ".venv/bin/python" in settings["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    (opened,) = re.findall(r"jupyter lab (\S+)", makefile)
    assert settings["customizations"]["codespaces"]["openFiles"] == [opened]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_the_moving_picture_shows_each_step_for_its_time(tmp_path, suffix):
    colours = ["red", "green", "blue", "white"]
    file = tmp_path / f"explorer{suffix}"
    moving_picture.save([Image.new("RGB", (40, 30), colour) for colour in colours], file)
    with Image.open(file) as picture:
        frames = [frame.convert("RGB").getpixel((20, 15)) for frame in ImageSequence.Iterator(picture)]
        assert picture.info["loop"] == 0
    expected = [Image.new("RGB", (1, 1), colour).getpixel((0, 0)) for colour in colours]
    assert all(max(abs(a - b) for a, b in zip(*pair, strict=True)) < 12 for pair in zip(frames, expected, strict=True))


def test_a_moving_picture_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(moving_picture, "MAX_BYTES", 10)
    with pytest.raises(RuntimeError, match="more than 10"):
        moving_picture.save(
            [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "red")], tmp_path / "a.webp"
        )


def test_an_excerpt_holds_a_section_without_its_subsections():
    inner = nodes.section("", nodes.title("", "Inner"), nodes.paragraph("", "deep words"), ids=["inner"])
    code = nodes.literal_block("code()", "code()")
    outer = nodes.section(
        "", nodes.title("", "Outer"), code, nodes.paragraph("", "own  words"), inner, ids=["outer", "o"]
    )
    page = nodes.container("", outer)
    assert sections(page) == [
        (["outer", "o"], "own words code()"),
        (["inner"], "deep words"),
    ]
