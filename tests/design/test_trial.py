"""`Trial`: validation, serialisation, and the key that identifies a trial."""

import dataclasses
import json

import pytest

from ablation import MICRO_MODERN, RESNET50, AblationError, Architecture, Outcome, Recipe, Trial
from ablation.design.trial import changed_fields

MINIMAL = Recipe(name="minimal", epochs=1, batch_size=8, optimizer="sgd", lr=0.1, lr_batch=8)
TRIAL = Trial(RESNET50, MINIMAL)
KEY = TRIAL.key("checksum")

RECIPE_CHANGES = {
    "name": "other",
    "epochs": 2,
    "batch_size": 16,
    "optimizer": "adamw",
    "lr": 0.2,
    "lr_batch": 16,
    "momentum": 0.8,
    "betas": (0.9, 0.99),
    "weight_decay": 0.1,
    "decay_norms": True,
    "schedule": "step",
    "decay_epochs": 10,
    "decay_rate": 0.5,
    "min_lr": 0.0,
    "warmup_epochs": 1,
    "crop_scale": (0.08, 1.0),
    "shift_px": 1,
    "hflip": 0.5,
    "randaugment": "rand-m9",
    "mixup": 0.8,
    "cutmix": 1.0,
    "random_erasing": 0.25,
    "label_smoothing": 0.1,
    "drop_path": 0.1,
    "init_gain": 2.0,
    "clip_grad": 1.0,
    "ema": 0.999,
    "size": 64,
    "crop_pct": 1.0,
    "interpolation": "bilinear",
}
ARCHITECTURE_CHANGES = {
    "depths": (3, 3, 9, 3),
    "width": 96,
    "stem": "patchify",
    "stem_stride": 2,
    "depthwise": True,
    "block": "inverted",
    "spatial_first": True,
    "kernel_size": 7,
    "activation": "gelu",
    "activations": "single",
    "norm": "layer",
    "norms": "single",
    "downsampling": "separate",
    "expansion": 2,
    "layer_scale": 1e-6,
}


def names(kind):
    return {field.name for field in dataclasses.fields(kind)}


def test_the_changes_cover_every_field():
    assert set(RECIPE_CHANGES) == names(Recipe)
    assert set(ARCHITECTURE_CHANGES) == names(Architecture)
    assert names(Trial) == {"architecture", "recipe", "data", "seed", "init"}


def test_the_key_of_a_fixed_trial():
    """Keys must stay the same between versions: stores find their trials by them."""
    architecture = RESNET50.replace(width=8, stem_stride=1, norm="layer", layer_scale=1e-6)
    recipe = MINIMAL.replace(optimizer="adamw", weight_decay=0.05, betas=(0.9, 0.95), crop_scale=(0.25, 1.0))
    assert Trial(architecture, recipe, seed=3).key("0123abcd") == "0048229daadbfd1b18e8"
    assert Trial("timm:resnet18", recipe, seed=3).key("0123abcd") == "38f00f90d4ae1dcef32b"


@pytest.mark.parametrize("name", sorted(names(Recipe) - set(changed_fields(dataclasses.asdict(MINIMAL), Recipe))))
def test_an_explicit_default_in_the_recipe_does_not_change_the_key(name):
    default = next(field.default for field in dataclasses.fields(Recipe) if field.name == name)
    assert dataclasses.replace(TRIAL, recipe=MINIMAL.replace(**{name: default})).key("checksum") == KEY


@pytest.mark.parametrize("name", ARCHITECTURE_CHANGES)
def test_an_explicit_default_in_the_architecture_does_not_change_the_key(name):
    architecture = Architecture(**{name: getattr(RESNET50, name)})
    assert dataclasses.replace(TRIAL, architecture=architecture).key("checksum") == KEY


@pytest.mark.parametrize("kind", [Recipe, Architecture])
def test_a_new_field_with_a_default_does_not_change_the_key(kind):
    """Simulate a later version of the library, in which the class has one more field."""
    extended = dataclasses.make_dataclass("Extended", [("new_field", str, "default")], bases=(kind,), frozen=True)
    if kind is Recipe:
        later = dataclasses.replace(TRIAL, recipe=extended(**dataclasses.asdict(MINIMAL)))
        changed = dataclasses.replace(TRIAL, recipe=extended(**dataclasses.asdict(MINIMAL), new_field="other"))
    else:
        later = dataclasses.replace(TRIAL, architecture=extended())
        changed = dataclasses.replace(TRIAL, architecture=extended(new_field="other"))
    assert later.key("checksum") == KEY != changed.key("checksum")


def test_integers_and_equal_floats_give_the_same_key():
    keys = {Trial(RESNET50, MINIMAL.replace(drop_path=value)).key("checksum") for value in (0, 0.0)}
    assert keys == {KEY}
    assert len({Trial(RESNET50, MINIMAL.replace(lr=value)).key("checksum") for value in (1, 1.0)}) == 1
    assert (
        len({Trial(RESNET50, MINIMAL.replace(crop_scale=value)).key("checksum") for value in ((1, 1), [1.0, 1.0])}) == 1
    )
    assert len({Trial(RESNET50.replace(layer_scale=value), MINIMAL).key("checksum") for value in (1, 1.0)}) == 1


@pytest.mark.parametrize(("name", "value"), RECIPE_CHANGES.items(), ids=RECIPE_CHANGES)
def test_any_changed_field_of_the_recipe_changes_the_key(name, value):
    recipe = MINIMAL.replace(epochs=2) if name == "warmup_epochs" else MINIMAL  # warm-up must be shorter than training
    assert getattr(recipe, name) != value
    changed = Trial(RESNET50, recipe.replace(**{name: value}))
    assert changed.key("checksum") != Trial(RESNET50, recipe).key("checksum")


@pytest.mark.parametrize(("name", "value"), ARCHITECTURE_CHANGES.items(), ids=ARCHITECTURE_CHANGES)
def test_any_changed_field_of_the_architecture_changes_the_key(name, value):
    assert getattr(RESNET50, name) != value
    assert Trial(RESNET50.replace(**{name: value}), MINIMAL).key("checksum") != KEY


def test_seed_checksum_and_timm_model_change_the_key_but_the_name_of_the_data_set_does_not():
    keys = [
        KEY,
        Trial(RESNET50, MINIMAL, seed=1).key("checksum"),
        TRIAL.key("other checksum"),
        Trial("timm:resnet50", MINIMAL).key("checksum"),
        Trial("timm:resnet18", MINIMAL).key("checksum"),
    ]
    assert len(set(keys)) == len(keys)
    assert Trial(RESNET50, MINIMAL, data="folder:/anywhere").key("checksum") == KEY


@pytest.mark.parametrize("architecture", [RESNET50.replace(norm="layer", layer_scale=0.1), "timm:resnet18"])
def test_a_trial_has_the_same_value_and_key_after_a_round_trip_through_json(architecture):
    trial = Trial(architecture, MICRO_MODERN.replace(crop_scale=(0.5, 1)), seed=2)
    loaded = Trial.from_dict(json.loads(json.dumps(trial.to_dict())))
    assert loaded == trial
    assert loaded.key("checksum") == trial.key("checksum")


def test_weights_to_start_from_make_another_trial_and_none_leaves_key_and_description_as_they_were():
    started = dataclasses.replace(TRIAL, init="0123456789abcdef")
    assert started.key("checksum") not in (KEY, dataclasses.replace(started, init="f" * 16).key("checksum"))
    loaded = Trial.from_dict(json.loads(json.dumps(started.to_dict())))
    assert loaded == started and loaded.key("checksum") == started.key("checksum")
    assert set(TRIAL.to_dict()) == {"architecture", "recipe", "data", "seed"}
    assert dataclasses.replace(TRIAL, init="").key("checksum") == KEY


def test_an_outcome_is_the_same_after_a_round_trip_through_json():
    outcome = Outcome("done", 90.0, 0.5, (1.0, 0.5), 360, 1000, 2.0, 100.0, {"device": "cpu"})
    assert Outcome.from_dict(json.loads(json.dumps(dataclasses.asdict(outcome)))) == outcome


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed -1"),
        ({"seed": True}, "seed True"),
        ({"seed": 1.0}, "seed 1.0"),
        ({"architecture": "resnet18"}, "'resnet18' must be an Architecture, or 'timm:NAME'"),
        ({"init": "weights.safetensors"}, "init 'weights.safetensors' must be '' or the digest of a weights file"),
        ({"init": None}, "init None must be"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(AblationError, match=message):
        dataclasses.replace(TRIAL, **arguments)


@pytest.mark.parametrize(
    ("field", "value"), [("drop_path", 0), ("weight_decay", 1), ("warmup_epochs", 0.0), ("shift_px", 2.0)]
)
def test_whole_numbers_and_floats_give_the_same_key(field, value):
    other = float(value) if isinstance(value, int) else int(value)
    one, two = (dataclasses.replace(TRIAL, recipe=MINIMAL.replace(**{field: number})) for number in (value, other))
    assert one == two and one.key("checksum") == two.key("checksum") and one.to_dict() == two.to_dict()
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())
