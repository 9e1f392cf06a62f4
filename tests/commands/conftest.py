"""A fixture that shortens training."""

import pytest

from ablation.design import recipes


def shorten():
    """Shorten the micro family to one epoch, in this process only."""
    pair = recipes.FAMILIES["micro"]
    recipes.FAMILIES["micro"] = recipes.Family(
        pair.original.replace(epochs=1),
        pair.modern.replace(epochs=1, warmup_epochs=0),
        pair.width_divisor,
        pair.stem_stride,
    )


@pytest.fixture
def one_epoch(monkeypatch):
    """Shorten the micro family to one epoch for a test."""
    monkeypatch.setitem(recipes.FAMILIES, "micro", recipes.FAMILIES["micro"])  # restored after the test
    shorten()
