"""Small trials, invented outcomes, planned stores and process helpers for the tests of studies."""

from pathlib import Path

from ablation import Outcome, Trial, convnext
from ablation.design.recipes import FAMILIES
from ablation.study.store import Store

SHORT = FAMILIES["micro"].modern.replace(epochs=1, warmup_epochs=0)
TINY = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
TRIALS = [Trial(TINY, SHORT, "digits", seed) for seed in range(5)]
CHECKSUM = "sum"
KEYS = [trial.key(CHECKSUM) for trial in TRIALS]
TEST_IMAGES = 3000  # of which 90, 81.1 and 1/3 % are whole numbers


def outcome(accuracy=90.0, status="done", **others):
    """Return an invented outcome, which is possible if the accuracy is None for every status other than "done"."""
    losses = others.pop("train_losses", (0.5,) if status == "done" else (float("inf"),) if status == "diverged" else ())
    test_loss = None if accuracy is None else 0.5
    environment = others.pop("environment", {"torch": "2", "commit": ""})
    return Outcome(status, accuracy, test_loss, losses, TEST_IMAGES, 1000, 3.0, 100.0, environment, **others)


def planned_store(file, trials=TRIALS):
    """Return a new store in which trials are planned; the first of `TRIALS` is labelled "the first"."""
    store = Store(file)
    store.plan({trial.key(CHECKSUM): trial for trial in trials}, {"digits": CHECKSUM}, {TRIALS[0]: "the first"})
    return store


def configure_nothing(threads):
    """Replace the preparation of a worker whose fake trials do not train, since torch takes seconds to import."""


def children(process):
    """Return the ids of a process's child processes."""
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process):
    """Return whether a process exists and is not a zombie."""
    status = Path(f"/proc/{process}/status")
    return status.exists() and "State:\tZ" not in status.read_text()
