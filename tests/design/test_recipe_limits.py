"""A recipe with an invalid value, or with values that contradict each other, cannot be made."""

import dataclasses
import json
import math

import numpy as np
import pytest

from ablation import AblationError, Recipe
from ablation.design.recipe import make_plan
from ablation.design.recipes import FAMILIES, MODERN, ORIGINAL

NAN, INF = math.nan, math.inf
INVALID = [
    ({"optimizer": "adam"}, "did you mean 'adamw'"),
    ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ({"interpolation": "bicubik"}, "did you mean 'bicubic'"),
    ({"epochs": 0}, "epochs 0"),
    ({"batch_size": 1.5}, "batch_size 1.5 of recipe 'modern' must be a whole number, 1 to 10,000,000"),
    ({"batch_size": True}, "batch_size True"),
    ({"epochs": 10**80}, "epochs 1000.* of recipe 'modern' must be 1,000,000 or less"),
    ({"epochs": 10**5000}, "epochs of 16,610 bits"),
    ({"lr": -1}, "lr -1"),
    ({"lr": 0}, "lr 0.0 of recipe 'modern' must be positive"),
    ({"lr": 1e306}, "learning rate for the whole batch.*inf"),
    ({"lr": 10**400}, "lr 1000"),
    ({"lr_batch": 0}, "lr_batch 0"),
    ({"momentum": 1}, "momentum 1.0 of recipe 'modern' must be 0 or more and less than 1"),
    ({"betas": (0.9, 1.0)}, "each of betas .* must be less than 1"),
    ({"betas": (0.9,)}, "betas .* must be two numbers"),
    ({"betas": "09"}, "betas '09' .* must be two numbers"),
    ({"weight_decay": -0.1}, "weight_decay -0.1"),
    ({"decay_norms": 1}, "decay_norms 1 .* must be True or False"),
    ({"decay_epochs": 0}, "decay_epochs 0"),
    ({"decay_rate": 0}, "decay_rate 0.0 .* must be positive"),
    ({"decay_rate": 1.5}, "decay_rate 1.5 .* must be 1.0 or less"),
    ({"min_lr": -1e-6}, "min_lr"),
    ({"warmup_epochs": 300}, "warmup_epochs 300.*less than its 300"),
    ({"warmup_epochs": -1}, "warmup_epochs -1"),
    ({"crop_scale": (0.9, 0.1)}, "crop_scale"),
    ({"crop_scale": (0.1, 1.1)}, "crop_scale .* at most 1"),
    ({"crop_scale": 0.5}, "crop_scale 0.5 .* must be two numbers"),
    ({"shift_px": -1}, "shift_px -1"),
    ({"shift_px": 224}, "shift_px 224 .* nothing of the image would be left"),
    ({"shift_px": 0.5}, "shift_px 0.5 .* whole number"),
    ({"hflip": 50}, "hflip 50.0 of recipe 'modern' must be 1 or less"),
    ({"randaugment": "rand-m9-mstd0.5-inc1-x1"}, "randaugment"),
    ({"randaugment": "random"}, "randaugment"),
    ({"mixup": -0.1}, "mixup -0.1"),
    ({"cutmix": "1"}, "cutmix '1' .* must be a number"),
    ({"random_erasing": 25}, "random_erasing 25.0"),
    ({"label_smoothing": 1}, "label_smoothing 1.0"),
    ({"drop_path": 1}, "drop_path 1.0"),
    ({"clip_grad": 0}, "clip_grad 0.0 .* must be positive, or None"),
    ({"init_gain": 0}, "init_gain 0.0 .* must be positive"),
    ({"init_gain": 51}, "init_gain 51.0"),
    ({"ema": 1.5}, "ema 1.5 .* less than 1"),
    ({"size": 0}, "size 0"),
    ({"crop_pct": 87.5}, "crop_pct 87.5"),
    ({"name": ""}, "name '' of a recipe"),
    ({"learning_rate": 1}, "unknown field of Recipe"),
]


@pytest.mark.parametrize(
    ("changes", "message"), INVALID, ids=[f"{i}-{next(iter(changes))}" for i, (changes, _) in enumerate(INVALID)]
)
def test_invalid_values_are_refused(changes, message):
    with pytest.raises(AblationError, match=message):
        MODERN.replace(**changes)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
@pytest.mark.parametrize("value", [NAN, INF, -INF, "x" * 500, b"1", [], {}, (NAN, NAN), object, 10**80])
def test_what_is_no_value_is_refused_for_every_field(field, value):
    if (field == "name" and isinstance(value, str)) or (value == 10**80 and field in UNBOUNDED):
        MODERN.replace(**{field: value})
        return
    with pytest.raises(AblationError) as error:
        MODERN.replace(**{field: value})
    assert field in str(error.value) and len(str(error.value)) < 400


UNBOUNDED = {"weight_decay", "min_lr", "mixup", "cutmix", "clip_grad", "lr"}


def test_every_field_has_a_case_and_the_recipes_are_valid():
    assert {name for changes, _ in INVALID for name in changes} >= {field.name for field in dataclasses.fields(Recipe)}
    for pair in FAMILIES.values():
        for recipe in (pair.original, pair.modern):
            assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_numbers_of_other_types_give_the_same_recipe():
    other = MODERN.replace(
        epochs=300.0, batch_size=np.int64(4096), lr=np.float32(4e-3).item(), mixup=np.float64(0.8), cutmix=1
    )
    assert other.replace(lr=MODERN.lr) == MODERN
    assert [type(getattr(other, name)) for name in ("epochs", "batch_size", "mixup", "cutmix")] == [
        int,
        int,
        float,
        float,
    ]
    assert MODERN.replace(crop_scale=[0.08, 1]).crop_scale == (0.08, 1.0)


@pytest.mark.parametrize(
    ("recipe", "devices", "accumulate", "message"),
    [
        (ORIGINAL.replace(batch_size=64), 1, 64, "leaves a single image to each of 1 processes times 64"),
        (MODERN.replace(batch_size=63), 1, 1, "63 images: mixup and cutmix mix pairs"),
        (MODERN.replace(batch_size=66), 2, 1, "33 images"),
        (ORIGINAL, 0, 1, "devices 0 must be 1 or more"),
        (ORIGINAL, 1, 1.5, "accumulate 1.5 must be a whole number"),
    ],
)
def test_a_batch_too_small_for_its_recipe_is_refused(recipe, devices, accumulate, message):
    with pytest.raises(AblationError, match=message):
        make_plan(recipe, 10, devices, accumulate)
