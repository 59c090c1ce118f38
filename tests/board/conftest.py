# SPDX-License-Identifier: GPL-2.0-or-later
"""One board for all tests here; it is powered on once, and whoever kills it powers it on again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from board_lab import Lab


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("board").addoption(
        "--whole-suite", action="store_true",
        help="the whole suite over SSH and serial, not two families, and with accessors "
        "(docs/boards.md)",
    )  # fmt: skip


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """There is time."""
    return bool(request.config.getoption("--whole-suite"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = Lab.build(tmp_path_factory.mktemp("lab"))
    built.rack.power("on")
    yield built
    built.close()


@pytest.fixture(scope="session")
def masked_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A board with a kernel that has accessors, and masks.  It has no network."""
    built = Lab.build(tmp_path_factory.mktemp("masked-lab"), "masked")
    built.rack.power("on")
    yield built
    built.close()


@pytest.fixture(scope="session")
def network_lab(whole: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A board with a kernel that has accessors and a network.  It takes minutes to build."""
    if not whole:
        pytest.skip("the kernel masked-network is built for --whole-suite only")
    built = Lab.build(tmp_path_factory.mktemp("network-lab"), "masked-network", ramoops=True)
    built.rack.power("on")
    yield built
    built.close()
