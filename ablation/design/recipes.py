"""The paper's two training recipes, and small ones of our own."""

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
)

# Small enough for a laptop and the 1,437 training digits. Ours, not the paper's.
MICRO_ORIGINAL = Recipe(
    name="micro-original",
    epochs=9,  # about 200 steps: most of what can be learnt is, and three seeds of the ladder take minutes
    batch_size=64,  # small enough for 22 steps an epoch
    optimizer="sgd",
    lr=0.01,  # of 0.005, 0.01 and 0.025 the one at which no seed of 10 to 12 stays behind in training loss
    lr_batch=64,
    weight_decay=1e-4,
    decay_norms=True,
    schedule="step",
    decay_epochs=6,  # one cut, for the last third: the original's two leave too few steps at the full rate
    shift_px=1,  # a pixel of 8 is what a crop can move a digit without cutting it; a flip would make another sign
)
MICRO_MODERN = Recipe(
    name="micro-modern",
    epochs=9,  # as many as its partner, so that the pair differs in the recipe and not in the compute
    batch_size=64,
    optimizer="adamw",
    lr=4e-3,  # the paper's figure, for this batch
    lr_batch=64,
    weight_decay=0.05,
    warmup_epochs=1,  # the paper's 20 of 300, rounded up to one
    shift_px=1,
    label_smoothing=0.1,  # mixup, cutmix, erasing and stochastic depth hold back a run of 200 steps, so they are left out
)

# For 32 x 32 photographs such as CIFAR's, on a CPU. Ours, not the paper's. The networks are adapted too: a quarter of the
# width, and a stem of stride 2, which leaves the last stage 2 x 2 positions instead of one.
SMALL32_ORIGINAL = Recipe(
    name="small32-original",
    epochs=30,  # a third of the original's 90; a core trains them on 10,000 images in a quarter of an hour
    batch_size=32,  # 312 steps an epoch: with 128 images the same ten epochs end 14 points lower (47 % against 33 %, held out)
    optimizer="sgd",
    lr=0.05,  # of 0.02, 0.05 and 0.1 the best for ResNet-50 on held-out images: figures/rates-cifar10-10k-5k.csv
    lr_batch=32,
    weight_decay=5e-4,  # five times ImageNet's, as is usual for a hundredth of the images
    decay_norms=True,
    schedule="step",
    decay_epochs=10,  # two cuts, at a third and two thirds, as in the original
    shift_px=4,  # an eighth of the side, the usual crop of CIFAR
    hflip=0.5,
    size=32,
)
SMALL32_MODERN = Recipe(
    name="small32-modern",
    epochs=30,  # as many as its partner, so that the pair differs in the recipe and not in the compute
    batch_size=64,
    optimizer="adamw",
    lr=4e-3,  # of 0.001 to 0.008 the best mean over three networks on held-out images: figures/rates-cifar10-10k-5k.csv
    lr_batch=64,
    weight_decay=0.05,
    warmup_epochs=2,  # the paper's 20 of 300
    shift_px=4,
    hflip=0.5,
    random_erasing=0.25,
    label_smoothing=0.1,  # mixup, cutmix, RandAugment and stochastic depth hold back short runs of small networks: left out
    size=32,
)

# For 64 x 64 photographs, such as Tiny ImageNet or a small Imagenette, on one GPU. Ours, not the paper's. Half the width, and
# again a stem of stride 2: the last stage has 4 x 4 positions.
SMALL64_ORIGINAL = Recipe(
    name="small64-original",
    epochs=90,  # the original's
    batch_size=128,  # half the original's, for data sets of a tenth of the images
    optimizer="sgd",
    lr=0.05,  # the original's 0.1 for 256 images
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
    epochs=90,  # as many as its partner, so that the pair differs in the recipe and not in the compute
    batch_size=256,
    optimizer="adamw",
    lr=2e-3,  # between the paper's 4e-3 for 4096 images in proportion, 2.5e-4, and what suits short runs
    lr_batch=256,
    weight_decay=0.05,
    warmup_epochs=6,  # the paper's 20 of 300
    shift_px=8,
    hflip=0.5,
    mixup=0.8,  # this and the rest as the paper has it; but no RandAugment, which is drawn on the CPU one image after the other
    cutmix=1.0,
    random_erasing=0.25,
    label_smoothing=0.1,
    drop_path=0.1,
    size=64,
)


@dataclass(frozen=True)
class Family:
    """The pair of recipes that a ladder is trained with, and how far its networks are scaled down for them.

    Args:
        original: for the ladder's first row.
        modern: for all other rows.
        width_divisor: every width of the ladder is divided by it.
        stem_stride: of every network.
    """

    original: Recipe
    modern: Recipe
    width_divisor: int = 1
    stem_stride: int = 4


FAMILIES: dict[str, Family] = {
    # An eighth of the width trains a rung in ten seconds; a stem of stride 1 leaves 8 x 8 images their 8 positions.
    "micro": Family(MICRO_ORIGINAL, MICRO_MODERN, width_divisor=8, stem_stride=1),
    "paper": Family(ORIGINAL, MODERN),
    "small32": Family(SMALL32_ORIGINAL, SMALL32_MODERN, width_divisor=4, stem_stride=2),
    "small64": Family(SMALL64_ORIGINAL, SMALL64_MODERN, width_divisor=2, stem_stride=2),
}


def family(name: str) -> Family:
    """The recipe family of that name; an error offers the nearest."""
    if name not in FAMILIES:
        raise unknown("recipe", name, FAMILIES)
    return FAMILIES[name]
