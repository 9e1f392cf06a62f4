"""The one reader of image files: what a network is trained on, evaluated on and explained with has the same pixels.

A file becomes 8-bit RGB: greyscale is copied to three channels, transparency is composited on white, 16-bit values are
scaled to 8 bits, the camera's rotation is applied, and of an animation the first frame is read. Pillow and NumPy are
imported when a file is read.
"""

from __future__ import annotations

import stat
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import AblationError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # the only decoders of Pillow that a file can reach
_ORIENTATION = 0x0112  # EXIF tag of the camera's rotation
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_WHITE_16 = 65535
_GREY_STEPS = {"L;2": 85, "L;4": 17}  # Pillow scales the pixels of 2 and 4 bits to 8, but not the transparent value


def read_rgb(file: str | Path) -> tuple[Image.Image, tuple[str, ...]]:
    """Read an image file.

    Args:
        file: PNG, JPEG, BMP, GIF, TIFF, WebP, PPM or PGM; the contents decide, not the name.

    Returns:
        The image in 8-bit RGB, and the conversions that were applied, as text; none for an ordinary RGB image.

    Raises:
        AblationError: if the file does not exist, is no regular file, may not be read, is not an image or is damaged, or if
            its pixels have no defined 8-bit value.
    """
    check_file(file)
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(file, formats=FORMATS) as opened:
            warnings.simplefilter("ignore")  # Pillow warns about large or oddly tagged files that it can read
            raw_mode = _raw_mode(opened)
            opened.load()
            notes = ["first frame of several"] * bool(getattr(opened, "is_animated", False))
            turn = _turn(opened)
            image, conversions = _to_rgb(opened, raw_mode)
    except UnidentifiedImageError:
        raise AblationError(
            f"{printable(file)} is not an image, despite its name. Possible: {', '.join(SUFFIXES)}"
        ) from None
    except PermissionError:
        raise AblationError(f"{printable(file)} may not be read: permission denied") from None
    except Exception as error:  # Pillow raises many kinds of exceptions for damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise AblationError(f"{printable(file)} could not be read as an image: {reason}") from None
    if turn is not None:
        image = image.transpose(Image.Transpose[turn])
        conversions.append("rotated according to EXIF")
    return image, (*notes, *conversions)


def read_size(file: str | Path) -> tuple[int, int]:
    """Return the width and height of an image file in pixels, as `read_rgb` returns it; only its header is read.

    Raises:
        AblationError: if the file is not an image or may not be read.
    """
    check_file(file)
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(file, formats=FORMATS) as opened:
            warnings.simplefilter("ignore")
            width, height = opened.size
            return (height, width) if (_turn(opened) or "") in list(_TURNS.values())[3:] else (width, height)
    except Exception:
        read_rgb(file)  # its message says what is wrong
        raise


def check_file(file: str | Path) -> None:
    """Raise an `AblationError` unless the path is a regular file; opening a pipe would wait for ever."""
    try:
        mode = Path(file).stat().st_mode
    except PermissionError:
        raise AblationError(f"{printable(file)} may not be read: permission denied") from None
    except (OSError, ValueError) as error:
        if Path(file).is_symlink():
            raise AblationError(f"{printable(file)} is a link that leads to no file") from None
        reason = "" if isinstance(error, FileNotFoundError) else f": {getattr(error, 'strerror', None) or error}"
        raise AblationError(f"there is no image file {printable(file)}{reason}") from None
    if stat.S_ISDIR(mode):
        raise AblationError(f"there is no image file {printable(file)}: it is a folder")
    if not stat.S_ISREG(mode):
        raise AblationError(f"{printable(file)} is not a regular file, but a pipe, socket or device")


def printable(path: str | Path) -> str:
    r"""Return a path as one line that can be printed and encoded: other bytes than UTF-8 and control characters are escaped.

    >>> print(printable("caf\udce9.png"), printable("a\nb"))
    caf\xe9.png a\nb
    """
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(_escape(character) if unicodedata.category(character) == "Cc" else character for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _raw_mode(image: Image.Image) -> str:
    """Return the layout of the pixels in the file, such as "RGB;16B", or "" where Pillow does not tell it."""
    tiles: list[Any] = getattr(image, "tile", [])
    arguments = tiles[0][3] if tiles else ""
    if isinstance(arguments, tuple) and arguments:
        arguments = arguments[0]
    return arguments if isinstance(arguments, str) else ""


def _turn(image: Image.Image) -> str | None:
    """Return the name of the transposition that the EXIF data ask for; damaged EXIF data ask for none.

    `ImageOps.exif_transpose` also writes the EXIF data anew, and fails where a number in them is out of range.
    """
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data raise many kinds of exceptions
        return None


def _to_rgb(image: Image.Image, raw_mode: str) -> tuple[Image.Image, list[str]]:
    """Convert to 8-bit RGB; return the image and the conversions applied."""
    import numpy as np
    from PIL import Image

    notes = []
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if int(values.min()) < 0 or int(values.max()) > _WHITE_16:
            raise ValueError("it has 32-bit integers, which have no defined white level: save it with 8 or 16 bits")
        notes.append("16-bit values scaled to 8 bits")
        values = values.astype(np.int32)
        hidden = values == transparent if isinstance(transparent, int) else np.zeros_like(values, dtype=bool)
        image = Image.fromarray(np.where(hidden, 255, (values + 128) // 257).astype(np.uint8))  # 65535 is 255 * 257
        if hidden.any():
            notes.append("transparency composited on white")
    elif image.mode == "F":
        raise ValueError("it has floating-point numbers, which have no defined white level: save it with 8 or 16 bits")
    elif ";16" in raw_mode:
        if isinstance(transparent, tuple):
            raise ValueError("it has 16-bit colours of which one is transparent: save it with 8 bits")
        notes.append("16-bit values scaled to 8 bits")
    elif raw_mode in _GREY_STEPS and isinstance(transparent, int):
        image.info["transparency"] = transparent * _GREY_STEPS[raw_mode]
    if image.mode in ("1", "L", "LA", "La"):
        notes.append("greyscale copied to three channels")
    if image.has_transparency_data:
        notes.append("transparency composited on white")
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image if image.mode == "RGB" else image.convert("RGB"), notes
