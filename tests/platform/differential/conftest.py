# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines for the comparison, and how many programs to run on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.process import run
from harness.provision.provisioner import Provisioner
from harness.provision.system import cross_needs, ensure

from .machine import Machine, Side, Tools, build_image

PROGRAMS, SEED = 500, 1  # what `./gicv5 test` runs

Boot = Callable[[Side, int], Machine]
Broken = Callable[[Path, Side, int], Machine]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("differential")
    group.addoption("--programs", type=int, default=PROGRAMS, help="how many programs to compare")
    group.addoption("--seed", type=int, default=SEED, help="what they are generated from")


@pytest.fixture(scope="session")
def count(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("programs", PROGRAMS))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("seed", SEED))


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The QEMU and the plugin of images.yaml, and the interpreter."""
    ensure(cross_needs(), run, print)
    provisioner = Provisioner(load_images(default_images()), progress=print)
    image = build_image(tmp_path_factory.mktemp("bare"))
    return Tools(provisioner.qemu().argv, provisioner.plugin().path, image)


@pytest.fixture(scope="session")
def boot(tools: Tools) -> Iterator[Boot]:
    """``boot(side, cpus)``: each machine is booted once."""
    with ExitStack() as stack:

        @cache
        def booted(side: Side, cpus: int) -> Machine:
            return stack.enter_context(Machine(tools, side, cpus))

        yield booted


@pytest.fixture(scope="session")
def broken(tools: Tools) -> Broken:
    """``broken(plugin, side, cpus)``: a machine with this plugin; close it."""
    return lambda plugin, side, cpus: Machine(dataclasses.replace(tools, plugin=plugin), side, cpus)
