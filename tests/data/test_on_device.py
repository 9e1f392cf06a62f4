"""Batches made on a device, here the CPU, are those of the pipeline for CPUs, for each augmentation and recipe."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ablation.data.about import DatasetInfo
from ablation.data.in_memory import InMemory
from ablation.data.on_device import OnDevice
from ablation.design.recipes import FAMILIES

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
PLAIN = FAMILIES["small32"].modern.replace(shift_px=0, hflip=0.0, random_erasing=0.0)
RECIPES = {
    **{r.name: r for f in FAMILIES.values() for r in (f.original, f.modern) if not (r.crop_scale or r.randaugment)},
    "plain": PLAIN,
    "shift": PLAIN.replace(shift_px=3),
    "flip": PLAIN.replace(hflip=0.5),
    "flip always": PLAIN.replace(hflip=1.0),
    "erasing": PLAIN.replace(random_erasing=0.5),
    "erasing always": PLAIN.replace(random_erasing=1.0),
    "all": PLAIN.replace(shift_px=9, hflip=0.5, random_erasing=0.7),
}


def make_images(*, uint8=True, height=9, width=12):
    pixels = torch.randint(0, 256, (70, 3, height, width), generator=torch.Generator().manual_seed(0))
    images = pixels.to(torch.uint8) if uint8 else pixels.float() / 100
    info = DatasetInfo("pixels", None, 10, 3)
    return InMemory(info, "", images, torch.arange(70) % 10, images[:9], torch.arange(9), MEAN, STD)


@pytest.mark.parametrize("recipe", [recipe.replace(batch_size=16) for recipe in RECIPES.values()], ids=list(RECIPES))
@pytest.mark.parametrize("uint8", [True, False], ids=["uint8", "float32"])
def test_batches_are_those_of_the_cpu(recipe, uint8):
    data = make_images(uint8=uint8)
    images = OnDevice(data, recipe, torch.device("cpu"))
    for epoch in (0, 2):
        images.start_epoch(seed=5, epoch=epoch)
        expected = list(data.train_batches(recipe, 5, epoch, 0, 1))
        assert len(expected) == images.steps == 4
        for step, (batch, labels) in enumerate(expected):
            own, own_labels = images.batch(torch.tensor([step]))
            assert torch.equal(own, batch) and torch.equal(own_labels, labels)
            assert own.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_reads_nothing_from_the_device_and_always_takes_the_same_operators():
    images = OnDevice(make_images(), RECIPES["all"].replace(batch_size=16), torch.device("cpu"))
    images.start_epoch(0, 0)
    recorded = []
    for step in range(images.steps):
        with Operators() as operators:
            images.batch(torch.tensor([step]))
        recorded.append(operators.seen)
    assert recorded[0] == recorded[1] == recorded[-1] and "aten.index.Tensor" in {name for name, _ in recorded[0]}
    assert not {"aten._local_scalar_dense.default", "aten.nonzero.default"} & {name for name, _ in recorded[0]}


class Operators(TorchDispatchMode):
    """Record the name of each operator and the shapes of its results."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shapes = [
            tuple(x.shape) for x in (result if isinstance(result, (list, tuple)) else [result]) if torch.is_tensor(x)
        ]
        self.seen.append((str(func), shapes))
        return result
