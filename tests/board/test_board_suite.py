# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite on a board: of each program the same is said as on the same kernel in QEMU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from board_lab import Lab

from harness.report.verdict import Verdict
from harness.results import jsonl

ROOT = Path(__file__).parents[2]
FAMILIES = ("-k", "order or timers")
MASKING = ("-k", "masking-vcpus")
ONE_MASKING = ("-k", "masking-vcpus and every-register-all-ones")
Said = tuple[Verdict, str, str]
BOTH_WAYS = pytest.mark.parametrize("way", ["ssh", "serial"])


def judged(folder: Path, *options: str) -> dict[str, Said]:
    """Verdict, message and diagnosis of each program; run as people run it."""
    argv = [sys.executable, "-m", "pytest", *options, f"--results={folder}", "-q", "-p",
            "no:cacheprovider"]  # fmt: skip
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    files = list(folder.rglob(jsonl.FILE))
    assert files, done.stdout + done.stderr
    cases = jsonl.read(files[0].read_text()).cases
    said = {case.program: (case.verdict, case.message, case.diagnosis) for case in cases}
    assert len(said) == len(cases), "a program has one verdict"
    return said


def compared(lab: Lab, way: str, folder: Path, *some: str) -> set[Verdict]:
    """Program by program, on the board and directly; the verdicts that there were."""
    there = judged(folder / "there", *lab.by(way), *some)
    directly = judged(folder / "directly", "--target=qemu", *some)
    assert there == directly
    return {verdict for verdict, _, _ in there.values()}


@BOTH_WAYS
def test_the_suite_says_the_same_as_directly(
    lab: Lab, way: str, tmp_path: Path, whole: bool
) -> None:
    seen = compared(lab, way, tmp_path, "--kernel=debian", *(() if whole else FAMILIES))
    assert {Verdict.FAIL, Verdict.PASS} <= seen


def test_accessors_are_judged_over_a_serial_line(masked_lab: Lab, tmp_path: Path) -> None:
    assert compared(masked_lab, "serial", tmp_path, "--kernel=masked", *MASKING) == {Verdict.PASS}
    # The same board, held to what it does not do: the masking is what is judged.
    worse = judged(tmp_path / "worse", *masked_lab.by("serial"), "--kernel=masked",
                   "--expect=finalize=first-created", *ONE_MASKING)  # fmt: skip
    ((verdict, _, _),) = worse.values()
    assert verdict is Verdict.FAIL


@BOTH_WAYS
def test_the_whole_suite_with_accessors(network_lab: Lab, way: str, tmp_path: Path) -> None:
    seen = compared(network_lab, way, tmp_path, "--kernel=masked-network")
    assert {Verdict.PASS} <= seen <= {Verdict.PASS, Verdict.SKIP}


@BOTH_WAYS
def test_a_board_that_does_not_what_it_should(network_lab: Lab, way: str, tmp_path: Path) -> None:
    """Held to another finalize, over each way: the same programs fail, for the same reasons."""
    wrong = ("--kernel=masked-network", "--expect=finalize=first-created")
    assert compared(network_lab, way, tmp_path, *wrong) >= {Verdict.PASS, Verdict.FAIL}
