"""The command: the jobs end to end, and every mistake as one message on one screen with exit code 2."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablation.cli import main
from tests.network.test_weights import Malice


def ablation(*arguments, capsys):
    """Run the command in this process: (exit code, standard output, standard error)."""
    argv, sys.argv = sys.argv, ["ablation", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
            raise SystemExit(0)
    finally:
        sys.argv = argv
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_profile_prints_both_ladders_and_the_two_rows_that_disagree(capsys):
    code, out, _ = ablation("profile", capsys=capsys)
    assert code == 0
    for exact in ("25,557,032", "4,089,184,256", "28,582,504", "4,455,531,264", "88,573,416", "15,354,729,472"):
        assert exact in out
    assert out.count("4.46 (!)") == 1 and out.count("4.49 (!)") == 1 and out.count("(!)") == 4
    assert "(!) BN to LN: the paper prints 4.46, we count 4.15" in out
    assert "(!) separate downsampling: the paper prints 4.49, we count 4.46" in out


def test_profile_of_a_road_of_one_s_own(capsys):
    code, out, _ = ablation("profile", "depthwise", "kernel_size=7", "--size", "64", capsys=capsys)
    assert code == 0 and "kernel size 7" in out and "paper" not in out


def test_help_and_version_need_no_torch():
    program = (
        "import sys; sys.argv = ['ablation', *sys.argv[1:]]\nfrom ablation.cli import main\ntry:\n main()\nfinally:\n"
    )
    program += (
        " heavy = {'torch', 'timm', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n assert not heavy, heavy"
    )
    for option in ("--help", "--version", "profile"):
        done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout


FOLDER_THAT_IS_A_FILE = "a file, not a folder"
BAD_INPUT = [
    (["profile", "gleu"], "did you mean 'gelu'"),
    (["profile", "kernel_size=4"], "kernel_size 4 is even"),
    (["profile", "kernel_size=-3"], "kernel_size -3"),
    (["profile", "stage_ratio=3,3,9"], "must have 4 entries"),
    (["profile", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["profile", "gelu", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["profile", "--size", "16"], "smallest that works is 32 px"),
    (["profile", "strided_downsampling", "--size", "20"], "smallest that works is 29 px"),
    (["profile", "--size", "large"], "Invalid value for '--size'"),
    (["roadmap", "--data", "digist"], "did you mean 'digits'"),
    (["roadmap", "--data", "imagefolder:/nowhere"], "has no folder"),
    (["roadmap", "--recipe", "mirco"], "did you mean 'micro'"),
    (["roadmap", "--recipe", "paper"], "smallest that works is 32 px"),
    (["roadmap", "--seeds", "-1"], "seeds -1 must be 1 or more"),
    (["roadmap", "--seeds", "0"], "seeds 0 must be 1 or more"),
    (["roadmap", "--workers", "0"], "workers 0 must be 1 or more"),
    (["roadmap", "--start", "resnet20"], "did you mean 'resnet200'"),
    (["roadmap", "--out", FOLDER_THAT_IS_A_FILE], "cannot write to the folder"),
    (["roadmap", "--out", "/proc/figures"], "cannot write to the folder"),
    (["roadmap", "--store", FOLDER_THAT_IS_A_FILE], "cannot write to the folder"),
    (["train", "gelu", "--seed", "-2"], "seed -2 must be a whole number, 0 or more"),
    (["train", "--rung", "depthwize"], "did you mean 'depthwise'"),
    (["train", "gelu", "--rung", "gelu"], "not both"),
    (["train", "kernel_size=6"], "kernel_size 6 is even"),
    (["train", "--precision", "fp8"], "precision 'fp8'"),
    (["evaluate", "missing.safetensors"], "there is no weights file"),
    (["evaluate", "cut.safetensors"], "not a whole weights file"),
    (["evaluate", "foreign.pth"], "not written by ablation"),
    (["evaluate", "poison.pth"], "was refused"),
    (["prfile"], "No such command 'prfile'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=[" ".join(arguments) for arguments, _ in BAD_INPUT])
def test_bad_input_is_one_clear_message_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(FOLDER_THAT_IS_A_FILE).touch()
    Path("cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"w": torch.zeros(1)}, "foreign.pth")
    torch.save({"w": Malice("executed")}, "poison.pth")
    before = sorted(tmp_path.iterdir())
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2
    assert message in error
    assert "Traceback" not in error and len(error.splitlines()) < 12
    assert not Path("executed").exists()
    made = [path for path in tmp_path.iterdir() if path not in before and any(path.iterdir())]
    assert not made, "nothing was done before the mistake was found"


@pytest.fixture
def quick(monkeypatch):
    """The micro family at one epoch, for this process and, by the environment, for none other."""
    from ablation.study import recipe

    pair = recipe.FAMILIES["micro"]
    short = recipe.Family(
        pair.original.replace(epochs=1),
        pair.modern.replace(epochs=1, warmup_epochs=0),
        pair.width_divisor,
        pair.stem_stride,
    )
    monkeypatch.setitem(recipe.FAMILIES, "micro", short)


def test_roadmap_trains_every_rung_once_and_writes_figure_and_numbers(tmp_path, quick, capsys):
    arguments = ("roadmap", "--seeds", 1, "--out", tmp_path / "figures", "--store", tmp_path / "runs")
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "17 trials to train, 0 done before" in out and "17/17" in out
    assert "carry no evidence about large kernels" in out
    with (tmp_path / "figures" / "roadmap-digits.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 17 and all(float(row["accuracy"]) > 5 for row in rows)
    assert all(row["n"] == "1" and row["seeds"] == "0" and row["torch"] and row["device"] == "cpu" for row in rows)
    assert rows[0]["recipe"] != rows[1]["recipe"]
    assert (tmp_path / "figures" / "roadmap-digits.png").read_bytes().startswith(b"\x89PNG")
    numbers = (tmp_path / "figures" / "roadmap-digits.csv").read_bytes()
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 17 done before" in out
    assert (tmp_path / "figures" / "roadmap-digits.csv").read_bytes() == numbers


def test_train_then_evaluate_gives_the_same_accuracy(tmp_path, quick, capsys):
    code, out, _ = ablation("train", "patchify_stem", "gelu", "--store", tmp_path, capsys=capsys)
    assert code == 0 and "epoch 1/1" in out
    trained = next(line for line in out.splitlines() if line.startswith("top-1")).split()[1]
    (weights,) = (tmp_path / "weights").glob("*.safetensors")
    code, out, _ = ablation("evaluate", weights, capsys=capsys)
    assert code == 0 and out.split()[1] == trained


def test_an_interrupted_roadmap_keeps_what_had_ended(tmp_path):
    import signal

    command = [
        sys.executable,
        "-m",
        "ablation",
        "roadmap",
        "--out",
        str(tmp_path / "figures"),
        "--store",
        str(tmp_path),
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes) as job:
        while not job.stdout.readline().strip().startswith("1/51"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGINT)  # as a terminal does
        _, error = job.communicate(timeout=60)
    assert job.returncode == 130 and "interrupted" in error and "Traceback" not in error
    from ablation.study.ladder import ladder_trials
    from ablation.study.study import Study

    assert 1 <= len(Study(ladder_trials("micro", "digits", range(3)), tmp_path).outcomes()) <= 3
