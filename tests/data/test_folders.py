"""Awkward folders: every file is used with the right label, refused in one line, or counted as skipped with the reason."""

import os

import numpy as np
import pytest
from PIL import Image

from ablation import AblationError
from ablation import data as datasets
from ablation.data.class_folders import class_names, find_images


@pytest.fixture(autouse=True)
def fresh():
    datasets.load.cache_clear()
    yield
    datasets.load.cache_clear()


@pytest.fixture
def root(tmp_path):
    """Two classes of two training images and one test image."""
    root = tmp_path / "images"
    for split, name, i in (("train", n, i) for n in ("ant", "bee") for i in range(2)):
        picture(root / split / name / f"{i}.png")
    for name in ("ant", "bee"):
        picture(root / "val" / name / "0.png")
    return root


def picture(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)


def add(name, data=b""):
    return lambda root: (
        (root / name).parent.mkdir(parents=True, exist_ok=True),
        (root / name).write_bytes(data),
    )


def add_picture(name):
    return lambda root: picture(root / name)


def link(name, target):
    return lambda root: (root / name).symlink_to(target)


def pipe(name):
    return lambda root: os.mkfifo(root / name)


# what is added to the folder: (how, training images of each class, what is said about the skipped)
USED = {
    "plain": (lambda root: None, (2, 2), ""),
    "nested folder": (add_picture("train/ant/2023/x.png"), (3, 2), ""),
    "nested twice": (add_picture("train/ant/a/b/x.png"), (3, 2), ""),
    "folder of its own name": (add_picture("train/ant/ant/x.png"), (3, 2), ""),
    "upper case": (add_picture("train/ant/X.PNG"), (3, 2), ""),
    "webp": (add_picture("train/ant/x.webp"), (3, 2), ""),
    "bmp": (add_picture("train/bee/x.bmp"), (2, 3), ""),
    "gif": (add_picture("train/bee/x.gif"), (2, 3), ""),
    "tif": (add_picture("train/bee/x.tif"), (2, 3), ""),
    "link to itself": (link("train/ant/ant", "../ant"), (2, 2), "1 links to folders already read"),
    "link to a picture": (link("train/ant/x.png", "0.png"), (3, 2), ""),
    "dangling link": (link("train/ant/x.png", "nowhere"), (2, 2), "1 links that lead nowhere"),
    "looping link": (link("train/ant/x.png", "x.png"), (2, 2), "1 links that lead nowhere"),
    "dangling class": (link("train/cow", "nowhere"), (2, 2), "1 links that lead nowhere"),
    "pipe": (pipe("train/ant/x.png"), (2, 2), "1 pipes, sockets or devices"),
    "checkpoints of notebooks": (add_picture("train/.ipynb_checkpoints/x.png"), (2, 2), "1 hidden"),
    "hidden in a class": (add_picture("train/ant/.thumbnails/x.png"), (2, 2), "1 hidden"),
    "apple double": (add("train/ant/._0.png", b"\0\x05\x16\x07"), (2, 2), "1 hidden"),
    "desktop": (add("val/ant/.DS_Store"), (2, 2), "1 hidden"),
    "text beside pictures": (add("train/ant/note.txt"), (2, 2), "1 not named as images (.txt)"),
    "no suffix": (add("val/ant/README"), (2, 2), "1 not named as images (no suffix)"),
    "another format": (add("train/ant/x.avif"), (2, 2), "1 not named as images (.avif)"),
    "beside the classes": (add("train/x.png"), (2, 2), "1 outside the class folders"),
    "not UTF-8": (add_picture(f"train/ant/{os.fsdecode(bytes([233]))}.png"), (3, 2), ""),
    "superscript": (add_picture("train/ant/1²3.png"), (3, 2), ""),
    "line break": (add_picture("train/ant/a\nb.png"), (3, 2), ""),
}


@pytest.mark.parametrize("case", USED)
def test_files_are_used_or_counted(root, capsys, case):
    change, counts, said = USED[case]
    change(root)
    data = datasets.load(f"imagefolder:{root}")
    assert data.train_labels.tolist().count(0) == counts[0] and len(data.train_files) == sum(counts)
    for file, label in zip(data.train_files, data.train_labels, strict=True):
        assert file.relative_to(root).parts[1] == data.classes[label]
    assert len(data.checksum) == 16
    if not said:
        assert data.remark == ""
    else:
        expected = f"imagefolder:{root}: {sum(counts)} training and 2 test images in 2 classes; skipped: {said}"
        assert data.remark == expected
    datasets.load(f"imagefolder:{root}")
    assert capsys.readouterr().err == (f"{data.remark}\n" if said else ""), "said once"


# what is added to the folder: (how, the message)
REFUSED = {
    "class within a class": (
        add_picture("train/ant/bee/x.png"),
        "ant/bee is in the class ant but has the name of another",
    ),
    "link to another class": (link("train/ant/more", "../bee"), "is the same folder as one of the class"),
    "link to all classes": (link("train/ant/all", "../../train"), "has the name of another class"),
    "class without images": (
        lambda root: [add(f"{split}/cow/x.heic")(root) for split in ("train", "val")],
        r"train/cow contains no images \(1 not named as images \(\.heic\)\)",
    ),
    "class of one split": (add_picture("train/cow/x.png"), "differ: cow"),
    "one class twice": (
        lambda root: [link(f"{split}/cow", "ant")(root) for split in ("train", "val")],
        "is the same folder as one of the class ant",
    ),
    "name not UTF-8": (
        add_picture(f"train/{os.fsdecode(bytes([233]))}/x.png"),
        "has a name that is no text",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_folders_are_refused_in_one_line(root, case):
    change, message = REFUSED[case]
    change(root)
    with pytest.raises(AblationError, match=message) as raised:
        datasets.load(f"imagefolder:{root}")
    assert "\n" not in str(raised.value)


def test_a_split_that_is_the_other_is_refused(root):
    for split in ("ant", "bee"):
        (root / "val" / split / "0.png").unlink()
        (root / "val" / split).rmdir()
    (root / "val").rmdir()
    (root / "val").symlink_to("train")
    with pytest.raises(AblationError, match="are one folder"):
        datasets.load(f"imagefolder:{root}")


def test_reasons_are_counted_together(root):
    for name in ("train/ant/a.txt", "val/bee/b.xml", "train/bee/c.txt", "train/ant/.hidden"):
        add(name)(root)
    remark = datasets.load(f"imagefolder:{root}").remark
    assert remark.endswith("skipped: 3 not named as images (.txt, .xml), 1 hidden")


def test_permission_denied_is_one_message(root, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    for call in (lambda: class_names(root / "train"), lambda: find_images(root / "train", ["ant", "bee"])):
        with pytest.raises(AblationError, match="train may not be read: Permission denied"):
            call()


@pytest.mark.parametrize("name", ["a#b", "a#5", "#", "a#3+4", "c++#2"])
def test_a_path_may_contain_a_number_sign(root, tmp_path, name):
    root.rename(tmp_path / name)
    whole = datasets.load(f"imagefolder:{tmp_path / name}")
    assert len(whole.train_files) == 4 and whole.info.name == f"imagefolder:{tmp_path / name}"
    part = datasets.load(f"imagefolder:{tmp_path / name}#2")
    assert len(part.train_files) == 2 and part.info.num_classes == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits#-5", r"digits#-5: '#-5' is not a selection.*such as #1000 or #1000\+500"),
        ("digits#x", "'#x' is not a selection"),
        ("cifar10#", "'#' is not a selection"),
        ("cifar10#10k", "did you mean cifar10#10000?"),
        ("cifar10#10k+5k", r"did you mean cifar10#10000\+5000\?"),
        ("digits#5#6", "'#5#6' is not a selection"),
        ("digits#" + "9" * 5000, "is not a selection"),
        ("longrange:" + "9" * 5000, "has no distance in pixels"),
        ("imagefolder:", "needs the path of a folder"),
        ("imagefolder:~nobody-of-that-name/x", "has no folder"),
        ("imagefolder:/no#where", "imagefolder:/no#where has no folder /no#where/train"),
        ("imagefolder:nul\0", "has no folder"),
    ],
)
def test_a_wrong_selection_or_path_is_named(name, message):
    for call in (datasets.info, datasets.load):
        with pytest.raises(AblationError, match=message):
            call(name)


def test_a_wrong_selection_of_a_folder_is_named(root):
    with pytest.raises(AblationError, match=r"did you mean imagefolder:.*#1000"):
        datasets.info(f"imagefolder:{root}#1k")
