"""Downloads of data sets: progress messages, slow and broken connections, interruption and wrong checksums."""

import socket
import threading
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from torchvision import datasets

from ablation import AblationError
from ablation.data import download
from ablation.data.published_sets import load_published
from tests.data.archives import check_cifar10

ADVICE = "put cifar-10-python.tar.gz into .*cs.toronto.edu/~kriz/cifar.html.*digits and longrange need no download"


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


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def assert_fails_cleanly(root, message):
    with pytest.raises(AblationError, match=f"(?s){message}.*{ADVICE}") as raised:
        load_published("cifar10")
    assert str(root) in str(raised.value)
    assert not list(root.glob(".*")) and not (root / "cifar-10-batches-py").exists(), "no partial files remain"


def test_a_download_is_reported_and_happens_once(root, cifar10, monkeypatch, tmp_path, capfd):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(cifar10)
    with serving(partial(QuietHandler, directory=str(tmp_path))) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        first = load_published("cifar10")
    check_cifar10(first)
    output = capfd.readouterr().err
    assert "downloading 171 MB" in output and f"put cifar-10-python.tar.gz into {root}" in output
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-py"]
    load_published.cache_clear()
    check_cifar10(load_published("cifar10"))


def test_an_unreachable_server_is_an_error(root, cifar10):
    assert_fails_cleanly(root, "cifar10 could not be downloaded")


def test_a_silent_server_times_out(root, cifar10, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/c.tar.gz")
        assert_fails_cleanly(root, "could not be downloaded.*timed out")


def test_a_download_from_a_slow_server_is_aborted(root, cifar10, monkeypatch):
    stop = threading.Event()

    class SlowHandler(BaseHTTPRequestHandler):
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
    with serving(SlowHandler) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        assert_fails_cleanly(root, "sends only 0.. kB/s: download aborted")
        stop.set()


def test_an_incomplete_download_is_an_error(root, cifar10, monkeypatch):
    class TruncatingHandler(QuietHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(cifar10)))
            self.end_headers()
            self.wfile.write(cifar10[: len(cifar10) // 2])

    with serving(TruncatingHandler) as url:
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        assert_fails_cleanly(root, "could not be downloaded")


def test_ctrl_c_removes_partial_files_and_restores_the_url_opener(root, cifar10, monkeypatch):
    opener = urllib.request.build_opener()
    monkeypatch.setattr(urllib.request, "_opener", opener)

    def interrupt(*arguments, **options):
        assert urllib.request._opener is not opener
        next(root.glob(".cifar10.*")).joinpath("cifar-10-batches-py").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.CIFAR10, "download", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_published("cifar10")
    assert not list(root.iterdir()) and urllib.request._opener is opener


def test_an_archive_with_a_wrong_checksum_is_neither_used_nor_replaced(root, cifar10):
    root.mkdir()
    wrong = root / "cifar-10-python.tar.gz"
    wrong.write_bytes(cifar10[:-1] + b"x")
    assert_fails_cleanly(root, f"{wrong} has the wrong checksum")
    assert wrong.exists()


def test_a_root_that_is_not_writable_is_an_error(root):
    root.touch()
    with pytest.raises(AblationError, match="cannot write to the folder"):
        load_published("cifar100")
