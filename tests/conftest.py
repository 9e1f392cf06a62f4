"""Shared configuration: test order, skips that count as failures where required, and clean registries."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from ablation.design import registry, steps

FAST = ("tests/test_project.py", "tests/design", "ablation/", "tests/show")
SLOW = (
    "tests/test_notebooks.py",
    "tests/study/test_ray.py",
    "tests/study/test_survival.py",
    "tests/train/test_resume.py",
    "tests/train/test_distributed.py",
    "tests/commands/test_looking.py",
    "tests/network/test_timm_models.py",
    "tests/network/test_timm_weights.py",
    "tests/browser",
    "tests/network/test_build.py",
    "tests/measure/test_families.py",
    "tests/measure/test_completeness.py",
    "tests/commands/test_studies.py",
    "tests/course/test_exercises.py",
    "tests/data/test_longrange.py",
)

NO_GPU = "this machine has no CUDA device: `make gpu` on one that has"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run fast tests first, for early failures; then the slowest files, so that parallel workers finish together.

    Tests that need a GPU are skipped where there is none, and then listed as skipped.
    """
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason=NO_GPU))
    items.sort(key=lambda item: (not item.nodeid.startswith(FAST), not item.nodeid.startswith(SLOW)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Report skipped tests as failed if ABLATION_REQUIRE_ALL=1, except those that need a GPU."""
    report = (yield).get_result()
    left_out = item.get_closest_marker("gpu") and NO_GPU in str(report.longrepr)
    if report.skipped and not left_out and os.environ.get("ABLATION_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped although ABLATION_REQUIRE_ALL=1: {report.longrepr}"


@pytest.fixture
def clean_registries() -> Iterator[None]:
    """Remove everything that a test registers."""
    tables: list[dict[str, Any]] = [registry.NORMS, registry.ACTIVATIONS, steps.STEPS]
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
