"""A study has one precision: what stored outcomes have and what a study asks for, by table."""

import dataclasses

import pytest

from ablation import AblationError, Study
from ablation import data as datasets
from ablation.study import precisions
from ablation.study.precisions import precision_of, settle_precision
from ablation.study.store import FILE, Store
from ablation.train.devices import Gpu, choose
from tests.study.samples import TRIALS, outcome

LABELS = {trial: f"network {trial.seed}" for trial in TRIALS}
MACHINES = {
    "a CPU": (["cpu"], None),
    "a T4": (["cuda", "cpu"], Gpu("T4", (7, 5))),
    "an A100": (["cuda", "cpu"], Gpu("A100", (8, 0))),
}


def stored(*names):
    """Outcomes of the first trials with these precisions; None for one of a version that did not tell, "" for a failed one."""
    outcomes = {}
    for trial, name in zip(TRIALS, names, strict=False):
        status = "failed" if name == "" else "done"
        environment = {"precision": name} if name else {}
        outcomes[trial] = dataclasses.replace(outcome(None if name == "" else 90.0, status), environment=environment)
    return outcomes


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        ((), "auto", None),
        (("",), "bf16", None),
        (("no", "fp32", None), "auto", "fp32"),
        (("no", "fp32", None), "fp32", "fp32"),
        (("no", "fp32", None), "no", "fp32"),
        (("bf16", "", "bf16"), "auto", "bf16"),
        (("bf16",), "bf16", "bf16"),
        (("fp16",), "auto", "fp16"),
        (
            ("no",),
            "bf16",
            "network 0, seed 0, was trained with precision fp32 in runs, and this study trains with bf16",
        ),
        (("bf16", "no"), "bf16", "network 1, seed 1, was trained with precision fp32 in runs, and this study trains"),
        (
            ("bf16",),
            "no",
            "network 0, seed 0, was trained with precision bf16 in runs, and this study trains with fp32",
        ),
        (
            ("no", "bf16"),
            "auto",
            "network 0, seed 0, was trained with precision fp32 in runs, and network 1, seed 1, with bf16",
        ),
    ],
)
def test_the_precision_of_stored_trials(names, asked, expected):
    outcomes, options = stored(*names), {"precision": asked} if asked != "auto" else {}
    if expected and " " in expected:
        with pytest.raises(AblationError, match=expected):
            precision_of(outcomes, options, LABELS, "runs")
    else:
        assert precision_of(outcomes, options, LABELS, "runs") == expected


@pytest.mark.parametrize(
    ("machine", "asked", "before", "local", "expected"),
    [
        ("a CPU", "auto", None, True, None),  # a worker cannot choose otherwise
        ("a CPU", "auto", "fp32", True, None),
        ("a CPU", "bf16", "bf16", True, "bf16"),
        (
            "a CPU",
            "auto",
            "bf16",
            True,
            r"trained with precision bf16, and this machine .* \(cpu, fp32\): give --precision bf16",
        ),
        ("a T4", "auto", None, True, "fp16"),
        ("a T4", "auto", "fp32", True, r"would train the 3 missing ones otherwise \(cuda \(T4\), fp16: no bf16 before"),
        ("a T4", "fp32", "fp32", True, "fp32"),
        ("an A100", "auto", None, True, "bf16"),
        (
            "an A100",
            "auto",
            "fp32",
            True,
            r"\(cuda \(A100\), bf16\): give --precision fp32 \(as stored\), or another --store",
        ),
        ("an A100", "auto", "fp32", False, "fp32"),  # a cluster goes on in the precision of its trials
        ("an A100", "auto", None, False, None),  # each worker chooses
        ("an A100", "fp16", None, False, "fp16"),
        ("a CPU", "fp16", None, True, "precision 'fp16' is not possible on a CPU"),
    ],
)
def test_missing_trials_get_the_precision_of_the_stored_ones(monkeypatch, machine, asked, before, local, expected):
    monkeypatch.setattr(precisions, "choose", lambda device, precision: choose(device, precision, *MACHINES[machine]))
    options = {"precision": asked} if asked != "auto" else {}
    if expected and " " in expected:
        with pytest.raises(AblationError, match=expected):
            settle_precision(options, before, 3, local)
    else:
        assert settle_precision({**options, "compiled": True}, before, 3, local).get("precision") == expected


def test_a_study_that_would_mix_precisions_is_refused_before_training(tmp_path, monkeypatch):
    key = TRIALS[0].key(datasets.load("digits").checksum)
    with Store(tmp_path / FILE) as store:
        store.record(key, TRIALS[0], datasets.load("digits").checksum, stored("bf16")[TRIALS[0]])
    study = Study(TRIALS[:2], tmp_path)
    assert study.missing() == (TRIALS[1],)
    monkeypatch.setattr("ablation.study.study.driver_lock", lambda *_: pytest.fail("the study began"))
    with pytest.raises(AblationError, match=r"give --precision bf16 \(as stored\)"):
        study.run()
    with pytest.raises(AblationError, match="was trained with precision bf16"):
        Study(TRIALS[:2], tmp_path, run_options={"precision": "no"}).outcomes()
    assert Study(TRIALS[:1], tmp_path).run() == Study(TRIALS[:1], tmp_path).outcomes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bf61"}, "unknown precision 'bf61'; did you mean 'bf16'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_unknown_devices_and_precisions_are_refused_when_the_study_is_made(tmp_path, options, message):
    with pytest.raises(AblationError, match=message):
        Study(TRIALS, tmp_path, run_options=options)
