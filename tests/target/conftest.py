# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests in this folder need a kernel: without a target they are not collected."""

from __future__ import annotations

import pytest

HOW = "tests/target: not collected, it needs a kernel: pytest --target=qemu (see pytest --help)"


def _has_target(config: pytest.Config) -> bool:
    return config.getoption("gicv5_target", None) is not None


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if _has_target(config) else True


def pytest_report_collectionfinish(config: pytest.Config) -> str | None:
    return None if _has_target(config) else HOW
