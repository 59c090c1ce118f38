# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of the harness itself, on hosts: the suite must judge known kernels as they deserve."""

from __future__ import annotations

from functools import cache

import pytest
from suite_report import Report, RunSuite, run_suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> RunSuite:
    """``suite(kernel, *options)``: each combination is run once."""

    @cache
    def run(kernel: str, *options: str) -> Report:
        return run_suite(tmp_path_factory.mktemp(kernel), kernel, *options)

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what takes minutes, or hours")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes; only with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long", False):
        skip = pytest.mark.skip(reason="takes minutes: pytest tests/selfcheck --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)
