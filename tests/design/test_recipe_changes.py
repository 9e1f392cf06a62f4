"""Changes of recipes: exact rates, schedules in proportion, and one message that names the option."""

import pytest

from ablation import AblationError, Trial
from ablation.design.architecture import RESNET50
from ablation.design.recipe_changes import RecipeChanges, with_epochs
from ablation.design.recipes import FAMILIES, MICRO_MODERN, MODERN, ORIGINAL, family

RECIPES = [recipe for pair in FAMILIES.values() for recipe in (pair.original, pair.modern)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_any_number_of_epochs_keeps_the_schedule_in_proportion(recipe):
    for epochs in (1, 2, 3, 7, 50, 1000):
        changed = with_epochs(recipe, epochs)
        assert changed.epochs == epochs and changed.warmup_epochs < epochs
        assert changed.warmup_epochs == min(-(-recipe.warmup_epochs * epochs // recipe.epochs), epochs - 1)
        assert (changed.warmup_epochs > 0) == (recipe.warmup_epochs > 0 and epochs > 1)
        assert changed.replace(epochs=1000, warmup_epochs=0, decay_epochs=1) == recipe.replace(
            epochs=1000, warmup_epochs=0, decay_epochs=1
        )


def test_a_proportion_is_rounded_up_exactly():
    assert with_epochs(ORIGINAL, 93).decay_epochs == 31, "30 * (93 / 90) is 31.000000000000004"
    assert with_epochs(MICRO_MODERN, 1).warmup_epochs == 0, "one epoch has no room for a warm-up"


@pytest.mark.parametrize("size", [3, 7, 50, 64, 100, 4096])
def test_the_rate_is_what_was_typed_whatever_the_batch(size):
    for rate in (0.1, 0.003, 1 / 3):
        for changes in (RecipeChanges(lr=rate, batch_size=size), RecipeChanges(lr=rate)):
            assert changes.apply(MODERN).effective_lr == changes.apply(ORIGINAL).effective_lr == rate


def test_a_batch_alone_scales_the_rate():
    changed = RecipeChanges(batch_size=1024).apply(MODERN)
    assert changed.effective_lr == pytest.approx(1e-3) and (changed.lr, changed.lr_batch) == (
        MODERN.lr,
        MODERN.lr_batch,
    )


def test_changes_give_another_trial_of_the_same_name():
    changes = RecipeChanges(epochs=3, drop_path=0.2, ema=0.9)
    changed = changes.apply(MICRO_MODERN)
    assert (changed.epochs, changed.drop_path, changed.ema, changed.name) == (3, 0.2, 0.9, "micro-modern")
    assert Trial(RESNET50, changed).key("") != Trial(RESNET50, MICRO_MODERN).key("")
    assert RecipeChanges(ema=0).apply(changed).ema is None and not RecipeChanges() and RecipeChanges(ema=0)
    assert str(changes) == "epochs 3, drop_path 0.2, ema 0.9" and str(RecipeChanges()) == ""
    assert RecipeChanges().apply(MICRO_MODERN) == MICRO_MODERN


def test_both_recipes_of_a_family_are_changed_alike():
    pair = RecipeChanges(epochs=2, batch_size=16).apply_to_family(family("micro"))
    assert {recipe.epochs for recipe in (pair.original, pair.modern)} == {2} and pair.modern.batch_size == 16
    assert (pair.width_divisor, pair.stem_stride) == (8, 1) and family(pair) is pair


@pytest.mark.parametrize(
    ("recipe", "epochs", "expected"),
    [
        (ORIGINAL, 30, "decay_epochs is 10 instead of 30, in proportion to the epochs"),
        (MODERN, 30, "warmup_epochs is 2 instead of 20, in proportion to the epochs"),
        (ORIGINAL.replace(warmup_epochs=9), 30, "warmup_epochs is 3 instead of 9 and decay_epochs is 10 instead of 30"),
        (MODERN, 300, ""),
        (MODERN, None, ""),
    ],
)
def test_what_is_scaled_is_said(recipe, epochs, expected):
    text = RecipeChanges(epochs=epochs, lr=0.1).scaled(recipe)
    assert text.startswith(expected) and bool(text) == bool(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "^--epochs: epochs 0 must be 1 or more"),
        ({"epochs": 10**7}, "^--epochs: epochs 10000000 must be 1,000,000 or less"),
        ({"lr": 0.0}, "^--lr: lr 0.0 of recipe 'modern' must be positive"),
        ({"lr": float("nan")}, "^--lr: lr nan of recipe 'modern' must be a finite number"),
        ({"batch_size": 0}, "^--batch-size: batch_size 0 of recipe 'modern' must be 1 or more"),
        ({"drop_path": 1.0}, "^--drop-path: drop_path 1.0 of recipe 'modern' must be 0 or more and less than 1"),
        ({"ema": -0.1}, "^--ema: ema -0.1 of recipe 'modern' must be 0 or more"),
    ],
)
def test_what_a_recipe_cannot_have_is_refused_by_the_name_of_its_option(changes, message):
    with pytest.raises(AblationError, match=message):
        RecipeChanges(**changes).apply(MODERN)
