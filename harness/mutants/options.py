# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of ``gicv5 mutants``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from harness.mutants.patchfile import DEFAULT_KERNEL
from harness.provision import default_images

RESULTS: Final = Path("gicv5-results/mutants")


def mutants_options(parser: argparse.ArgumentParser) -> None:
    """Of the command line."""
    parser.add_argument("--suite", action="store_true", help="run the suite (the default)")
    parser.add_argument(
        "--fuzz",
        type=float,
        metavar="SECONDS",
        default=0.0,
        help="fuzz each mutant until the first finding, at most so long",
    )
    parser.add_argument(
        "-k",
        metavar="TEXT",
        action="append",
        default=[],
        dest="select",
        help="only mutants whose name contains it (may be given again)",
    )
    parser.add_argument(
        "--report", action="store_true", help="run nothing: tables of what --results has"
    )
    parser.add_argument("--fast", action="store_true", help="stop at a mutant's first kill")
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        default=min(2, os.cpu_count() or 1),
        help="build trees and hosts at once (2)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        default=RESULTS,
        help=f"keep what came out, do not redo what is there ({RESULTS})",
    )
    parser.add_argument(
        "--kernel",
        metavar="NAME|TREE",
        default=DEFAULT_KERNEL,
        help=f"what to break ({DEFAULT_KERNEL})",
    )
    parser.add_argument("--mutants", type=Path, metavar="DIR", help="instead of tests/mutants")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE.md",
        help="also write the tables there, and the picture beside it",
    )
    parser.add_argument(
        "--images",
        type=Path,
        default=default_images(),
        metavar="FILE",
        help="instead of the project's own",
    )
    parser.add_argument("--qemu", metavar="NAME|PATH", help="a QEMU from images.yaml, or a file")


def command_mutants(given: argparse.Namespace) -> int:
    """0: all killed or equivalent; 1: a survivor; else as the README says."""
    from harness.mutants.command import run  # noqa: PLC0415 (it needs QEMU's libraries)

    return run(given)
