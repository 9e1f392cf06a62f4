"""What commands print on a terminal of 80 columns: no line is longer, nothing is cut, and short numbers are those of the long."""

import dataclasses
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from ablation import Study
from ablation.commands import compare_rates, compare_row_rates, progress, run_grid, run_roadmap, run_study
from ablation.show.fitting import FittedTable, short_number
from ablation.study.engines import Event
from tests.commands.running import ablation
from tests.study.samples import TRIALS, outcome

CIFAR = Path(__file__).parents[2] / "figures" / "roadmap-cifar10-10k-trials.csv"
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?: [kMG]\b)?")
UNITS = {"k": 1e3, "M": 1e6, "G": 1e9}
STEPS = ("patchify_stem", "depthwise", "widen", "inverted_bottleneck", "strided_downsampling")
COMMANDS = [
    ("profile",),
    ("profile", "--start", "resnet200", "patchify_stem", "depthwise", "kernel_size=7"),
    ("roadmap", "--label", "digits of a label that is long enough to need another line"),
    ("study", "leave-one-out", "--seeds", 1),
    ("study", "one-at-a-time", *STEPS, "--seeds", 2),
    ("study", "factorial", *STEPS[:3], "--seeds", 2),
    ("study", "orderings", *STEPS[1:], "--count", 2, "--seeds", 2),
    ("study", "grid", "depthwise+widen", "layer_norm", "--images", "100,200,all", "--epochs", "10,30", "--seeds", 1),
    ("rates", "--data", "digits#500+100"),
    ("rates", "--every-row", "--data", "digits#500+100"),
    ("status",),
    ("import", CIFAR.name, "--store", "imported"),
    ("power", "--store", "imported"),
    ("status", "--store", "imported"),
    ("export", "all.csv", "--store", "imported"),
]


def without_training(trials, directory, workers=None):
    """Engine whose outcomes differ by some points; one of each seven diverges."""
    for i, trial in enumerate(trials):
        status = "diverged" if i % 7 == 6 else "done"
        ended = outcome(None if status == "diverged" else round(10 + (i * 37 % 89) + i % 3 / 3, 2), status)
        yield Event(trial, "started", 1)
        yield Event(trial, "ended", 1, outcome=dataclasses.replace(ended, seconds=1.0))


@pytest.fixture(scope="module")
def seen():
    """Tables that the commands printed, by title."""
    return {}


@pytest.fixture
def terminal(seen, monkeypatch, capsys):
    """Run commands in one folder, with outcomes that are invented, on a terminal of 80 columns."""
    for module in (compare_rates, compare_row_rates, run_grid, run_roadmap, run_study):
        monkeypatch.setattr(module, "Study", lambda labels, store, *_, **__: Study(labels, store, without_training))
    for plot in (
        "plots.plot_roadmap",
        "grid_plots.plot_grid",
        "rate_plots.plot_rates",
        "row_rate_plots.plot_row_rates",
    ):
        monkeypatch.setattr(f"ablation.show.{plot}", lambda *_: None)  # a second each
    monkeypatch.setattr("ablation.show.picture.png", lambda figure: b"drawn")
    show = FittedTable.__rich_console__
    monkeypatch.setattr(
        FittedTable, "__rich_console__", lambda table, *a: seen.setdefault(table._title, table) and show(table, *a)
    )
    for name, value in {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)

    def run(*words):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        code, out, error = ablation(*words, capsys=capsys)
        assert code == 0, error
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out).replace("\r", "\n")

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studies")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(str, words))[:40])
def test_no_line_is_longer_than_the_terminal(words, terminal, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if CIFAR.name in words:
        (folder / CIFAR.name).write_bytes(CIFAR.read_bytes())
    lines = terminal(*words).splitlines()
    assert lines and not [line for line in lines if len(line.rstrip()) > 80 or "…" in line]


def test_tables_of_many_lines_are_seen(seen):
    assert len(seen) > 20


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_every_table_fits_any_terminal(columns, seen):
    for table in [*seen.values(), *measured_tables()]:
        console = Console(file=io.StringIO(), width=columns, markup=False, emoji=False)
        console.print(table)
        lines = console.file.getvalue().splitlines()
        assert lines and not [line for line in lines if len(line.rstrip()) > columns or "…" in line]


def test_every_short_number_is_that_of_the_long_one(seen):
    shortened = 0
    for table in [*seen.values(), *measured_tables()]:
        wide, *narrow, _ = table.forms
        full = cells(wide)
        for form in narrow:
            for row, long_row in zip(cells(form.renderables[0]), full, strict=True):
                known = NUMBER.findall(long_row)
                for number in NUMBER.findall(row):
                    assert number in known or any(rounds(other, number) for other in known), (number, long_row)
                    shortened += number not in known
    assert shortened > 100


def cells(table):
    """Return the text of each row."""
    columns = [[" ".join(str(cell).split()) for cell in column.cells] for column in table.columns]
    return [" | ".join(row) for row in zip(*columns, strict=True)]


def value_of(number):
    digits, _, unit = number.replace(",", "").partition(" ")
    return float(digits) * UNITS.get(unit, 1), UNITS.get(unit, 1) * 10.0 ** -len(digits.partition(".")[2])


def rounds(number, short):
    """Return whether a number that is rounded to the digits of another one is that."""
    value, step = value_of(short)
    return abs(value_of(number)[0] - value) <= 0.5000001 * step


def measured_tables():
    """Return the tables of what is measured, from invented measurements."""
    from ablation.commands import attribute_tables, layer_table, profile_reconcile, profile_timing
    from ablation.measure.layer_fields import LayerField
    from ablation.measure.reconcile import Reconciled, Reconciliation

    timings = {"seconds": 0.4, "low": 0.3, "high": 0.5, "batch": 8, "roofline_share": 0.41, "peak_bytes": 1.2e9}
    timings |= {"title": "stage ratio, increase width", "macs": 15_007_481_856, "images_per_second": 123.4}
    timed = pd.DataFrame([{**timings, "training_bytes_estimated": 2.1e10}])
    kind = "depthwise Conv2d 7x7, stride 2"
    layers = [
        LayerField(f"stages.{i}.blocks.12.token_mixer.conv_dw", kind, 1136, 944, 224, 224, False) for i in range(2)
    ]
    printed = []
    layer_table.print_layers(layers, SimpleNamespace(print=lambda table, **_: printed.append(table)))
    amounts = {"norms": 2_505_664_000, "pooling": 4_704, "activations": -1_172_864_000}
    rows = [
        Reconciled("paper", "MACs", 15_007_481_856, {}, ""),
        Reconciled("torch", "FLOPs", 16_340_286_560, amounts, ""),
    ]
    rows.append(Reconciled("ptflops modules", "MACs", None, {}, ""))
    scores = {"method": ["integrated_gradients"] * 2, "insertion_area": [0.5, 0.25], "deletion_area": [0.1, 0.2]}
    return [
        *printed,
        profile_timing._timing_table(timed, "resnet50, 224 px, batch 8, forward, channels-last, fp32"),
        profile_reconcile.reconciliation_table("resnet200, 224 px", Reconciliation(tuple(rows), (224, 224))),
        attribute_tables.score_table(pd.DataFrame({**scores, "completeness_gap": [0.01, None]}), "a network"),
    ]


SHORT = {
    0: "0",
    999: "999",
    1000: "1.00 k",
    9995: "10.0 k",
    999_499: "999 k",
    999_500: "1.00 M",
    15_007_481_856: "15.0 G",
}


@pytest.mark.parametrize(("number", "short"), [*SHORT.items(), (10**12, "1,000 G")])
def test_short_numbers(number, short):
    assert short_number(number) == short and rounds(str(number), short)
    assert number == 0 or short_number(-number) == f"-{short}"


def test_running_trials_fit():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    label = "depthwise conv and increase width, 10,000 images, 300 epochs"
    shown = progress.StudyProgress(1000, lambda trial: label, lambda trial: 100, console, now=lambda: 0.0)
    for seed in range(3):
        shown.on_event(Event(TRIALS[seed], "epoch", 1, 123, 300, 2.3456))
    console.print(shown)
    text = console.file.getvalue()
    assert text.count("123/300") == text.count("2.3456") == 3 and "0/1000" in text
    assert not [line for line in text.splitlines() if len(line.rstrip()) > 80 or "…" in line]
