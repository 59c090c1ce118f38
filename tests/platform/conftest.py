# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the platform itself, without a kernel: a QEMU, and the plugin that is under test."""

from __future__ import annotations

from pathlib import Path

import pytest
from platform_parts import Parts

from harness.provision import Provisioner, default_images, load_images


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--gicv5-plugin", metavar="FILE", type=Path, default=None,
        help="another build of the plugin than this checkout's: a broken one should be caught",
    )  # fmt: skip
    parser.addoption(
        "--gicv5-mutants", action="store_true",
        help="also show that the checks notice deliberate bugs of the plugin (minutes)",
    )  # fmt: skip


@pytest.fixture(scope="session")
def parts(pytestconfig: pytest.Config) -> Parts:
    provisioner = Provisioner(load_images(default_images()))
    given: Path | None = pytestconfig.getoption("--gicv5-plugin", None)
    return Parts(
        provisioner.qemu().argv, given.resolve(strict=True) if given else provisioner.plugin().path
    )
