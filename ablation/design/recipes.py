"""The two training recipes of the paper, and smaller recipes for small data sets.

ORIGINAL and MODERN are from the paper (Liu et al. 2022, arXiv 2201.03545). ORIGINAL is torchvision's recipe, with which
the paper's ResNet-50 reaches 76.13 %. MODERN is the paper's Table 5 with the stochastic depth of the ResNet-50 ladder and
without the average of the weights (EMA): the ladder is trained without it, as the authors' commands for its steps are, and
the published ConvNeXts with a decay of 0.9999, `MODERN.replace(ema=0.9999)`. All other recipes are ours, not the paper's;
the reason for each value is given next to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import unknown
from .recipe import Recipe

ORIGINAL = Recipe(
    name="original",
    epochs=90,
    batch_size=256,
    optimizer="sgd",
    lr=0.1,
    lr_batch=256,
    weight_decay=1e-4,
    decay_norms=True,
    schedule="step",
    crop_scale=(0.08, 1.0),
    hflip=0.5,
    interpolation="bilinear",
)
MODERN = Recipe(
    name="modern",
    epochs=300,
    batch_size=4096,
    optimizer="adamw",
    lr=4e-3,
    lr_batch=4096,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=20,
    crop_scale=(0.08, 1.0),
    hflip=0.5,
    randaugment="rand-m9-mstd0.5-inc1",
    mixup=0.8,
    cutmix=1.0,
    random_erasing=0.25,
    label_smoothing=0.1,
    drop_path=0.1,
    ema=None,  # on the ladder; 0.9999 for the published ConvNeXts
)

# For the 1,442 training images of the digits, on a laptop. Ours, not the paper's.
MICRO_ORIGINAL = Recipe(
    name="micro-original",
    epochs=9,  # about 200 steps: the accuracy is then close to its final value, and three seeds of the ladder take minutes
    batch_size=64,  # gives 22 steps per epoch
    optimizer="sgd",
    lr=0.01,  # of 0.005 to 0.03, the rate whose seeds differ least on held-out images
    lr_batch=64,
    weight_decay=1e-4,
    decay_norms=True,
    schedule="step",
    decay_epochs=6,  # one decay, before the last third: two, as in ORIGINAL, leave too few steps at the full rate
    # No flip: a mirrored digit is not a digit. No shift either: with 1 px of 8, 200 steps are too few, and the seeds of a
    # row end up to 17 points apart; without it, less than 2 in most rows.
)
MICRO_MODERN = Recipe(
    name="micro-modern",
    epochs=9,  # as in MICRO_ORIGINAL, so that the two runs differ in the recipe but not in compute
    batch_size=64,
    optimizer="adamw",
    lr=4e-3,  # the paper's value, applied to this batch size
    lr_batch=64,
    weight_decay=0.05,
    warmup_epochs=1,  # the paper's 20 of 300 in proportion, rounded up
    label_smoothing=0.1,  # no mixup, cutmix, shift, random erasing or stochastic depth: they slow down a run of 200 steps
)

# For 32 x 32 photographs, such as CIFAR, on a CPU. Ours, not the paper's. The networks are scaled down too: a quarter of
# the width, and a stem stride of 2, so that the last stage has 2 x 2 positions instead of one.
SMALL32_ORIGINAL = Recipe(
    name="small32-original",
    epochs=30,  # a third of ORIGINAL's 90; one core takes a quarter of an hour for 10,000 images
    batch_size=32,  # 312 steps per epoch; after ten epochs 47 % on held-out images, compared with 33 % for a batch of 128
    optimizer="sgd",
    lr=0.05,  # best of 0.02, 0.05 and 0.1 for ResNet-50 on held-out images: figures/rates-cifar10-10k-5k.csv
    lr_batch=32,
    weight_decay=5e-4,  # five times the value for ImageNet, as is usual for a hundredth of the images
    decay_norms=True,
    schedule="step",
    decay_epochs=10,  # two decays, after a third and two thirds, as in ORIGINAL
    shift_px=4,  # an eighth of the side, the usual augmentation for CIFAR
    hflip=0.5,
    size=32,
)
SMALL32_MODERN = Recipe(
    name="small32-modern",
    epochs=30,  # as in SMALL32_ORIGINAL, so that the two runs differ in the recipe but not in compute
    batch_size=64,
    optimizer="adamw",
    lr=4e-3,  # best of 0.001 to 0.008, mean of three networks on held-out images: figures/rates-cifar10-10k-5k.csv
    lr_batch=64,
    weight_decay=0.05,
    warmup_epochs=2,  # the paper's 20 of 300 in proportion
    shift_px=4,
    hflip=0.5,
    random_erasing=0.25,
    label_smoothing=0.1,  # no mixup, cutmix, RandAugment or stochastic depth: they slow down short runs of small networks
    size=32,
)

# For 64 x 64 photographs, such as Tiny ImageNet or a small Imagenette, on one GPU. Ours, not the paper's. The networks have
# half the width and a stem stride of 2, so that the last stage has 4 x 4 positions.
SMALL64_ORIGINAL = Recipe(
    name="small64-original",
    epochs=90,  # as in ORIGINAL
    batch_size=128,  # half of ORIGINAL's, for data sets with a tenth of the images
    optimizer="sgd",
    lr=0.05,  # ORIGINAL's 0.1 for 256 images in proportion
    lr_batch=128,
    weight_decay=1e-4,
    decay_norms=True,
    schedule="step",
    shift_px=8,  # an eighth of the side, as for 32 x 32
    hflip=0.5,
    size=64,
)
SMALL64_MODERN = Recipe(
    name="small64-modern",
    epochs=90,  # as in SMALL64_ORIGINAL, so that the two runs differ in the recipe but not in compute
    batch_size=256,
    optimizer="adamw",
    lr=2e-3,  # the paper's 4e-3 for 4096 images in proportion is 2.5e-4, but short runs work better with a higher rate
    lr_batch=256,
    weight_decay=0.05,
    warmup_epochs=6,  # the paper's 20 of 300 in proportion
    shift_px=8,
    hflip=0.5,
    # The rest as in the paper, but without RandAugment, which runs on the CPU, image by image.
    mixup=0.8,
    cutmix=1.0,
    random_erasing=0.25,
    label_smoothing=0.1,
    drop_path=0.1,
    size=64,
)


@dataclass(frozen=True)
class Family:
    """Pair of recipes for training a ladder, and how its networks are scaled down for them.

    Args:
        original: recipe of the first rung.
        modern: recipe of all other rungs.
        width_divisor: divisor of every width of the ladder.
        stem_stride: stem stride of every network.
    """

    original: Recipe
    modern: Recipe
    width_divisor: int = 1
    stem_stride: int = 4


FAMILIES: dict[str, Family] = {
    # With an eighth of the width a rung trains in ten seconds; a stem stride of 1 keeps the 8 x 8 positions of the images. The
    # initial weights are not multiplied by sqrt(8), which would carry the signal of full width: in 200 steps at one rate, the
    # nine rows from ResNet-50 to "kernel size 7" that have a norm after every convolution then lose 1 to 7 points (one seed
    # each), because a step changes larger weights relatively less, and rows with fewer norms change by 2 points at most.
    "micro": Family(MICRO_ORIGINAL, MICRO_MODERN, width_divisor=8, stem_stride=1),
    "paper": Family(ORIGINAL, MODERN),
    "small32": Family(SMALL32_ORIGINAL, SMALL32_MODERN, width_divisor=4, stem_stride=2),
    "small64": Family(SMALL64_ORIGINAL, SMALL64_MODERN, width_divisor=2, stem_stride=2),
}


def family(name: str | Family) -> Family:
    """Return the recipe family of that name, or a family as it is; the error for an unknown name suggests the closest."""
    if isinstance(name, Family):
        return name
    if name not in FAMILIES:
        raise unknown("recipe", name, FAMILIES)
    return FAMILIES[name]
