"""Reading image files: conversions with their notes, damaged and unsupported files, folders, and squares."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation.measure.images import Picture, read_folder, read_picture

GREY, WHITE, SIXTEEN, ROTATED = (
    "greyscale copied to three channels",
    "transparency composited on white",
    "16-bit values scaled to 8 bits",
    "rotated according to EXIF",
)


def colours(width=24, height=16):
    """Return a colour image in which no two pixels or channels are equal."""
    values = np.random.default_rng(0).permutation(width * height * 3) % 251
    return Image.fromarray(values.reshape(height, width, 3).astype(np.uint8))


def saved(image, file, **options):
    image.save(file, **options)
    return file


def pixels(picture):
    return np.asarray(picture.pixels)


def test_a_colour_image_is_read_unchanged(tmp_path):
    picture = read_picture(saved(colours(), tmp_path / "a.png"))
    assert picture.notes == () and picture.file == tmp_path / "a.png" and picture.pixels.mode == "RGB"
    assert np.array_equal(pixels(picture), np.asarray(colours()))
    assert read_picture(str(tmp_path / "a.png")).file == tmp_path / "a.png"


def test_greyscale_is_copied_to_three_channels(tmp_path):
    grey = colours().convert("L")
    picture = read_picture(saved(grey, tmp_path / "a.png"))
    assert picture.notes == (GREY,)
    assert np.array_equal(pixels(picture), np.stack([np.asarray(grey)] * 3, axis=-1))


def test_a_bilevel_image_is_greyscale(tmp_path):
    picture = read_picture(saved(colours().convert("1"), tmp_path / "a.png"))
    assert picture.notes == (GREY,) and set(np.unique(pixels(picture))) == {0, 255}


def test_transparency_is_composited_on_white(tmp_path):
    image = colours().convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 12, 16))
    image.putalpha(alpha)
    picture = read_picture(saved(image, tmp_path / "a.png"))
    assert picture.notes == (WHITE,)
    assert (pixels(picture)[:, :12] == 255).all()
    assert np.array_equal(pixels(picture)[:, 12:], np.asarray(colours())[:, 12:])


def test_greyscale_with_transparency_has_both_notes(tmp_path):
    image = colours().convert("LA")
    image.putalpha(Image.new("L", image.size, 0))
    picture = read_picture(saved(image, tmp_path / "a.png"))
    assert (pixels(picture) == 255).all()
    assert set(picture.notes) == {WHITE, GREY}


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_palette_with_a_transparent_colour(tmp_path, suffix):
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 8, 16))
    picture = read_picture(saved(image, tmp_path / f"a.{suffix}", transparency=1))
    assert picture.notes == (WHITE,)
    assert (pixels(picture)[:, :8] == 255).all() and (pixels(picture)[:, 8:] == [10, 20, 30]).all()


def test_a_palette_without_a_transparent_colour(tmp_path):
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30])
    picture = read_picture(saved(image, tmp_path / "a.png"))
    assert picture.notes == () and (pixels(picture) == [10, 20, 30]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, suffix):
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    picture = read_picture(saved(Image.fromarray(values), tmp_path / f"a.{suffix}"))
    assert picture.notes == (SIXTEEN, GREY)
    assert np.array_equal(pixels(picture)[..., 0].ravel(), np.arange(256))


def test_a_dark_sixteen_bit_image_stays_dark(tmp_path):
    file = saved(Image.fromarray(np.full((16, 16), 200, dtype=np.uint16)), tmp_path / "a.png")
    picture = read_picture(file)
    assert (pixels(picture) == 1).all(), "200 of 65535 is nearly black"
    assert SIXTEEN in picture.notes


def test_sixteen_bits_with_a_transparent_value(tmp_path):
    values = np.full((16, 16), 20000, dtype=np.uint16)
    picture = read_picture(saved(Image.fromarray(values), tmp_path / "a.png", transparency=20000))
    assert WHITE in picture.notes and (pixels(picture) == 255).all()


@pytest.mark.parametrize(("orientation", "turn"), [(3, 180), (6, 270), (8, 90)])
def test_exif_rotation_is_applied(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(colours(), tmp_path / "a.png", exif=exif))
    assert picture.notes == (ROTATED,)
    assert np.array_equal(pixels(picture), np.asarray(colours().rotate(turn, expand=True)))


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_unrotated_images_have_no_note(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(colours(), tmp_path / "a.png", exif=exif))
    assert np.array_equal(pixels(picture), np.asarray(colours()))
    assert picture.notes == ()


def test_cmyk_is_converted_to_rgb(tmp_path):
    assert read_picture(saved(colours().convert("CMYK"), tmp_path / "a.jpg")).pixels.mode == "RGB"


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (pixels(read_picture(tmp_path / "a.gif")) == [255, 0, 0]).all()


@pytest.mark.parametrize(("side", "fits"), [(1, False), (7, False), (8, True)])
def test_a_tiny_image_is_refused(tmp_path, side, fits):
    file = saved(colours(side, 20), tmp_path / "a.png")
    if fits:
        assert read_picture(file).pixels.size == (8, 20)
    else:
        with pytest.raises(AblationError, match=rf"a\.png is {side} x 20 pixels: both sides must be 8 pixels or more"):
            read_picture(file)


def test_a_text_file_is_refused_despite_its_name(tmp_path):
    (tmp_path / "a.png").write_text("this is no image")
    with pytest.raises(AblationError, match=r"a\.png is not an image, despite its name\. Possible: \.png"):
        read_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(AblationError, match=r"b\.png is not an image"):
        read_picture(tmp_path / "b.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "ppm"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    file = saved(colours(), tmp_path / f"a.{suffix}")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(AblationError, match=rf"a\.{suffix} (could not be read as|is not) an image"):
        read_picture(file)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "ppm"])
def test_a_damaged_file_is_read_or_refused(tmp_path, suffix):
    file, draw = saved(colours(), tmp_path / f"a.{suffix}"), random.Random(0)
    data = file.read_bytes()
    for _ in range(60):
        damaged = bytearray(data[: draw.randrange(len(data))] if draw.random() < 0.5 else data)
        for _ in range(draw.randint(0, 4)):
            if damaged:
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        file.write_bytes(damaged)
        try:
            assert read_picture(file).pixels.mode == "RGB"
        except AblationError as error:
            assert f"a.{suffix}" in str(error)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AblationError, match=r"there is no image file .*none\.png"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(AblationError, match="there is no image file"):
        read_picture(tmp_path)


def test_floating_point_images_are_refused(tmp_path):
    file = saved(Image.fromarray(np.zeros((16, 16), dtype=np.float32)), tmp_path / "a.tif")
    with pytest.raises(
        AblationError, match="floating-point numbers, which have no defined white level: save it with 8 or 16 bits"
    ):
        read_picture(file)


def test_the_message_names_the_file(tmp_path):
    file = saved(Image.fromarray(np.zeros((16, 16), dtype=np.float32)), tmp_path / "a.tif")
    with pytest.raises(AblationError, match=r"a\.tif"):
        read_folder(file.parent)


def test_a_folder_is_read_in_order_of_names(tmp_path):
    for name in ("b.jpg", "a.PNG", "c.png"):
        saved(colours(), tmp_path / name)
    (tmp_path / "notes.txt").write_text("neither an image nor named like one")
    (tmp_path / "deeper").mkdir()
    saved(colours(), tmp_path / "deeper" / "d.png")
    assert [picture.file.name for picture in read_folder(tmp_path)] == ["a.PNG", "b.jpg", "c.png"]


def test_a_folder_without_readable_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(AblationError, match=r"no image file in .*Possible: \.png, \.jpg"):
        read_folder(tmp_path)
    with pytest.raises(AblationError, match="there is no folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(AblationError, match=r"a\.png is not an image"):
        read_folder(tmp_path)


def test_the_centre_square_is_resized():
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (10, 0, 30, 20))  # the white part is the centre square
    square = Picture(Path("a.png"), image, ()).square(10)
    assert square.shape == (3, 10, 10) and square.dtype == torch.float32 and square.is_contiguous()
    assert (square[:, 1:-1, 1:-1] == 1).all()
    assert torch.equal(Picture(Path("a.png"), image, ()).square(20), torch.ones(3, 20, 20))


def test_a_single_channel_is_the_luminance():
    picture = Picture(Path("a.png"), colours(16, 16), ())
    expected = torch.tensor(np.asarray(colours(16, 16).convert("L"))[None] / 255, dtype=torch.float32)
    torch.testing.assert_close(picture.square(16, in_chans=1), expected)


def test_invalid_square_sizes_and_channels_are_refused():
    picture = Picture(Path("a.png"), colours(), ())
    with pytest.raises(AblationError, match="1 or 3 channels, not 4"):
        picture.square(8, in_chans=4)
    with pytest.raises(AblationError, match="size 0 must be 1 pixel or more"):
        picture.square(0)


def test_what_is_no_picture_in_a_folder_is_left_out_or_refused(tmp_path):
    saved(colours(), tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"\0\x05\x16\x07")
    assert [picture.file.name for picture in read_folder(tmp_path)] == ["a.png"]
    os.mkfifo(tmp_path / "b.png")
    with pytest.raises(AblationError, match=r"b\.png is not a regular file"):
        read_folder(tmp_path)
    (tmp_path / "b.png").unlink()
    (tmp_path / "b.png").symlink_to("nowhere.png")
    with pytest.raises(AblationError, match=r"b\.png is a link that leads to no file"):
        read_folder(tmp_path)


def test_permission_denied_for_a_folder_is_one_message(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(AblationError, match="may not be read: Permission denied"):
        read_folder(tmp_path)
