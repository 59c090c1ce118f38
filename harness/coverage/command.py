# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 coverage``: what the suite and fuzzing reach in a kernel with gcov."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from harness.fuzz.commands import target_options
from harness.provision.paths import project_root

EXPLAINED: Final = project_root() / "docs" / "coverage.yaml"


def coverage_options(parser: argparse.ArgumentParser) -> None:
    """What to run, and what to show."""
    target_options(parser)
    parser.set_defaults(kernel="coverage")
    parser.add_argument("--suite", action="store_true",
                        help="the suite (the default, if --fuzz is not given)")  # fmt: skip
    parser.add_argument("--fuzz", metavar="SECONDS", type=float, help="generated programs")
    parser.add_argument("--seed", metavar="X", help="of the generated programs (a new one)")
    parser.add_argument("--html", metavar="DIR", type=Path, help="also write a page for each file")
    parser.add_argument("--explained", metavar="FILE", type=Path, default=EXPLAINED,
                        help="why lines are not reached (docs/coverage.yaml)")  # fmt: skip


def command_coverage(options: argparse.Namespace) -> int:
    """0: every line of the VGICv5 is reached or explained; 1: one is neither, or both."""
    from harness.coverage.measure import measured  # noqa: PLC0415 (heavy; only if it is used)
    from harness.coverage.tables import html, text  # noqa: PLC0415

    report = measured(options)
    print(text(report))
    if options.html:
        print(f"\n{html(options.html, f'Coverage of {options.kernel}', report)}")
    return 1 if report.stale or any(not each.why for each in report.missing) else 0
