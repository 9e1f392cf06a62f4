"""Files are replaced as a whole; links, pipes, devices and standard output are written through, and stay what they are."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ablation import AblationError
from ablation.files import writable_folder, write_atomically

WRITE = (
    "import sys; from ablation.files import write_atomically; print('first'); write_atomically(sys.argv[1], b'data')"
)


def run_writer(*command, **options):
    return subprocess.run([sys.executable, "-c", WRITE, *command], check=True, timeout=60, **options)


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path):
    file = tmp_path / "new" / "file.csv"
    mask = os.umask(0o027)
    try:
        write_atomically(file, "täxt\udcff")
    finally:
        os.umask(mask)
    assert file.read_bytes() == "täxt\\udcff".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640, "the umask is respected"
    file.chmod(0o600)
    write_atomically(file, b"other")
    assert file.read_bytes() == b"other" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file], "no temporary file is left"


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path):
    file = tmp_path / ("a" * 255)
    write_atomically(file, b"data")
    assert file.read_bytes() == b"data"


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "deep").mkdir()
    target, link = tmp_path / "deep" / "target.csv", tmp_path / "link.csv"
    link.symlink_to(Path("deep") / "target.csv")
    for content in (b"made through a link to nothing yet", b"replaced"):
        write_atomically(link, content)
        assert link.is_symlink() and not target.is_symlink() and target.read_bytes() == content


def test_a_pipe_is_written_through(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        found = []
        reader = threading.Thread(target=lambda found=found: found.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write_atomically(path, b"x" * 200_000)  # more than a pipe holds
        reader.join(10)
        assert found == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.lstat().st_mode) and link.is_symlink()


def test_a_pipe_without_a_reader_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.files._PIPE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AblationError, match="no process reads from this pipe"):
        write_atomically(tmp_path / "pipe", b"data")


def test_a_device_is_not_replaced(tmp_path):
    """On a node like /dev/null, where this process may make and open one; elsewhere on a pipe, which is open for reading."""
    node = tmp_path / "node"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        os.mkfifo(node)
    reader = os.open(node, os.O_RDONLY | os.O_NONBLOCK) if stat.S_ISFIFO(node.stat().st_mode) else None
    before = node.lstat()
    try:
        write_atomically(node, b"data")
    except AblationError as error:  # the file system allows no devices
        assert "Permission denied" in str(error)
    assert (node.lstat().st_mode, node.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert list(tmp_path.iterdir()) == [node]
    if reader is not None:
        os.close(reader)


def test_standard_output_is_written_to_in_order(tmp_path):
    link = tmp_path / "stdout"  # as /dev/stdout is; never that one itself, which a mistake would replace
    link.symlink_to("/proc/self/fd/1")
    done = run_writer(link, stdout=subprocess.PIPE)
    assert done.stdout == b"first\ndata"
    for name in (link, tmp_path / "out.txt"):
        with (tmp_path / "out.txt").open("wb") as out:
            out.write(b"kept\n")
            out.flush()
            run_writer(name, stdout=out)
        assert (tmp_path / "out.txt").read_bytes() == b"kept\nfirst\ndata"
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: path.symlink_to(path.name), "symbolic links"),
        (lambda path: path.parent.joinpath("null\0byte"), "null byte"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, make, message):
    path = make(tmp_path / "path") or tmp_path / "path"
    with pytest.raises(AblationError, match=message):
        write_atomically(path, b"data")


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch):
    file = tmp_path / "protected.csv"
    file.write_bytes(b"kept")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write to any file
    with pytest.raises(AblationError, match=r"cannot write .*protected.csv: Permission denied"):
        write_atomically(file, b"data")
    assert file.read_bytes() == b"kept" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["null\0byte", "a" * 300])
def test_an_impossible_folder_is_refused(tmp_path, name):
    with pytest.raises(AblationError, match="cannot write to the folder"):
        writable_folder(tmp_path / name)
