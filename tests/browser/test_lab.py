"""JupyterLab as started in the README: it opens, runs the roadmap to the end, and sends no request to another machine."""

import json
import re
import secrets
import shutil
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from ablation.show.explorer.state import SWITCHES
from docs.gather import jupyter_anchor

ROOT = Path(__file__).parents[2]
NOTEBOOK = "01_roadmap.ipynb"
OPEN_TIMEOUT_S, RUN_TIMEOUT_S = 60, 300  # on two idle cores: 5 s and 30 s

# JupyterLab asks for permission to fetch news from its site. These settings answer the question.
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copy notebooks and figures; the roadmap has no outputs, so that all outputs in the test are new."""
    top = tmp_path_factory.mktemp("lab")
    ignored = shutil.ignore_patterns("runs*", ".*", "__pycache__", "predictions.json")
    shutil.copytree(ROOT / "notebooks", top / "notebooks", ignore=ignored)
    shutil.copytree(ROOT / "figures", top / "figures")
    notebook = nbformat.read(top / "notebooks" / NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, top / "notebooks" / NOTEBOOK)
    return top


@pytest.fixture(scope="module")
def lab(serve, folder, tmp_path_factory):
    """Start JupyterLab on the copy and return its address with the token."""
    settings = tmp_path_factory.mktemp("settings")
    for name, values in LAB_SETTINGS.items():
        (settings / name).parent.mkdir(parents=True)
        (settings / name).write_text(json.dumps(values))
    token = secrets.token_hex()
    command = ["jupyter", "lab", "notebooks", "--no-browser", "--allow-root", f"--IdentityProvider.token={token}"]
    port = ["--ServerApp.ip=127.0.0.1", "--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    variables = {"JUPYTERLAB_LAB_SETTINGS_DIR": str(settings)}
    address = serve([*command, *port], path="/api", folder=folder, variables=variables)
    return f"{address}/lab?token={token}"


def open_notebook(lab, page, name=NOTEBOOK):
    """Open a notebook with a double click in the list of files, and return its panel."""
    page.goto(f"{lab}&reset")  # without the notebooks that an earlier page left open, whose widgets have no kernel here
    page.locator(".jp-DirListing-item", has_text=name).dblclick(timeout=OPEN_TIMEOUT_S * 1000)
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def run_all(page):
    page.get_by_text(re.compile(r"Python 3.*\| Idle")).wait_for(timeout=OPEN_TIMEOUT_S * 1000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def own_notebook(lab, folder, page, name, *sources):
    """Write and open a notebook with these cells, and return the first one, which has the focus, and the notebook's panel."""
    own = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    own.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(own, folder / "notebooks" / name)
    notebook = open_notebook(lab, page, name)
    code = notebook.locator(".jp-CodeCell")
    expect(code).to_have_count(len(sources))
    code.first.locator(".cm-content").click()
    page.get_by_text(re.compile(r"Python 3.*\| Idle")).wait_for(timeout=OPEN_TIMEOUT_S * 1000)
    return code.first, notebook


def test_lab_opens_and_runs_the_roadmap(lab, folder, page):
    notebook = open_notebook(lab, page)
    prompts = notebook.locator(".jp-CodeCell .jp-InputPrompt")
    expect(notebook.locator(".jp-OutputArea-output")).to_have_count(0)
    run_all(page)
    expect(prompts.first).not_to_have_text("[ ]:")
    finished = prompts.last.filter(has_text=re.compile(r"\[\d+\]:"))
    errors = notebook.locator("[data-mime-type$='jupyter.stderr']")  # JupyterLab shows tracebacks as stderr, too
    finished.or_(errors).first.wait_for(state="attached", timeout=RUN_TIMEOUT_S * 1000)
    assert errors.all_text_contents() == []
    picture = notebook.locator(".jp-OutputArea-output img").last
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.naturalWidth") > 300
    expect(notebook.locator(".jp-OutputArea-output table").last).to_contain_text("separate downsampling")

    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    saved = nbformat.read(folder / "notebooks" / NOTEBOOK, as_version=4)
    code = [cell for cell in saved.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)


def test_headings_have_the_anchors_that_links_between_notebooks_use(lab, page):
    headings = open_notebook(lab, page).locator("h1, h2, h3")
    headings.nth(3).wait_for()
    found = headings.evaluate_all("all => all.map(one => [one.textContent, one.dataset.jupyterId || one.id])")
    assert [anchor for _, anchor in found] == [jupyter_anchor(title.removesuffix("¶")) for title, _ in found]


def test_a_prediction_is_made_with_the_keyboard_locked_revealed_and_scored(lab, folder, page):
    cells = [
        'from ablation.course import predictions\n\npredict, reveal, scores = predictions("05")\n'
        'predict("slope", ["positive", "zero", "negative"])\npredict("share", numbers=(0, 100), within=2, unit="%")',
        'reveal("slope", "negative")\nreveal("share", 47)\nscores()',
    ]
    first, notebook = own_notebook(lab, folder, page, "own.ipynb", *cells)
    second = notebook.locator(".jp-CodeCell").last
    page.keyboard.press("Control+Enter")
    slope, share = first.locator(".guess-row").first, first.locator(".guess-row").last
    slope.get_by_role("button", name="positive").focus()
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(slope.locator(".ax-live")).to_have_attribute("role", "status")
    expect(slope.locator(".ax-live")).to_contain_text("Locked")
    expect(slope.get_by_role("button", name="positive")).to_be_disabled()
    expect(slope.get_by_role("button", name="negative")).to_be_focused()
    share.get_by_role("slider").focus()
    for key in ("ArrowLeft", "Tab", "Tab", "Enter"):  # from 50 to 49, past the number, to the button
        page.keyboard.press(key)
    expect(share.get_by_role("button", name="Locked")).to_be_visible()
    second.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(slope.locator(".ax-live")).to_contain_text("slope: negative (your guess: negative, right)")
    expect(share.locator(".ax-live")).to_contain_text("share: 47 % (your guess: 49 %, right)")
    expect(second).to_contain_text("Notebook 05: 2 of 2 guesses right")
    kept = json.loads((folder / "notebooks" / "predictions.json").read_text())["05"]
    assert {name: entry["guess"] for name, entry in kept.items()} == {"slope": "negative", "share": 49}


def test_a_slider_changes_the_sentence_and_the_figure(lab, folder, page):
    source = (
        "from ablation.course import interact\nfrom ablation.show.sampling import plot_sampling\n\n"
        "def sampled(frequency=0.4):\n    return plot_sampling(frequency, 0), f'{frequency:g} cycles'\n\n"
        "interact(sampled, frequency=(0.3, 0.4, 0.5))"
    )
    cell, _ = own_notebook(lab, folder, page, "sliders.ipynb", source)
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".ax-live")).to_contain_text("0.4 cycles")
    expect(cell.locator(".ax-live")).to_have_attribute("role", "status")
    before = cell.locator(".play img").get_attribute("src")
    cell.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(cell.locator(".ax-live")).to_contain_text("0.5 cycles")
    picture = cell.get_by_role("img", name="0.5 cycles")
    expect(picture).to_be_visible()
    assert picture.get_attribute("src") != before and picture.evaluate("image => image.width") > 700


def test_the_explorer_answers_in_lab(lab, page):
    """Last, as its notebook stays open in the workspace."""
    notebook = open_notebook(lab, page, "explorer.ipynb")
    run_all(page)
    notebook.get_by_role("button", name="Take the next step: stage ratio", exact=True).click()
    change = notebook.locator(".ax-macs .ax-change")
    expect(change).to_have_text("4.09 \N{RIGHTWARDS ARROW} 4.53 G (+11 %)")
    notebook.get_by_label(SWITCHES[1].label, exact=True).check()
    expect(notebook.locator(".ax-story h2")).to_have_text("Patchify stem")
    expect(notebook.locator(".ax-live")).to_have_attribute("role", "status")
