"""`ablation study grid`: trained once, resumed and exported, with its numbers beside its picture; invalid input."""

import pytest
from PIL import Image

from ablation import Study, run
from ablation.commands import run_grid as grids
from ablation.commands import study_choice
from ablation.commands.grid_axes import GridAxes, parse_axes
from ablation.commands.options import StudyOptions
from ablation.design.recipe_changes import RecipeChanges
from ablation.errors import AblationError
from ablation.study.engines import Event
from tests.commands.running import ablation, rows_of
from tests.study.samples import outcome


def use_engine(monkeypatch, engine):
    monkeypatch.setattr(grids, "Study", lambda labels, store, *_, **__: Study(labels, store, engine))


def in_this_process(trials, directory, workers=None):
    """Engine that trains here, as starting workers takes longer than the training."""
    for trial in trials:
        yield Event(trial, "ended", outcome=run(trial, directory))


def without_training(trials, directory, workers=None):
    """Engine whose accuracies rise by the place of the trial; the second row of each cell is 5 points above the first."""
    for i, trial in enumerate(trials):
        yield Event(trial, "ended", outcome=outcome(60.0 + 5 * (i % 2) + 0.1 * (i % 7)))


def test_a_grid_is_trained_once_and_exported(tmp_path, one_epoch, monkeypatch, capsys):
    use_engine(monkeypatch, in_this_process)
    store = tmp_path / "runs"
    arguments = (
        "study",
        "grid",
        "patchify_stem",
        "--images",
        "130,70",
        "--seeds",
        1,
        "--store",
        store,
        "--out",
        tmp_path,
    )
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "4 trials to train, 0 already done" in out and "4/4" in out
    assert "no verdicts: they need 3 seeds" in out and "carry no evidence about large kernels" in out
    file = tmp_path / "study-grid-digits-images-70-130.csv"
    numbers, rows = file.read_bytes(), rows_of(file)
    places = [(row["step"], row["images"], row["size"], row["epochs"], row["n"]) for row in rows]
    assert places == [("patchify_stem", "70", "8", "1", "1"), ("patchify_stem", "130", "8", "1", "1")]
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 4 already done" in out and file.read_bytes() == numbers
    code, out, _ = ablation("status", "--store", store, capsys=capsys)
    assert code == 0 and "4 done, 0 diverged, 0 failed, 0 missing" in out
    code, _, _ = ablation("export", tmp_path / "all.csv", "--store", store, capsys=capsys)
    trials = {(row["label"], row["data"]): float(row["accuracy"]) for row in rows_of(tmp_path / "all.csv")}
    for row in rows:
        for side, title in (("after", "patchify stem"), ("before", "stage ratio")):
            label = f"{title}, {row['images']} images", f"digits#{row['images']}"
            assert float(row[f"accuracy_{side}"]) == pytest.approx(trials[label])
        assert float(row["difference"]) == pytest.approx(float(row["accuracy_after"]) - float(row["accuracy_before"]))
        assert (
            row["torch"] and row["device"] == "cpu" and row["recipe"] == "micro-modern" and float(row["init_gain"]) > 0
        )


def test_a_grid_of_epochs_prints_and_writes_each_contrast_with_its_verdict(tmp_path, monkeypatch, capsys):
    use_engine(monkeypatch, without_training)
    changes = RecipeChanges(batch_size=32)
    options = StudyOptions(
        "digits#320", "micro", 3, label="small digits", out=tmp_path, store=tmp_path / "runs", changes=changes
    )
    grids.run_grid(["fewer_activations"], GridAxes(epochs=(3, 18)), options)
    out = capsys.readouterr().out
    assert "recipe micro-modern, 18 epochs: warmup_epochs is 2 instead of 1, in proportion to the epochs" in out
    rows = rows_of(tmp_path / "study-grid-digits-320-batch-size-32-epochs-3-18.csv")
    assert [(row["images"], row["epochs"], row["verdict"]) for row in rows] == [
        ("320", "3", "agrees"),
        ("320", "18", "agrees"),
    ]
    assert {(row["data"], row["recipe_changes"], row["seconds"]) for row in rows} == {
        ("small digits", "batch_size 32", "36.0")
    }
    for row in rows:
        line = next(line for line in out.splitlines() if f" {row['epochs']} " in line and "agrees" in line)
        assert float(row["difference"]) > 4 and float(row["accuracy_after"]) > float(row["accuracy_before"])
        assert f"{float(row['difference']):+.1f} ± {float(row['difference_half']):.1f}" in line


def test_epochs_of_other_designs_are_one_number(tmp_path, monkeypatch, capsys):
    options, started = ("--store", tmp_path, "--out", tmp_path), []
    monkeypatch.setattr(study_choice, "run_study", lambda *arguments: started.append(arguments))
    for given in ((), ("--epochs", 3)):
        assert ablation("study", "factorial", "gelu", *given, "--batch-size", 32, *options, capsys=capsys)[0] == 0
    assert [str(arguments[-1].changes) for arguments in started] == ["batch_size 32", "epochs 3, batch_size 32"]
    monkeypatch.undo()
    code, _, error = ablation("study", "factorial", "gelu", "--epochs", "1,2", *options, capsys=capsys)
    assert code == 2 and "--epochs 1,2: several numbers of epochs are for the design grid; give one" in error
    code, _, error = ablation("study", "factorial", "gelu", "--epochs", "0", *options, capsys=capsys)
    assert code == 2 and "epochs 0 must be 1 or more" in error


@pytest.mark.parametrize(
    ("given", "axes"),
    [
        ((None, None, None), GridAxes()),
        (("1000,all, 300", None, "10"), GridAxes(images=(300, 1000, None), epochs=(10,))),
        (("all", "64,32", None), GridAxes(images=(None,), sizes=(32, 64))),
    ],
)
def test_axes_are_in_ascending_order(given, axes):
    assert parse_axes(*given) == axes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("1k", None, None), "--images '1k' must be whole numbers separated by commas, such as 1000,10000"),
        (("", None, None), "--images '' must be whole numbers"),
        (("100,,200", None, None), "must be whole numbers"),
        (("0", None, None), "--images: images 0 must be 1 or more"),
        (("all,all", None, None), "--images: all is given twice"),
        ((None, "32,32", None), "--sizes: 32 is given twice"),
        ((None, "70000", None), "--sizes: sizes 70000 must be 65,536 or less"),
        ((None, None, "1.5"), "--epochs '1.5' must be whole numbers"),
        ((None, None, "9" * 5000), "must be whole numbers"),
    ],
)
def test_axes_that_are_no_numbers_are_refused(given, message):
    with pytest.raises(AblationError, match=message):
        parse_axes(*given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("grid", "layer_nrom"), "unknown step 'layer_nrom'; did you mean 'layer_norm'?"),
        (("grid", "widen+depthwise"), "Possible: depthwise+widen"),
        (("grid", "gelu", "--sizes", "8,16"), "--sizes: the images of digits have a fixed size of 8 px"),
        (("grid", "gelu", "--images", "100,5000"), "digits#5000: #5000 needs 500 images of class 0, which has 143"),
        (("grid", "gelu", "--images", "105"), "#105 does not divide evenly into 10 classes"),
        (("grid", "gelu", "--images", "20,100"), "larger than the 20 training images of digits#20"),
        (
            ("grid", "gelu", "--data", "digits#320", "--images", "100"),
            "digits#320 has a number of training images already",
        ),
        (("grid", "gelu", "--count", "3"), "--count is for the design orderings"),
        (
            ("grid", "gelu", "--data", "imagefolder:set", "--recipe", "small32", "--sizes", "32,64"),
            "must have its size of 64",
        ),
        (("factorial", "gelu", "--images", "100"), "--images is for the design grid"),
        (("gird", "gelu"), "unknown design 'gird'; did you mean 'grid'?"),
    ],
)
def test_invalid_grids_are_refused_before_any_work(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = []
    if "imagefolder:set" in arguments:
        before = ["set"]
        for i in range(130):
            folder = tmp_path / "set" / ("train" if i > 1 else "val") / "ab"[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (i, i, i)).save(folder / f"{i}.png")
    code, _, error = ablation("study", *arguments, "--store", "runs", "--out", "figures", capsys=capsys)
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == before
