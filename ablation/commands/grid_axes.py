"""Numbers of images, sizes and epochs as the command line gives them, separated by commas."""

from __future__ import annotations

from dataclasses import dataclass

from ..design.recipe_limits import MAX_EPOCHS, MAX_SIZE
from ..errors import AblationError, check_number, shown

ALL = "all"
_MAX_IMAGES = 10**12 - 1  # of a selection NAME#IMAGES


@dataclass(frozen=True)
class GridAxes:
    """The axes of a grid; an empty one has the single value of the data set or the recipe.

    Args:
        images: numbers of training images; None for all of them.
        sizes: sides of the images in pixels.
        epochs: numbers of epochs.
    """

    images: tuple[int | None, ...] = ()
    sizes: tuple[int, ...] = ()
    epochs: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Part of a file name, so that no other grid of the same data is overwritten; "" without axes."""
        values = {
            name: "-".join(ALL if value is None else str(value) for value in vars(self)[name]) for name in vars(self)
        }
        return "".join(f"-{name}-{text}" for name, text in values.items() if text)


def parse_axes(images: str | None, sizes: str | None, epochs: str | None) -> GridAxes:
    """Return the axes that options give, each in ascending order; None where an option is not given.

    Raises:
        AblationError: if a value is not a whole number within its bounds, or is given twice.

    >>> parse_axes("1000,all,300", None, "10,30")
    GridAxes(images=(300, 1000, None), sizes=(), epochs=(10, 30))
    """
    every = [text for text in (images or "").split(",") if text.strip() == ALL]
    counted = ",".join(text for text in (images or "").split(",") if text.strip() != ALL)
    if len(every) > 1:
        raise AblationError(f"--images: {ALL} is given twice")
    numbers = () if every and not counted else _numbers("--images", None if images is None else counted, _MAX_IMAGES)
    sides, passes = _numbers("--sizes", sizes, MAX_SIZE), _numbers("--epochs", epochs, MAX_EPOCHS)
    return GridAxes((*numbers, *(None for _ in every)), sides, passes)


def _numbers(option: str, given: str | None, most: int) -> tuple[int, ...]:
    if given is None:
        return ()
    example = {"--images": f"1000,10000 or 1000,{ALL}", "--sizes": "32,64", "--epochs": "10,30"}[option]
    values = []
    for text in given.split(","):
        try:
            values.append(int(text))
        except ValueError:
            raise AblationError(
                f"{option} {shown(given)} must be whole numbers separated by commas, such as {example}"
            ) from None
    for value in values:
        check_number(f"{option}: {option.removeprefix('--')}", value, 1, most, whole=True)
        if values.count(value) > 1:
            raise AblationError(f"{option}: {value} is given twice")
    return tuple(sorted(values))
