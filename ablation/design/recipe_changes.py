"""Changes that a user asks of a recipe, or of both recipes of a family alike: fewer epochs, another rate or batch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, check_number
from .recipe import Recipe
from .recipe_limits import MAX_EPOCHS
from .recipes import Family


@dataclass(frozen=True)
class RecipeChanges:
    """Values that replace those of a recipe; None leaves a value as it is. `str` lists them, "" if there are none.

    A changed recipe keeps its name in tables. It is another recipe all the same: the key of a trial covers every value.

    Args:
        epochs: passes over the training images; warm-up and decay epochs are scaled in proportion.
        lr: peak learning rate for the batch that is used, whatever its size.
        batch_size: images per optimizer step. Without `lr`, the rate is scaled in proportion, as in every recipe.
        drop_path: stochastic depth rate of the last block.
        ema: decay of the average of the weights; 0 for none.
        init_gain: factor of the initial weights.
    """

    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    drop_path: float | None = None
    ema: float | None = None
    init_gain: float | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in vars(self).items() if value is not None)

    def apply(self, recipe: Recipe) -> Recipe:
        """Return a recipe with these values.

        Raises:
            AblationError: if the recipe cannot have a value; the message begins with the option of the command line.
        """
        options = ("epochs", "batch_size", "lr", "drop_path", "ema", "init_gain")
        for option in options:  # the rate is for the batch, so it comes after
            value = getattr(self, option)
            if value is None:
                continue
            changes: dict[str, Any] = {option: value}
            if option == "lr":
                changes["lr_batch"] = recipe.batch_size
            elif option == "ema" and value == 0:
                changes[option] = None
            try:
                recipe = with_epochs(recipe, value) if option == "epochs" else recipe.replace(**changes)
            except AblationError as error:
                raise AblationError(f"--{option.replace('_', '-')}: {error}") from None
        return recipe

    def apply_to_family(self, pair: Family) -> Family:
        """Return a family with both recipes changed alike; errors as for `apply`."""
        return dataclasses.replace(pair, original=self.apply(pair.original), modern=self.apply(pair.modern))

    def scaled(self, recipe: Recipe) -> str:
        """Return what `epochs` changes besides the epochs, for a line of text, or "" if that is nothing."""
        if self.epochs is None:
            return ""
        changed = with_epochs(recipe, self.epochs)
        names = ["warmup_epochs"] + ["decay_epochs"] * (recipe.schedule == "step")  # of no effect on a cosine
        lines = [
            f"{name} is {getattr(changed, name)} instead of {getattr(recipe, name)}"
            for name in names
            if getattr(recipe, name) != getattr(changed, name)
        ]
        return f"{' and '.join(lines)}, in proportion to the epochs" if lines else ""


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """Return a recipe with another number of epochs, its warm-up and decay epochs scaled accordingly and rounded up.

    The warm-up stays shorter than the training.

    >>> from ablation.design.recipes import ORIGINAL
    >>> with_epochs(ORIGINAL, 10).decay_epochs
    4
    """
    check_number("epochs", epochs, 1, MAX_EPOCHS, whole=True)
    decay, warmup = (-(-value * epochs // recipe.epochs) for value in (recipe.decay_epochs, recipe.warmup_epochs))
    return recipe.replace(epochs=epochs, decay_epochs=min(decay, MAX_EPOCHS), warmup_epochs=min(warmup, epochs - 1))
