"""Any text can be printed and any system error told: markup, encodings, full or closed outputs, missing weights."""

import dataclasses
import os
import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablation.commands import door
from ablation.commands.console import make_console, write_figure
from ablation.data import load
from ablation.design.trial import Outcome
from ablation.errors import AblationError
from ablation.show.tables import text_table
from ablation.study.ladder import ladder_trials
from ablation.study.store import FILE, Store
from tests.commands.running import ablation

AWKWARD = "fg[/red] [bold]:smile: \udcff ±"


def run_profile(**options):
    return subprocess.run([sys.executable, "-m", "ablation", "profile"], timeout=60, check=False, **options)


def test_paths_and_titles_are_printed_as_text(tmp_path, capfd):
    door.run_command(lambda: make_console().print(f"wrote {AWKWARD}", soft_wrap=True))
    shown = AWKWARD.replace("\udcff", "?")
    assert capfd.readouterr().out == f"wrote {shown}\n"
    table = pd.DataFrame({"a [/b] column": ["[/red] cell"]})
    console = make_console()
    console.print(text_table("[/red] title", table))
    write_figure(tmp_path / "fg[" / "red] stem", Figure(), table, console)
    out = capfd.readouterr().out
    assert all(
        text in out for text in ("[/red] title", "a [/b] column", "[/red] cell", f"wrote {tmp_path}/fg[/red] stem.png")
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_terminal_without_the_characters_gets_others(variables):
    done = run_profile(env={**os.environ, **variables}, capture_output=True)
    assert done.returncode == 0 and b"MACs" in done.stdout and not done.stderr, done.stderr


def test_a_full_or_closed_output_is_no_traceback():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = run_profile(stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, b"ablation: cannot write the output: No space left on device\n")
    command = [sys.executable, "-m", "ablation", "profile"]
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, timeout=60)
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AblationError("bad [/input]"), "ablation: bad [/input]\n"),
        (PermissionError(13, "Permission denied", "file[/b]"), "ablation: cannot use file[/b]: Permission denied\n"),
        (
            OSError(36, "File name too long", b"bytes"),
            "ablation: cannot use bytes: File name too long\n",
        ),
        (MemoryError("tensor"), "ablation: not enough memory: tensor\n"),
    ],
)
def test_each_error_of_the_system_is_one_message(error, message, capfd):
    def command():
        raise error

    with pytest.raises(SystemExit) as ended:
        door.run_command(command)
    assert ended.value.code == 2 and capfd.readouterr().err == message


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("evaluate", "--weights"), "no access/w"),
        (("import",), "no access/w"),
        (("status", "--store"), "no access/w"),
        (("export", "out.csv", "--store"), "no access/w"),
        (("attribute", "--weights", "no access/w"), "no access/x.png"),
        (("see", "--images"), "no access/images"),
        (("train", "--data"), "imagefolder:no access/data"),
        (("roadmap", "--store"), "no access/store"),
        (("roadmap", "--out"), "no access/out"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_path_that_may_not_be_used_is_one_message(arguments, name, tmp_path, monkeypatch, capsys):
    """A name too long stands for a folder without access, which root would have."""
    monkeypatch.chdir(tmp_path)
    long = "a" * 300
    code, _, error = ablation(*[str(part).replace("no access", long) for part in (*arguments, name)], capsys=capsys)
    assert code == 2 and error.startswith("ablation: ") and len(error.splitlines()) == 1, error
    assert "File name too long" in error or "there is no" in error or "has no folder" in error


def test_attribute_tells_how_to_get_weights_that_a_store_lacks(tmp_path, capsys):
    trial, checksum = next(iter(ladder_trials("micro", "digits", [0]))), load("digits").checksum
    outcome = Outcome("done", 90.0, 0.5, (1.0,), 355, 1000, 3.0, 100.0, {})
    for folder, status, remedy in (
        ("done", "done", f"--store {tmp_path / 'done-weights'}`"),
        ("bad", "diverged", "its training diverged"),
        ("new", "failed", f"--store {tmp_path / 'new'}` first"),
    ):
        (tmp_path / folder).mkdir()
        with Store(tmp_path / folder / FILE) as store:
            store.plan({trial.key(checksum): trial}, {"digits": checksum}, {})
            store.put(trial.key(checksum), dataclasses.replace(outcome, status=status), 1)
        code, _, error = ablation("attribute", "--store", tmp_path / folder, capsys=capsys)
        assert code == 2 and remedy in error, error
