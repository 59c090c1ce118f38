# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 selftest install TREE`` and ``gicv5 selftest remove TREE``."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.kselftest.glue import TARGET, install, remove
from harness.model.behaviour import Finalize, LateWrites
from harness.report.verdict import Expectation


def selftest_options(parser: argparse.ArgumentParser) -> None:
    """The two actions."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    sub = actions.add_parser("install", help="put the suite into a kernel tree, as data")
    sub.add_argument("tree", type=Path, metavar="TREE", help="the root of a Linux source tree")
    sub.add_argument(
        "--finalize", choices=[each.value for each in Finalize], default=Finalize.PER_VCPU.value,
        help="what its kernel is expected to do (default: per-vcpu)",
    )  # fmt: skip
    sub.add_argument(
        "--late-writes", choices=[each.value for each in LateWrites],
        help="likewise (default: either, but as a whole)",
    )  # fmt: skip
    sub = actions.add_parser("remove", help="take it away again")
    sub.add_argument("tree", type=Path, metavar="TREE", help="the same tree")


def command_selftest(options: argparse.Namespace) -> int:
    """Install or remove; ConfigError if the tree is not what it should be."""
    if options.action == "remove":
        print(f"removed {remove(options.tree)}")
        return 0
    late = LateWrites(options.late_writes) if options.late_writes else None
    declared = Expectation(finalize=Finalize(options.finalize), late_writes=late)
    made = install(options.tree, declared)
    print(f"{made.folder}: {made.programs} programs, expected to do: {declared}")
    print(f"  make -C {options.tree}/tools/testing/selftests TARGETS={TARGET} ARCH=arm64 \\")
    print("      CROSS_COMPILE=aarch64-linux-gnu- install INSTALL_PATH=DIR")
    print("  DIR/run_kselftest.sh on the target")
    return 0
