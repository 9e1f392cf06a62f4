"""What all tests share: no skip passes where everything is required, and registries are left as they were."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from ablation.design import registry, steps

QUICK = ("tests/test_project.py", "tests/design", "ablation/", "tests/show")
LONG = ("tests/study/test_ray.py", "tests/test_notebooks.py", "tests/study/test_survival.py", "tests/browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick tests first, so that a slip shows in seconds; then the long files, so that none is left to one process."""
    items.sort(key=lambda item: (not item.nodeid.startswith(QUICK), not item.nodeid.startswith(LONG)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """With ABLATION_REQUIRE_ALL=1 a skipped test is a failed one."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("ABLATION_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where every test is required: {report.longrepr}"


@pytest.fixture
def clean_registries() -> Iterator[None]:
    """Whatever a test registers is forgotten afterwards."""
    tables: list[dict[str, Any]] = [registry.NORMS, registry.ACTIVATIONS, steps.STEPS]
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
