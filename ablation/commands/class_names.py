"""Which logit of a network belongs to which class of a data set."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from ..data.class_order import natural_key
from ..errors import AblationError


def match_classes(network: Sequence[str], data: Sequence[str], weights: str) -> list[int]:
    """Return for each class of a data set the index of the logit with the same name.

    Names match if they are equal. Failing that, they match as timm sorts them: numbers by value, letters without regard to
    case.

    Args:
        network: class names in the order of the logits.
        data: class names in the order of the labels.
        weights: source of the network's names, for the error message.

    Raises:
        AblationError: if the names do not match one to one.

    >>> match_classes(["00", "01", "02", "10"], ["0", "1", "10", "2"], "weights")
    [0, 1, 3, 2]
    """
    keys: tuple[Callable[[str], Hashable], ...] = (str, natural_key)
    for key in keys:
        index = {key(name): i for i, name in enumerate(network)}
        wanted = [key(name) for name in data]
        if len(index) == len(network) and len(set(wanted)) == len(data) and set(wanted) == set(index):
            return [index[name] for name in wanted]
    missing, new = ([name for name in a if name not in b] for a, b in ((network, data), (data, network)))
    raise AblationError(
        f"the classes of {weights} are not those of the data: {_some(missing)} are not there, and {_some(new)} are new. Rename "
        "the class folders, or give --class-order torchvision to compare by position"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5]) or 'none'}{more}"
