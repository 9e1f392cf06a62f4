"""Sets of torchvision's, from files in their own formats, and everything that can go wrong on the way to them."""

import gzip
import hashlib
import io
import pickle
import socket
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from torchvision import datasets

from ablation import AblationError
from ablation.data import download
from ablation.data.published_sets import SETS, imagenette_folder, load_published
from ablation.design.recipes import FAMILIES

ADVICE = "put cifar-10-python.tar.gz into .*cs.toronto.edu/~kriz/cifar.html.*digits and longrange need no download"
PIXELS = np.random.default_rng(0).integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(30) % 10


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty folder for data sets, and no set remembered."""
    root = tmp_path / "data"
    monkeypatch.setenv("ABLATION_DATA", str(root))
    monkeypatch.setenv("no_proxy", "*")
    load_published.cache_clear()
    yield root
    load_published.cache_clear()


def md5(data):
    return hashlib.md5(data).hexdigest()


def tar(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def resize(monkeypatch, name, train, test):
    monkeypatch.setitem(SETS, name, replace(SETS[name], train=train, test=test))


@pytest.fixture
def cifar10(monkeypatch):
    """The archive of a CIFAR-10 of 20 and 10 images, which torchvision takes for the real one."""
    parts = {
        name: pickle.dumps({"data": PIXELS[some].reshape(-1, 3072), "labels": LABELS[some].tolist()})
        for name, some in (("data_batch_1", slice(12)), ("data_batch_2", slice(12, 20)), ("test_batch", slice(20, 30)))
    }
    parts["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    lists = [[name, md5(data)] for name, data in parts.items()]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", lists[:2])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", lists[2:3])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": lists[3][1]})
    archive = tar({f"cifar-10-batches-py/{name}": data for name, data in parts.items()})
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    resize(monkeypatch, "cifar10", 20, 10)
    unreachable(monkeypatch)
    return archive


def unreachable(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{port}/cifar-10-python.tar.gz")


@contextmanager
def serving(handler):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
        finally:
            server.shutdown()
            thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def is_whole(data):
    assert data.info.name == "cifar10" and data.train_images.dtype == torch.uint8
    assert np.array_equal(data.train_images.numpy(), PIXELS[:20]) and np.array_equal(
        data.test_images.numpy(), PIXELS[20:]
    )
    assert data.train_labels.tolist() == LABELS[:20].tolist() and data.test_labels.tolist() == LABELS[20:].tolist()
    pixels = PIXELS[:20] / 255
    assert data.mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-12)
    assert data.std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-12)
    (images, _), *_ = data.train_batches(FAMILIES["micro"].modern.replace(batch_size=20, shift_px=0), 0, 0, 0, 1)
    assert images.mean((0, 2, 3)).abs().max() < 1e-5 and (images.std((0, 2, 3)) - 1).abs().max() < 1e-3
    return True


def test_an_archive_in_its_place_needs_no_network(root, cifar10, capfd):
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(cifar10)
    data = load_published("cifar10")
    assert is_whole(data) and "downloading" not in capfd.readouterr().err
    assert sorted(path.name for path in root.iterdir()) == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]
    (root / "cifar-10-python.tar.gz").unlink()
    load_published.cache_clear()
    again = load_published("cifar10")
    assert is_whole(again) and again.checksum == data.checksum and again is load_published("cifar10")


def test_a_download_says_what_it_does_and_is_done_once(root, cifar10, monkeypatch, tmp_path, capfd):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(cifar10)
    with serving(partial(Quiet, directory=str(tmp_path))) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        first = load_published("cifar10")
    assert is_whole(first)
    said = capfd.readouterr().err
    assert "downloading 171 MB" in said and f"put cifar-10-python.tar.gz into {root}" in said
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]
    load_published.cache_clear()
    assert is_whole(load_published("cifar10"))


def fails(root, message):
    with pytest.raises(AblationError, match=f"(?s){message}.*{ADVICE}") as raised:
        load_published("cifar10")
    assert str(root) in str(raised.value)
    assert not list(root.glob(".*")) and not (root / "cifar-10-batches-py").exists(), "no part stays"


def test_no_network(root, cifar10):
    fails(root, "cifar10 could not be fetched")


def test_a_server_that_says_nothing_is_given_up(root, cifar10, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/c.tar.gz")
        fails(root, "could not be fetched.*timed out")


def test_a_server_that_hardly_says_anything_is_given_up(root, cifar10, monkeypatch):
    stop = threading.Event()

    class Trickle(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            while not stop.wait(0.02):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return

        def log_message(self, *arguments):
            pass

    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    with serving(Trickle) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        fails(root, "sends only 0.. kB/s: given up")
        stop.set()


def test_a_download_that_breaks_off(root, cifar10, monkeypatch):
    class Half(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(cifar10)))
            self.end_headers()
            self.wfile.write(cifar10[: len(cifar10) // 2])

    with serving(Half) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        fails(root, "could not be fetched")


def test_ctrl_c_leaves_nothing_and_other_downloads_as_they_were(root, cifar10, monkeypatch):
    import urllib.request

    opener = urllib.request.build_opener()
    monkeypatch.setattr(urllib.request, "_opener", opener)

    def interrupted(*arguments, **options):
        assert urllib.request._opener is not opener
        next(root.glob(".cifar10.*")).joinpath("cifar-10-batches-py").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.CIFAR10, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_published("cifar10")
    assert not list(root.iterdir()) and urllib.request._opener is opener


def test_a_wrong_checksum_is_not_used_and_not_replaced(root, cifar10):
    root.mkdir()
    wrong = root / "cifar-10-python.tar.gz"
    wrong.write_bytes(cifar10[:-1] + b"x")
    fails(root, f"{wrong} is not the file that was published")
    assert wrong.exists()


def test_damage_after_unpacking_is_told(root, cifar10, monkeypatch):
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(cifar10)
    load_published("cifar10")
    load_published.cache_clear()
    with monkeypatch.context() as patch:
        resize(patch, "cifar10", 21, 10)
        with pytest.raises(AblationError, match="20 images and 20 labels in place of 21"):
            load_published("cifar10")
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"cut")
    with pytest.raises(AblationError, match=r"cifar10 is damaged.*Take away .*cifar-10-batches-py; then"):
        load_published("cifar10")


def test_cifar100_has_its_fine_labels(root, monkeypatch):
    parts = {
        name: pickle.dumps(
            {"data": PIXELS[:n].reshape(n, 3072), "fine_labels": list(range(n)), "coarse_labels": [0] * n}
        )
        for name, n in (("train", 20), ("test", 10))
    }
    parts["meta"] = pickle.dumps({"fine_label_names": [str(i) for i in range(100)]})
    for name, data in parts.items():
        place = root / "cifar-100-python" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", md5(parts["train"])]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", md5(parts["test"])]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", {**datasets.CIFAR100.meta, "md5": md5(parts["meta"])})
    resize(monkeypatch, "cifar100", 20, 10)
    data = load_published("cifar100")
    assert data.train_labels.tolist() == list(range(20)) and data.info.num_classes == 100


def fashion_files(monkeypatch):
    files = {}
    for split, n in (("train", 20), ("t10k", 10)):
        header = b"\0\0\x08\x03" + b"".join(number.to_bytes(4, "big") for number in (n, 28, 28))
        images = header + PIXELS[:n, 0, :28, :28].tobytes()
        labels = b"\0\0\x08\x01" + n.to_bytes(4, "big") + bytes(LABELS[:n].tolist())
        files[f"{split}-images-idx3-ubyte.gz"] = gzip.compress(images)
        files[f"{split}-labels-idx1-ubyte.gz"] = gzip.compress(labels)
    monkeypatch.setattr(datasets.FashionMNIST, "resources", [(name, md5(data)) for name, data in files.items()])
    resize(monkeypatch, "fashion_mnist", 20, 10)
    return files


def test_fashion_mnist_from_its_four_files(root, monkeypatch):
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in fashion_files(monkeypatch).items():
        (raw / name).write_bytes(data)
    data = load_published("fashion_mnist")
    assert np.array_equal(data.train_images[:, 0].numpy(), PIXELS[:20, 0, :28, :28])
    assert data.test_labels.tolist() == LABELS[:10].tolist() and len(data.mean) == 1
    load_published.cache_clear()
    images = raw / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-5])
    with pytest.raises(AblationError, match="fashion_mnist is damaged"):
        load_published("fashion_mnist")


def test_imagenette_is_a_folder(root, monkeypatch):
    members = {
        f"imagenette2-320/{split}/{wnid}/{i}.JPEG": b"jpeg"
        for split, n in (("train", 3), ("val", 2))
        for wnid in datasets.Imagenette._WNID_TO_CLASS
        for i in range(n)
    }
    archive = tar(members)
    url = datasets.Imagenette._ARCHIVES["320px"][0]
    monkeypatch.setattr(datasets.Imagenette, "_ARCHIVES", {"320px": (url, md5(archive))})
    resize(monkeypatch, "imagenette", 30, 20)
    root.mkdir()
    (root / "imagenette2-320.tgz").write_bytes(archive)
    folder = imagenette_folder()
    assert folder == root / "imagenette2-320" and len(list((folder / "train").iterdir())) == 10
    next((folder / "val").glob("*/*.JPEG")).unlink()
    with pytest.raises(AblationError, match="val holds 19 images in place of 20"):
        imagenette_folder()
    with pytest.raises(AblationError, match="streamed"):
        load_published("imagenette")


def test_names(root):
    with pytest.raises(AblationError, match="did you mean 'cifar10'"):
        load_published("cifar1O")
    assert all(published.info.name == name for name, published in SETS.items())


def test_a_root_that_cannot_be_written(root):
    root.touch()
    with pytest.raises(AblationError, match="cannot write to the folder"):
        load_published("cifar100")
