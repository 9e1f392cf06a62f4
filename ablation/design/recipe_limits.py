"""Which values the fields of a `Recipe` may have, each alone and together.

The bounds exclude what has no meaning, such as a probability of 50, and what no machine could run; they are not advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..errors import AblationError, check_number, shown, unknown

MAX_EPOCHS = 1_000_000
MAX_BATCH = 10_000_000  # images; more than any published training
MAX_SIZE = 65_536  # px; a single image of this side takes 50 GB
_JUST_BELOW_1 = 1 - 1e-9

# Field -> smallest value, largest value (None: any finite one).
_WHOLE: dict[str, tuple[int, int]] = {
    "epochs": (1, MAX_EPOCHS),
    "batch_size": (1, MAX_BATCH),
    "lr_batch": (1, MAX_BATCH),
    "decay_epochs": (1, MAX_EPOCHS),
    "warmup_epochs": (0, MAX_EPOCHS),
    "shift_px": (0, MAX_SIZE),
    "size": (1, MAX_SIZE),
}
_SHARES = ("hflip", "random_erasing")
_BELOW_1 = ("momentum", "label_smoothing", "drop_path", "ema")  # at 1, nothing would be learnt
_NOT_NEGATIVE = ("weight_decay", "min_lr", "mixup", "cutmix")
_POSITIVE = ("lr", "clip_grad", "decay_rate", "crop_pct", "init_gain")
MAX_CROP_PCT = 2.0  # timm pads the image where a model's crop_pct is above 1
MAX_INIT_GAIN = 50.0  # a standard deviation of 1, with which no network here trains
_AT_MOST = {"decay_rate": 1.0, "crop_pct": MAX_CROP_PCT, "init_gain": MAX_INIT_GAIN}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
_CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "schedule": ("step", "cosine"),
    "interpolation": INTERPOLATIONS,
}
_OPTIONAL = ("clip_grad", "ema", "crop_scale")
# timm's notation: magnitude, its standard deviation and largest value, layers, probability, increasing severity, transforms.
_RANDAUGMENT = re.compile(r"rand(-(m\d{1,3}|mstd\d*\.?\d+|mmax\d{1,3}|n\d{1,2}|p[01]?\.?\d*|inc[01]|t\w+))*", re.ASCII)


def plain(value: Any, kind: str) -> Any:
    """Return a value as the type of its field, so that 0 and 0.0, or a list from JSON and a tuple, give the same recipe."""
    if isinstance(value, bool):
        return value
    if kind.startswith("float") and isinstance(value, Real):
        try:
            return float(value)
        except OverflowError:
            return value
    if kind == "int" and isinstance(value, Integral):
        return int(value)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind.startswith("tuple") and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(plain(part, "float") for part in value)
    return value


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise an `AblationError` unless every field is valid and no two contradict each other."""
    name = values["name"]
    if not isinstance(name, str) or not name:
        raise AblationError(f"name {shown(name)} of a recipe must be a text, such as 'paper'")
    of = f" of recipe {shown(name)}"
    for field, choices in _CHOICES.items():
        if values[field] not in choices:
            raise unknown(f"{field}{of}:", values[field], choices)
    for field, (least, most) in _WHOLE.items():
        check_number(field, values[field], least, most, whole=True, of=of)
    for field in (*_SHARES, *_BELOW_1, *_NOT_NEGATIVE, *_POSITIVE):
        value = values[field]
        if value is None and field in _OPTIONAL:
            continue
        check_number(field, value, 0, 1 if field in _SHARES else _AT_MOST.get(field), of=of)
        if field in _POSITIVE and value == 0:
            raise AblationError(f"{field} {value!r}{of} must be positive{', or None' if field in _OPTIONAL else ''}")
        if field in _BELOW_1 and value >= 1:
            raise AblationError(f"{field} {value!r}{of} must be 0 or more and less than 1")
    _check_pair("betas", values["betas"], of, most=_JUST_BELOW_1)
    if values["crop_scale"] is not None:
        _check_pair("crop_scale", values["crop_scale"], of, most=1.0)
        smallest, largest = values["crop_scale"]
        if not 0 < smallest <= largest:
            raise AblationError(
                f"crop_scale {values['crop_scale']}{of} must be two shares above 0, the smaller one first"
            )
    if not isinstance(values["decay_norms"], bool):
        raise AblationError(f"decay_norms {shown(values['decay_norms'])}{of} must be True or False")
    policy = values["randaugment"]
    if policy != "" and not (isinstance(policy, str) and _RANDAUGMENT.fullmatch(policy)):
        raise AblationError(
            f"randaugment {shown(policy)}{of} must be '' or a RandAugment policy in timm's notation, such as "
            "'rand-m9-mstd0.5-inc1'"
        )
    _check_together(values, of)


def _check_pair(field: str, value: Any, of: str, most: float) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise AblationError(f"{field} {shown(value)}{of} must be two numbers")
    for part in value:
        check_number(f"each of {field}", part, 0, None, of=of)
        if part > most:
            limit = "less than 1" if most < 1 else "at most 1"
            raise AblationError(f"each of {field} {value}{of} must be {limit}")


def _check_together(values: Mapping[str, Any], of: str) -> None:
    epochs, warmup = values["epochs"], values["warmup_epochs"]
    if warmup >= epochs:
        raise AblationError(f"warmup_epochs {warmup}{of} must be less than its {epochs} epochs")
    rate = values["lr"] * values["batch_size"] / values["lr_batch"]
    check_number("the learning rate for the whole batch, lr * batch_size / lr_batch =", rate, 0, of=of)
    if values["shift_px"] >= values["size"]:
        raise AblationError(
            f"shift_px {values['shift_px']}{of} must be less than its size of {values['size']} px: nothing of the "
            "image would be left"
        )
