# SPDX-License-Identifier: GPL-2.0-or-later
"""The platform under load.  See docs/stress.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from stress_rig import Rig, build


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stress")
    group.addoption("--soak-minutes", type=float, metavar="N",
                    help="run the soak for N minutes in all, instead of a few seconds")  # fmt: skip
    group.addoption("--stress-plugin", type=Path, metavar="FILE",
                    help="a libgicv5.so instead of the project's own")  # fmt: skip


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Rig:
    plugin = request.config.getoption("--stress-plugin", default=None)
    return Rig(build(tmp_path_factory.mktemp("stress")), plugin)
