"""Photographs: every kind of file is read as what it shows, with a note of what that took, or refused in words."""

import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from ablation import AblationError
from ablation.measure.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PHOTOGRAPHS,
    Picture,
    denormalise,
    normalisation,
    normalise,
    photograph,
    photographs,
    read_folder,
    read_picture,
)

GREY, WHITE, SIXTEEN, ROTATED = (
    "grey taken as three equal channels",
    "transparency laid on white",
    "16 bits scaled to 8",
    "rotated as the camera says",
)


def colours(width=24, height=16):
    """A colour image of which no two pixels or channels are alike."""
    values = np.random.default_rng(0).permutation(width * height * 3) % 251
    return Image.fromarray(values.reshape(height, width, 3).astype(np.uint8))


def saved(image, file, **options):
    image.save(file, **options)
    return file


def pixels(picture):
    return np.asarray(picture.pixels)


def test_a_colour_image_is_read_as_it_is(tmp_path):
    picture = read_picture(saved(colours(), tmp_path / "a.png"))
    assert picture.notes == () and picture.file == tmp_path / "a.png" and picture.pixels.mode == "RGB"
    assert np.array_equal(pixels(picture), np.asarray(colours()))
    assert read_picture(str(tmp_path / "a.png")).file == tmp_path / "a.png"


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = colours().convert("L")
    picture = read_picture(saved(grey, tmp_path / "a.png"))
    assert picture.notes == (GREY,)
    assert np.array_equal(pixels(picture), np.stack([np.asarray(grey)] * 3, axis=-1))


def test_black_and_white_is_grey(tmp_path):
    picture = read_picture(saved(colours().convert("1"), tmp_path / "a.png"))
    assert picture.notes == (GREY,) and set(np.unique(pixels(picture))) == {0, 255}


def test_transparency_is_laid_on_white(tmp_path):
    image = colours().convert("RGBA")
    half = Image.new("L", image.size, 255)
    half.paste(0, (0, 0, 12, 16))
    image.putalpha(half)
    picture = read_picture(saved(image, tmp_path / "a.png"))
    assert picture.notes == (WHITE,)
    assert (pixels(picture)[:, :12] == 255).all()
    assert np.array_equal(pixels(picture)[:, 12:], np.asarray(colours())[:, 12:])


def test_grey_with_transparency_is_said_to_be_both(tmp_path):
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


def test_a_palette_without_one(tmp_path):
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


def test_a_dark_image_of_sixteen_bits_stays_dark(tmp_path):
    file = saved(Image.fromarray(np.full((16, 16), 200, dtype=np.uint16)), tmp_path / "a.png")
    picture = read_picture(file)
    assert (pixels(picture) == 1).all(), "200 of 65535 is all but black"
    assert SIXTEEN in picture.notes


def test_sixteen_bits_with_a_transparent_value(tmp_path):
    values = np.full((16, 16), 20000, dtype=np.uint16)
    picture = read_picture(saved(Image.fromarray(values), tmp_path / "a.png", transparency=20000))
    assert WHITE in picture.notes and (pixels(picture) == 255).all()


@pytest.mark.parametrize(("orientation", "turn"), [(3, 180), (6, 270), (8, 90)])
def test_a_camera_s_rotation_is_applied(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(colours(), tmp_path / "a.png", exif=exif))
    assert picture.notes == (ROTATED,)
    assert np.array_equal(pixels(picture), np.asarray(colours().rotate(turn, expand=True)))


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_what_is_not_rotated_is_not_said_to_be(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(colours(), tmp_path / "a.png", exif=exif))
    assert np.array_equal(pixels(picture), np.asarray(colours()))
    assert picture.notes == ()


def test_printers_colours_become_a_screen_s(tmp_path):
    assert read_picture(saved(colours().convert("CMYK"), tmp_path / "a.jpg")).pixels.mode == "RGB"


def test_of_a_moving_picture_the_first(tmp_path):
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (pixels(read_picture(tmp_path / "a.gif")) == [255, 0, 0]).all()


@pytest.mark.parametrize(("side", "fits"), [(1, False), (7, False), (8, True)])
def test_a_dot_is_no_picture(tmp_path, side, fits):
    file = saved(colours(side, 20), tmp_path / "a.png")
    if fits:
        assert read_picture(file).pixels.size == (8, 20)
    else:
        with pytest.raises(AblationError, match=rf"a\.png is {side} x 20 pixels: both sides must have 8 or more"):
            read_picture(file)


def test_text_is_no_image_whatever_its_name(tmp_path):
    (tmp_path / "a.png").write_text("this is no image")
    with pytest.raises(AblationError, match=r"a\.png is not an image, whatever its name says\. Possible: \.png"):
        read_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(AblationError, match=r"b\.png is not an image"):
        read_picture(tmp_path / "b.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "ppm"])
def test_a_truncated_file_is_said_to_be_unreadable(tmp_path, suffix):
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


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(AblationError, match=r"there is no image file .*none\.png"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(AblationError, match="there is no image file"):
        read_picture(tmp_path)


def test_floating_point_numbers_have_no_white(tmp_path):
    file = saved(Image.fromarray(np.zeros((16, 16), dtype=np.float32)), tmp_path / "a.tif")
    with pytest.raises(
        AblationError, match="floating-point numbers, which have no fixed white: save it as 8 or 16 bits"
    ):
        read_picture(file)


def test_every_refusal_names_its_file(tmp_path):
    file = saved(Image.fromarray(np.zeros((16, 16), dtype=np.float32)), tmp_path / "a.tif")
    with pytest.raises(AblationError, match=r"a\.tif"):
        read_folder(file.parent)


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name in ("b.jpg", "a.PNG", "c.png"):
        saved(colours(), tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image, and no image's name")
    (tmp_path / "deeper").mkdir()
    saved(colours(), tmp_path / "deeper" / "d.png")
    assert [picture.file.name for picture in read_folder(tmp_path)] == ["a.PNG", "b.jpg", "c.png"]


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(AblationError, match=r"no image right inside .*Possible: \.png, \.jpg"):
        read_folder(tmp_path)
    with pytest.raises(AblationError, match="there is no folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(AblationError, match=r"a\.png is not an image"):
        read_folder(tmp_path)


def test_the_middle_square_is_scaled():
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (10, 0, 30, 20))  # white is the middle square
    square = Picture(Path("a.png"), image, ()).square(10)
    assert square.shape == (3, 10, 10) and square.dtype == torch.float32 and square.is_contiguous()
    assert (square[:, 1:-1, 1:-1] == 1).all()
    assert torch.equal(Picture(Path("a.png"), image, ()).square(20), torch.ones(3, 20, 20))


def test_one_channel_is_the_luminance():
    picture = Picture(Path("a.png"), colours(16, 16), ())
    expected = torch.tensor(np.asarray(colours(16, 16).convert("L"))[None] / 255, dtype=torch.float32)
    torch.testing.assert_close(picture.square(16, in_chans=1), expected)


def test_impossible_squares_are_refused():
    picture = Picture(Path("a.png"), colours(), ())
    with pytest.raises(AblationError, match="1 or 3 channels, and 4 were asked for"):
        picture.square(8, in_chans=4)
    with pytest.raises(AblationError, match="size 0 must be 1 pixel or more"):
        picture.square(0)


@pytest.mark.parametrize(("size", "in_chans"), [(224, 3), (32, 1)])
def test_eight_photographs(size, in_chans):
    images = photographs(size, in_chans)
    assert images.shape == (8, in_chans, size, size) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1
    assert all(image.std() > 0.01 for image in images)


@pytest.mark.parametrize("entry", PHOTOGRAPHS, ids=lambda entry: entry.name)
def test_every_photograph_says_its_terms_and_lies_in_its_package(entry):
    assert entry.licence in ("public domain", "CC0", "CC BY 2.0") and entry.source
    assert (Path(find_spec(entry.package).origin).parent / entry.file).is_file()
    assert min(photograph(entry.name).pixels.size) >= 224, "large enough not to be blown up"


def test_the_photographs_packages_are_required():
    import tomllib

    root = Path(__file__).parents[2]
    required = " ".join(tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"])
    distributions = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
    assert all(distributions[entry.package] in required for entry in PHOTOGRAPHS)


def test_an_unknown_photograph_offers_the_nearest():
    with pytest.raises(AblationError, match="unknown photograph 'cofee'; did you mean 'coffee'"):
        photograph("cofee")


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AblationError, match="'cat' lies in the package skimage, which is missing"):
        photograph("cat")


def test_normalising_and_back():
    images = torch.rand(2, 3, 4, 4)
    there = normalise(images, IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(there[:, 1], (images[:, 1] - 0.456) / 0.224)
    torch.testing.assert_close(denormalise(there, IMAGENET_MEAN, IMAGENET_STD), images)
    assert normalise(images.double(), (0.5,), (2.0,)).dtype == torch.float64


@pytest.mark.parametrize("values", [(0.5, 0.5), (), (float("nan"),) * 3])
def test_a_normalisation_has_one_number_a_channel(values):
    with pytest.raises(AblationError, match="must have 3 values, one a channel"):
        normalise(torch.rand(1, 3, 4, 4), values, (1.0,))
    with pytest.raises(AblationError, match="must have 3 values, one a channel"):
        denormalise(torch.rand(1, 3, 4, 4), (0.0,), values)


def test_the_normalisation_a_network_expects():
    assert normalisation(nn.Conv2d(3, 4, 1), 3) == (IMAGENET_MEAN, IMAGENET_STD)
    assert normalisation(timm.create_model("vit_tiny_patch16_224.augreg_in21k_ft_in1k", depth=1), 3)[0] == (0.5,) * 3
    digits = nn.Conv2d(1, 4, 1)
    digits.pretrained_cfg = {"mean": (0.3,), "std": (0.4,)}
    assert normalisation(digits, 1) == ((0.3,), (0.4,))
    with pytest.raises(AblationError, match="give mean and std: for images of 1 channels"):
        normalisation(nn.Conv2d(1, 4, 1), 1)
