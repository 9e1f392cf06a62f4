"""The presence table: which steps each network takes, and its accuracy."""

import io

import numpy as np
import pandas as pd
import pytest

from ablation import AblationError
from ablation.design.roadmap import roadmap
from ablation.evidence.intervals import mean_interval
from ablation.evidence.presence import presence, steps_of_rungs
from ablation.show.table_files import format_table
from tests.evidence.synthetic import FACTORIAL, STEPS, noisy, synthetic


def test_a_factorial_has_every_subset_of_its_steps():
    accuracies = synthetic(FACTORIAL, noisy)
    table = presence({point.name: point.steps for point in FACTORIAL}, accuracies)
    assert list(table.columns) == ["network", *STEPS, "accuracy_percent", "half_points", "n"]
    assert len({tuple(row) for row in table[list(STEPS)].to_numpy()}) == 16
    for row, point in zip(table.to_dict("records"), FACTORIAL, strict=True):
        assert {step for step in STEPS if row[step]} == set(point.steps)
        found = mean_interval(list(accuracies[point.name].values()))
        assert (row["accuracy_percent"], row["half_points"], row["n"]) == pytest.approx((found.mean, found.half, 3))


def test_a_ladder_keeps_its_steps_and_leaves_side_branches():
    rungs = roadmap()
    taken = steps_of_rungs(rungs)
    assert taken["original_recipe"] == () and taken["kernel_size_9"] == (*taken["move_up_depthwise"], "kernel_size_9")
    assert len(taken["strided_downsampling"]) == sum(rung.adopted for rung in rungs) - 1
    assert "kernel_size_7" in taken["gelu"] and "kernel_size_9" not in taken["gelu"]
    table = presence(taken, {"gelu": {0: 80.0}}).set_index("network")
    assert table.loc["gelu", "accuracy_percent"] == 80 and np.isnan(table.loc["gelu", "half_points"])
    assert table["n"].sum() == 1 and np.isnan(table.loc["widen", "accuracy_percent"])


TABLE = presence({"start": [], "a|b": ["kernel_size=7"]}, {"start": {0: 70.0, 1: 71.0}, "a|b": {0: 71.234}})


def test_csv_keeps_every_digit():
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(format_table(TABLE, "csv"))), TABLE)


def test_markdown_has_a_cell_for_each_value():
    lines = [[cell.strip() for cell in line.split(" | ")] for line in format_table(TABLE, "md").splitlines()]
    assert lines[0] == ["| network", "kernel_size=7", "accuracy_percent", "half_points", "n |"]
    assert lines[2] == ["| start", "", "70.50", "6.35", "2 |"]
    assert lines[3] == [r"| a\|b", "•", "71.23", "", "1 |"]


def test_latex_escapes_what_it_would_read_as_commands():
    lines = format_table(TABLE, "tex").splitlines()
    assert lines[0] == r"\begin{tabular}{lcrrr}" and lines[-1] == r"\end{tabular}"
    assert r"network & kernel\_size=7 & accuracy\_percent & half\_points & n \\" in lines
    assert r"start &  & 70.50 & 6.35 & 2 \\" in lines and r"a|b & $\bullet$ & 71.23 &  & 1 \\" in lines


def test_an_unknown_format_is_an_error():
    with pytest.raises(AblationError, match="unknown table format 'latex'"):
        format_table(TABLE, "latex")
