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
