# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin's options.  Everything else is imported only when a target is given.

It is loaded in every pytest session of an environment that has the harness: it must cost nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.targets.spec import Factory

DEST = "gicv5_target"


class Hooks:
    """What other plugins and conftest files may add."""

    @pytest.hookspec
    def pytest_gicv5_targets(self) -> Mapping[str, Factory]:  # type: ignore[empty-body]
        """Kinds of targets by the name that --target takes."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gicv5", "GICv5: which PPIs KVM shows to a guest, on a real kernel")
    group.addoption(
        "--gicv5-target", dest=DEST, metavar="KIND",
        help="run tests/target on a kernel: qemu, ssh:HOST or board:NAME (also: --target, if no "
        "other plugin has it)",
    )  # fmt: skip
    group.addoption(
        "--boards", dest="gicv5_boards", metavar="FILE",
        help="the file that has the board of --target=board:NAME (default: boards.yaml)",
    )  # fmt: skip
    group.addoption(
        "--kernel", dest="gicv5_kernel", metavar="NAME|PATH",
        help="a kernel of images.yaml, an Image or a kernel tree (default: the first of `run` that "
        "is there)",
    )  # fmt: skip
    group.addoption(
        "--qemu", dest="gicv5_qemu", metavar="NAME|PATH",
        help="a QEMU of images.yaml, or an executable (default: the first that will do)",
    )  # fmt: skip
    group.addoption(
        "--images", dest="gicv5_images", metavar="FILE",
        help="an images.yaml (default: the project's own)",
    )  # fmt: skip
    group.addoption(
        "--host-cpus", dest="gicv5_cpus", metavar="N", default="1",
        help="CPUs of the host, 1 to 8 (default: 1)",
    )  # fmt: skip
    group.addoption(
        "--expect", dest="gicv5_expect", metavar="KEY=VALUE", action="append", default=[],
        help="instead of what images.yaml declares: accessors=true|false|probed, "
        "finalize=per-vcpu|first-created, late_writes=refused|exposed|any, irs=true|false|probed",
    )  # fmt: skip
    group.addoption(
        "--kernel-args", dest="gicv5_kernel_args", metavar="ARGS", default="",
        help="more for the kernel's command line",
    )  # fmt: skip
    group.addoption(
        "--gicv5-trace", dest="gicv5_trace", action="store_true",
        help="keep the whole trace of accesses to the GIC of every host in the results folder",
    )  # fmt: skip
    group.addoption(
        "--fuzz", dest="gicv5_fuzz", metavar="SECONDS", type=float,
        help="after the suite, look for bugs with generated programs for so long",
    )  # fmt: skip
    group.addoption(
        "--fuzz-seed", dest="gicv5_fuzz_seed", metavar="X",
        help="the same programs again (default: a new seed)",
    )  # fmt: skip
    group.addoption(
        "--kselftest", dest="gicv5_kselftest", metavar="COLLECTION:TEST,...",
        help="instead of the suite, the kernel's own selftests: kvm:arm64/vgic_v5, kvm:arm64/*",
    )  # fmt: skip
    group.addoption(
        "--kselftest-tree", dest="gicv5_kselftest_tree", metavar="DIR",
        help="the kernel tree that they are built from (default: the kernel's own sources)",
    )  # fmt: skip
    group.addoption(
        "--kselftest-timeout", dest="gicv5_kselftest_timeout", metavar="SECONDS", type=float,
        default=120.0, help="for each of them (default: 120, as the kernel has it for KVM's)",
    )  # fmt: skip
    group.addoption(
        "--results", dest="gicv5_results", metavar="DIR",
        default=os.environ.get("AVOCADO_TEST_OUTPUTDIR") or "gicv5-results",
        help="where results and the artefacts of failures go (default: gicv5-results; in a job of "
        "Avocado: the test's output folder)",
    )  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None, None, None]:
    """Add --target last, after every plugin and conftest file: pytest-embedded has one, too."""
    yield
    groups = [*parser._groups, parser._anonymous]
    if any("--target" in option.names() for group in groups for option in group.options):
        return
    try:
        parser.getgroup("gicv5").addoption(
            "--target", dest=DEST, metavar="KIND", help="the same as --gicv5-target"
        )
    except (ValueError, argparse.ArgumentError):  # someone has it, where we could not see it
        return


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Check the options and provision before the session starts: its errors need no traceback."""
    if config.getoption(DEST) is None or config.option.help or config.option.version:
        return None
    from harness.report.pytest_session import start  # noqa: PLC0415

    return start(config)
