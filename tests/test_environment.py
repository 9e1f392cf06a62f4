"""Memory that is kept: what the system hands out anew, counted in page faults of a process of its own."""

import platform
import subprocess
import sys

import pytest

from ablation import environment

_FAULTS = """
import resource, sys
import torch
from ablation.environment import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for _ in range(20):
    torch.ones(5_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.ones(5_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, where nothing is asked for")
def test_kept_memory_is_not_cleared_anew():
    # Fixed from the start, so that glibc does not learn by itself to keep blocks of this one size.
    fixed = {"MALLOC_MMAP_THRESHOLD_": "1000000", "PATH": ""}
    default, kept = (
        int(subprocess.run([sys.executable, "-c", _FAULTS, how], env=fixed, capture_output=True, check=True).stdout)
        for how in ("default", "kept")
    )
    assert kept < default / 10


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(environment.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda name: pytest.fail("asked for a library"))
    assert not environment.keep_freed_memory()
