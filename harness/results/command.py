# SPDX-License-Identifier: GPL-2.0-or-later
"""``gicv5 export``: a session's results for other tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.results.formats import FORMATS, load, results_file


def export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="?", type=Path, default=Path("gicv5-results"), metavar="RESULTS",
        help="a session's folder, its results.jsonl, or a folder of sessions, of which the newest "
        "is taken (gicv5-results)",
    )  # fmt: skip
    parser.add_argument("--format", choices=[*FORMATS, "html"], required=True)
    parser.add_argument(
        "--matrix", type=Path, metavar="FILE",
        help="html: the matrix.json of `gicv5 mutants`, to be shown in it",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")


def command_export(options: argparse.Namespace) -> int:
    file = results_file(options.results)
    results = load(file)
    if options.format == "html":
        from harness.results.html import page  # noqa: PLC0415 (it needs a template engine)

        text = page(results, file.parent, options.matrix)
    else:
        text = FORMATS[options.format].write(results)
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text)
    return 0
