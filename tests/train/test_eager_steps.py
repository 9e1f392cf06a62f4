"""Steps of image files: accumulated parts are loaded one by one, and images are mixed within a part."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from ablation import AblationError, Trial, convnext, run
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.train.eager_steps import EagerSteps

TINY = convnext("atto").replace(width=4, stem_stride=2, depths=(1, 1, 1, 1), layer_scale=None)
RECIPE = FAMILIES["micro"].modern.replace(
    epochs=2, batch_size=8, warmup_epochs=0, shift_px=0, size=32, crop_scale=(0.9, 1.0)
)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, n in (("train", 12), ("val", 3)):
        for brightest, name in ((120, "dark"), (255, "light")):
            (folder / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = generator.integers(0, brightest, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return Trial(TINY, RECIPE, f"imagefolder:{folder}")


def test_accumulated_parts_are_loaded_one_by_one(trial, tmp_path, monkeypatch):
    sizes, parts = [], EagerSteps._parts
    monkeypatch.setattr(
        EagerSteps, "_parts", lambda self, batches: (sizes.append(len(x)) or (x, y) for x, y in parts(self, batches))
    )
    asked, load = [], datasets.load(trial.data)
    train_batches = type(load).train_batches
    monkeypatch.setattr(
        type(load), "train_batches", lambda self, *a, **k: asked.append(k["parts"]) or train_batches(self, *a, **k)
    )
    whole, accumulated = (run(trial, tmp_path / str(n), accumulate=n, loader_workers=1) for n in (1, 4))
    assert asked == [1, 1, 4, 4] and sizes == [8] * 6 + [2] * 24
    assert accumulated.train_losses[0] == pytest.approx(whole.train_losses[0], rel=0.02)


def test_images_are_mixed_within_a_part(trial, tmp_path):
    mixed = dataclasses.replace(trial, recipe=RECIPE.replace(mixup=0.8))
    assert run(mixed, tmp_path, accumulate=4, loader_workers=1).status == "done"
    odd = dataclasses.replace(trial, recipe=RECIPE.replace(mixup=0.8, batch_size=12))
    with pytest.raises(
        AblationError, match=r"12 of the 12 images of a batch in 4 parts of 3: that number must be even"
    ):
        run(odd, tmp_path, accumulate=4)
