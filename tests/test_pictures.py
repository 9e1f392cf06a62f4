"""Reading image files: awkward formats have the right pixels, or are refused in one line that names the file."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from ablation import AblationError
from ablation.pictures import read_rgb, read_size

RAMP = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
GREY = RAMP[..., 0]
COLOUR = Image.fromarray(RAMP)
SIXTEEN, WHITE, COPIED = (
    "16-bit values scaled to 8 bits",
    "transparency composited on white",
    "greyscale copied to three channels",
)
FIRST, ROTATED = "first frame of several", "rotated according to EXIF"


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, rows, transparent=b""):
    """Return a PNG with any depth; colour 0 is grey, 2 RGB, 4 grey with alpha, 6 RGBA. Each row is given as bytes."""
    raw = b"".join(b"\0" + row for row in rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    extra = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def exif(orientation, *entries):
    """Return EXIF data with an orientation and other (tag, type, count, offset or value)."""
    first = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    rest = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    number = struct.pack("<H", 1 + len(entries))
    return b"Exif\0\0II*\0\x08\0\0\0" + number + first + rest + struct.pack("<I", 0) + struct.pack("<ii", -1, 0)


def rgb(grey):
    return np.stack([grey] * 3, axis=-1)


def with_alpha():
    image = COLOUR.convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(12) < 6, 0, 255).astype(np.uint8)[None].repeat(8, 0)))
    return image


def palette(**options):
    image = Image.new("P", (12, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 6, 8))
    return saved(image, "PNG", **options)


HALF_WHITE = np.where(np.arange(12)[None, :, None] < 6, 255, RAMP)
CARDS = rgb(np.zeros((8, 12), np.uint8)) + np.array([10, 20, 30], np.uint8)
TWO = [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue")]
RED = np.zeros((8, 12, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
SIXTEEN_BITS = GREY.astype(np.uint16) * 257
TAGS = (0x011A, 10, 1, 38)  # a resolution of type SRATIONAL, (-1, 0), at byte 38

# name: (bytes of the file, pixels, conversions)
READ = {
    "rgb.png": (saved(COLOUR, "PNG"), RAMP, ()),
    "grey.png": (saved(Image.fromarray(GREY), "PNG"), rgb(GREY), (COPIED,)),
    "one-bit.png": (
        saved(Image.fromarray(GREY > 99), "PNG"),
        rgb(np.where(GREY > 99, 255, 0)),
        (COPIED,),
    ),
    "grey-16.png": (saved(Image.fromarray(SIXTEEN_BITS), "PNG"), rgb(GREY), (SIXTEEN, COPIED)),
    "grey-16.tif": (saved(Image.fromarray(SIXTEEN_BITS), "TIFF"), rgb(GREY), (SIXTEEN, COPIED)),
    "grey-16.pgm": (
        b"P5 12 8 65535\n" + SIXTEEN_BITS.astype(">u2").tobytes(),
        rgb(GREY),
        (SIXTEEN, COPIED),
    ),
    "grey-16-transparent.png": (
        png(2, 1, 16, 0, [struct.pack(">2H", 778, 257)], struct.pack(">H", 778)),
        rgb(np.array([[255, 1]])),
        (SIXTEEN, WHITE, COPIED),
    ),
    "rgb-16.png": (
        png(2, 1, 16, 2, [struct.pack(">6H", 257, 514, 771, 65535, 0, 0)]),
        np.array([[[1, 2, 3], [255, 0, 0]]]),
        (SIXTEEN,),
    ),
    "rgba-16.png": (
        png(2, 1, 16, 6, [struct.pack(">8H", 9, 9, 9, 0, 257, 514, 771, 65535)]),
        np.array([[[255] * 3, [1, 2, 3]]]),
        (SIXTEEN, WHITE),
    ),
    "grey-alpha.png": (
        png(2, 1, 8, 4, [bytes([7, 0, 7, 255])]),
        rgb(np.array([[255, 7]])),
        (COPIED, WHITE),
    ),
    "grey-4-transparent.png": (
        png(2, 1, 4, 0, [b"\x3a"], b"\0\x03"),
        rgb(np.array([[255, 170]])),
        (COPIED, WHITE),
    ),
    "grey-2-transparent.png": (
        png(4, 1, 2, 0, [b"\x1b"], b"\0\x01"),
        rgb(np.array([[0, 255, 170, 255]])),
        (COPIED, WHITE),
    ),
    "rgb-transparent.png": (
        png(2, 1, 8, 2, [bytes([1, 2, 3, 4, 5, 6])], struct.pack(">3H", 1, 2, 3)),
        np.array([[[255] * 3, [4, 5, 6]]]),
        (WHITE,),
    ),
    "alpha.png": (saved(with_alpha(), "PNG"), HALF_WHITE, (WHITE,)),
    "alpha.webp": (saved(with_alpha(), "WEBP", lossless=True, exact=True), HALF_WHITE, (WHITE,)),
    "alpha.tif": (saved(with_alpha(), "TIFF"), HALF_WHITE, (WHITE,)),
    "palette.png": (palette(), np.where(np.arange(12)[None, :, None] < 6, [200, 100, 50], CARDS), ()),
    "palette-transparent.png": (
        palette(transparency=1),
        np.where(np.arange(12)[None, :, None] < 6, 255, CARDS),
        (WHITE,),
    ),
    "cmyk.tif": (saved(Image.new("CMYK", (12, 8), (0, 255, 255, 0)), "TIFF"), RED, ()),
    "lossless.webp": (saved(COLOUR, "WEBP", lossless=True), RAMP, ()),
    "plain.bmp": (saved(COLOUR, "BMP"), RAMP, ()),
    "plain.ppm": (saved(COLOUR, "PPM"), RAMP, ()),
    "frames.gif": (saved(TWO[0], "GIF", save_all=True, append_images=TWO[1:]), RED, (FIRST,)),
    "frames.png": (saved(TWO[0], "PNG", save_all=True, append_images=TWO[1:]), RED, (FIRST,)),
    "frames.webp": (
        saved(TWO[0], "WEBP", save_all=True, append_images=TWO[1:], lossless=True),
        RED,
        (FIRST,),
    ),
    "pages.tif": (saved(TWO[0], "TIFF", save_all=True, append_images=TWO[1:]), RED, (FIRST,)),
    "rotated.png": (saved(COLOUR, "PNG", exif=exif(6)), np.rot90(RAMP, -1), (ROTATED,)),
    "mirrored.png": (saved(COLOUR, "PNG", exif=exif(5)), RAMP.transpose(1, 0, 2), (ROTATED,)),
    "srational.png": (saved(COLOUR, "PNG", exif=exif(6, TAGS)), np.rot90(RAMP, -1), (ROTATED,)),
    "damaged-exif.png": (saved(COLOUR, "PNG", exif=b"Exif\0\0II*\0\xff\xff\0\0"), RAMP, ()),
    "png-named.jpg": (saved(COLOUR, "PNG"), RAMP, ()),
}
FLOATS, INTEGERS = np.zeros((8, 8), np.float32), np.full((8, 8), 70_000, np.int32)

# name: (bytes of the file, part of the message)
REFUSED = {
    "float.tif": (saved(Image.fromarray(FLOATS), "TIFF"), "floating-point numbers"),
    "integer.tif": (saved(Image.fromarray(INTEGERS), "TIFF"), "32-bit integers"),
    "rgb-16-transparent.png": (
        png(2, 1, 16, 2, [struct.pack(">6H", 1, 2, 3, 4, 5, 6)], struct.pack(">3H", 1, 2, 3)),
        "16-bit colours of which one is transparent",
    ),
    "bomb.png": (png(60_000, 60_000, 8, 0, [b"\0"]), "3600000000 pixels"),
    "cut.png": (saved(COLOUR, "PNG")[:-40], "could not be read"),
    "empty.png": (b"", "is not an image, despite its name"),
    "text.png": (b"no image", "is not an image, despite its name"),
    "apple-double.png": (b"\0\x05\x16\x07\0\x02\0\0Mac OS X" + bytes(60), "is not an image, despite its name"),
    "vector.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "is not an image, despite its name"),
    "icon.png": (saved(COLOUR, "ICO", sizes=[(8, 8)]), "is not an image, despite its name"),
}


def test_enough_formats_are_covered():
    assert len(READ) + len(REFUSED) > 40


@pytest.mark.parametrize("name", READ)
def test_pixels_and_conversions(tmp_path, name):
    data, pixels, notes = READ[name]
    (tmp_path / name).write_bytes(data)
    image, conversions = read_rgb(tmp_path / name)
    assert image.mode == "RGB" and np.array_equal(np.asarray(image), pixels)
    assert conversions == notes
    assert read_size(tmp_path / name) == image.size


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(tmp_path, name):
    data, message = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AblationError) as raised:
        read_rgb(tmp_path / name)
    assert name in str(raised.value) and message in str(raised.value) and "\n" not in str(raised.value)


def test_lossy_colours_are_those_of_the_file(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    assert np.abs(np.asarray(read_rgb(tmp_path / "cmyk.jpg")[0]).astype(int) - [255, 0, 0]).max() < 8


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    for name, message in {
        "pipe.png": "not a regular file",
        "dangling.png": "leads to no file",
        "loop.png": "leads to no file",
        "folder.png": "it is a folder",
        "none.png": "there is no image file",
        "nul\0.png": "there is no image file",
    }.items():
        with pytest.raises(AblationError, match=message):
            read_rgb(tmp_path / name)


def test_a_name_that_is_not_utf8_is_printable(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.png")
    file.write_bytes(b"no image")
    with pytest.raises(AblationError, match=r"caf\\xe9\.png is not an image") as raised:
        read_rgb(file)
    str(raised.value).encode()


def test_permission_denied_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(saved(COLOUR, "PNG"))

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", denied)
    with pytest.raises(AblationError, match=r"a\.png may not be read: permission denied"):
        read_rgb(tmp_path / "a.png")


def test_pillow_is_imported_only_to_read():
    program = "import sys, ablation.pictures; assert not {'PIL', 'numpy', 'torch'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
