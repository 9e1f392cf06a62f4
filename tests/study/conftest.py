"""Fixtures of the tests of studies."""

import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder that is a file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small or read-only file system requires root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def make_read_only():
    """Return a function that makes the file system of a folder read-only."""
    return lambda folder: subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
