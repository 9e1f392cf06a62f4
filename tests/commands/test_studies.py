"""The commands that train: roadmap, study and train, also after an interrupt."""

import csv
import os
import signal
import subprocess
import sys

import pytest

from ablation.study.store import FILE, Store
from tests.commands.running import ablation, rows_of


def test_roadmap_trains_every_rung_once_and_study_ladder_writes_the_same_table(tmp_path, one_epoch, capsys):
    options = ("--data", "digits#320", "--out", tmp_path / "figures", "--store", tmp_path / "runs")
    arguments = ("roadmap", "--seeds", 1, *options)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "17 trials to train, 0 already done" in out and "17/17" in out
    assert "carry no evidence about large kernels" in out
    with (tmp_path / "figures" / "roadmap-digits-320.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 17 and all(float(row["accuracy"]) > 0 for row in rows)
    assert all(row["n"] == "1" and row["seeds"] == "0" and row["torch"] and row["device"] == "cpu" for row in rows)
    assert rows[0]["recipe"] != rows[1]["recipe"]
    assert (tmp_path / "figures" / "roadmap-digits-320.png").read_bytes().startswith(b"\x89PNG")
    numbers = (tmp_path / "figures" / "roadmap-digits-320.csv").read_bytes()
    (tmp_path / "figures" / "roadmap-digits-320.csv").unlink()
    code, _, _ = ablation("study", "ladder", *arguments[1:], capsys=capsys)
    assert code == 0 and (tmp_path / "figures" / "roadmap-digits-320.csv").read_bytes() == numbers
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 17 already done" in out
    assert (tmp_path / "figures" / "roadmap-digits-320.csv").read_bytes() == numbers


def test_train_then_evaluate_gives_the_same_accuracy(tmp_path, one_epoch, capsys):
    code, out, _ = ablation("train", "patchify_stem", "gelu", "--store", tmp_path, capsys=capsys)
    assert code == 0 and "epoch 1/1" in out
    trained = next(line for line in out.splitlines() if line.startswith("top-1")).split()[1]
    (weights,) = (tmp_path / "weights").glob("*.safetensors")
    code, out, _ = ablation("evaluate", "--weights", weights, capsys=capsys)
    assert code == 0 and f"top-1 {trained} %" in out


def test_a_study_runs_once_and_is_exported(tmp_path, one_epoch, capsys):
    store, figures = tmp_path / "runs", tmp_path / "figures"
    arguments = ("study", "one-at-a-time", "gelu", "depthwise", "--seeds", 2, "--store", store, "--out", figures)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "6 trials to train, 0 already done" in out and "6/6" in out
    points = {row["point"]: row for row in rows_of(figures / "study-one-at-a-time-digits-points.csv")}
    effects = rows_of(figures / "study-one-at-a-time-digits-one-at-a-time.csv")
    assert len(points) == 3 and {row["step"] for row in effects} == {"gelu", "depthwise"}
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 6 already done" in out
    code, out, _ = ablation("status", "--store", store, capsys=capsys)
    assert code == 0 and "6 done, 0 diverged, 0 failed, 0 missing; 0 not learning" in out and "no driver" in out
    code, out, _ = ablation("export", tmp_path / "all.csv", "--store", store, capsys=capsys)
    rows = rows_of(tmp_path / "all.csv")
    assert code == 0 and len(rows) == 6 and {row["status"] for row in rows} == {"done"}
    start = [float(row["accuracy"]) for row in rows if row["label"] == points["start"]["title"]]
    assert sum(start) / 2 == pytest.approx(float(points["start"]["accuracy_percent"]))


ONE_EPOCH = """
from ablation.cli import main
from tests.commands.conftest import shorten
shorten()
main()
"""


def test_an_interrupted_roadmap_keeps_finished_trials(tmp_path):
    options = ["--data", "digits#320", "--out", str(tmp_path / "figures"), "--store", str(tmp_path)]
    command = [sys.executable, "-c", ONE_EPOCH, "roadmap", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes) as job:
        while not job.stdout.readline().strip().startswith("1/51"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        _, error = job.communicate(timeout=300)
    assert job.returncode == 130 and "interrupted" in error and "Traceback" not in error
    with Store(tmp_path / FILE, readonly=True) as store:
        assert 1 <= len(store.outcomes()) <= 5
