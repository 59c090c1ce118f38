# SPDX-License-Identifier: GPL-2.0-or-later
"""`gicv5 test`: the project's own checks and tests."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from harness.commands.shown import print_outcomes
from harness.errors import ProvisionError
from harness.provision import project_root
from harness.provision.process import child, run
from harness.provision.system import Need, ensure

_CLANG_FORMAT = (Need("clang-format", ("clang-format",)),)
_BROWSER = (Need("chromium", ("chromium", "chromium-browser", "google-chrome")),)


def test_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--long", action="store_true", help="also what takes hours (docs/ci.md)")


def command_test(options: argparse.Namespace) -> int:
    """All of the project's own checks, to the end, whatever fails; 0 only if all passed."""
    root = project_root()
    say = partial(print, "gicv5:", file=sys.stderr)
    ensure(_CLANG_FORMAT, run, say)
    try:
        ensure(_BROWSER, run, say)
    except ProvisionError as error:  # its tests are skipped, and say why
        say(f"no browser: {error.what}")
    outcomes: list[tuple[str, str, int, float]] = []
    with tempfile.TemporaryDirectory(prefix="gicv5-test.") as scratch:
        for name, argv in _checks(root, Path(scratch), options.long):
            print(f"\n{name}", flush=True)
            start = time.monotonic()
            code = child(argv, cwd=root)
            outcomes.append((name, "FAIL" if code else "PASS", code, time.monotonic() - start))
    print_outcomes(outcomes)
    return 1 if any(code for _, _, code, _ in outcomes) else 0


def _checks(root: Path, scratch: Path, long: bool) -> list[tuple[str, list[str]]]:
    python = [sys.executable, "-m"]
    board = [*python, "pytest", "-q", "tests/board", *(["--whole-suite"] if long else [])]
    selfcheck = [*python, "pytest", "-q", "tests/selfcheck", *(["--long"] if long else [])]
    # kernel/ follows the kernel's own style, which checkpatch knows and clang-format does not.
    sources = sorted(
        str(path.relative_to(root))
        for part in ("docs", "guest", "harness", "kselftest_glue", "qemu_plugin", "tests/platform")
        for path in (root / part).rglob("*.[ch]")
    )
    make = ["make", "-C", "qemu_plugin", "test"]
    return [
        ("ruff", [*python, "ruff", "check", "."]),
        ("ruff format", [*python, "ruff", "format", "--check", "."]),
        ("mypy", [*python, "mypy"]),
        ("clang-format", ["clang-format", "--dry-run", "-Werror", *sources]),
        ("qemu_plugin", [*make, f"OUT={scratch}"]),
        ("qemu_plugin, sanitized", [*make, f"OUT={scratch}", "SAN=1"]),
        ("tests/unit", [*python, "pytest", "-q", "tests/unit"]),
        ("tests/platform", [*python, "pytest", "-q", "tests/platform"]),
        ("tests/board", board),
        ("tests/selfcheck", selfcheck),
    ]
