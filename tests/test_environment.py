"""`keep_freed_memory` avoids page faults; the faults are counted in a separate process."""

import platform
import subprocess
import sys

import pytest

from ablation import environment

_COUNT_FAULTS = """
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="has no effect with other C libraries")
def test_kept_memory_causes_few_page_faults():
    command = [sys.executable, "-c", _COUNT_FAULTS]
    # A fixed threshold, so that glibc does not adapt to this block size by itself.
    environ = {"MALLOC_MMAP_THRESHOLD_": "1000000", "PATH": ""}
    default, kept = (
        int(subprocess.run([*command, mode], env=environ, capture_output=True, check=True).stdout)
        for mode in ("default", "kept")
    )
    assert kept < default / 10


def test_it_has_no_effect_with_other_c_libraries(monkeypatch):
    monkeypatch.setattr(environment.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda name: pytest.fail("a library was loaded"))
    assert not environment.keep_freed_memory()
