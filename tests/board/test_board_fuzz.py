# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing, replay and compare on a board: what they find on QEMU they find there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from board_lab import Lab

ROOT = Path(__file__).parents[2]
# The first program of this seed is one; each fresh host that shrinking asks for is a power cycle.
ONE_FINDING = ("--seed", "board", "--programs", "2")
ONE_SEED = ("--fuzz-seed=board",)
NO_FINDING = ("--seed", "board", "--programs", "40")


def gicv5(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as people type it; what it leaves is in the folder."""
    argv = [sys.executable, "-m", "harness.cli", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=500,
                          check=False)  # fmt: skip


def findings(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "programs" in done.stdout, done.stdout + done.stderr
    return re.findall(r"^finding: (.*)$", done.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def directly(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What fuzzing finds on the same kernel in QEMU."""
    folder = tmp_path_factory.mktemp("direct")
    found = findings(gicv5(folder, "fuzz", "--kernel=debian", *ONE_FINDING))
    assert any("lost CNTV" in each for each in found), "docs/findings/vcpu-order.md"
    return found


@pytest.mark.parametrize("way", ["ssh", "serial"])
def test_fuzzing_finds_the_same_as_directly(
    lab: Lab, way: str, directly: list[str], tmp_path: Path
) -> None:
    done = gicv5(tmp_path, "fuzz", *lab.by(way), *ONE_FINDING)
    assert done.returncode == 1, done.stdout + done.stderr
    assert findings(done) == directly
    file = next(tmp_path.rglob("*.program"))
    rerun = re.search(r"gicv5 replay .*", done.stdout)
    assert rerun
    assert "--target board:b1 --boards " in rerun[0]
    again = gicv5(tmp_path, "replay", str(file), *lab.by(way))
    assert (again.returncode, again.stdout.split("\n")[-3]) == (1, f"{file}: FAIL")


@pytest.mark.parametrize("way", ["ssh", "serial"])
def test_fuzzing_finds_nothing_that_is_expected(lab: Lab, way: str, tmp_path: Path) -> None:
    expected = {"expect": {"finalize": "first-created"}}  # as released kernels do
    done = gicv5(tmp_path, "fuzz", *lab.by(way, **expected), *NO_FINDING)
    assert (done.returncode, findings(done)) == (0, []), done.stdout + done.stderr


@pytest.mark.parametrize("way", ["ssh", "serial"])
def test_fuzzing_with_accessors_finds_the_same_as_directly(
    network_lab: Lab, way: str, tmp_path: Path
) -> None:
    wrong = ("--expect=finalize=first-created", *ONE_FINDING)
    found = findings(gicv5(tmp_path, "fuzz", *network_lab.by(way), *wrong))
    assert found == findings(gicv5(tmp_path, "fuzz", "--kernel=masked-network", *wrong))
    assert any("leaked" in each for each in found), "a mask that is not the first vCPU's"


def pytest_fuzz(lab: Lab, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """For two seconds; a finding that comes first is shrunk after them."""
    argv = [sys.executable, "-m", "pytest", *lab.by("ssh"), *ONE_SEED, "--fuzz=2", "-kfuzz",
            f"--results={folder}", f"--junitxml={folder / 'junit.xml'}", *more]  # fmt: skip
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)


def test_pytest_fuzzes_a_board(lab: Lab, tmp_path: Path) -> None:
    done = pytest_fuzz(lab, tmp_path, "--expect=finalize=first-created")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* programs, .* findings: 0", (tmp_path / "junit.xml").read_text())


def test_pytest_fails_by_what_fuzzing_finds_on_a_board(
    lab: Lab, directly: list[str], tmp_path: Path
) -> None:
    done = pytest_fuzz(lab, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert set(directly) <= set(re.findall(r"finding: (.*)$", done.stdout, re.MULTILINE))
    file = next(tmp_path.rglob("*.program"))
    assert f"gicv5 replay {file} --target board:b1 --boards " in done.stdout


def test_a_board_is_compared_with_a_kernel_in_qemu(lab: Lab, tmp_path: Path) -> None:
    boards = lab.by("ssh")[1]
    limit = ("--programs=250",)  # some of the suite
    same = gicv5(tmp_path, "compare", "debian", "board:b1", boards, *limit)
    assert (same.returncode, findings(same)) == (0, []), same.stdout + same.stderr
    # Of two kernels one loses the timer of the vCPU that runs first (docs/findings/vcpu-order.md).
    unlike = gicv5(tmp_path, "compare", "masked", "board:b1", boards, "--programs=41")
    assert unlike.returncode == 1, unlike.stdout + unlike.stderr
    assert any("lost CNTV" in each for each in findings(unlike)), unlike.stdout
    both = gicv5(tmp_path, "compare", "board:b1", "board:b1", boards)
    assert "a board runs one kernel at a time" in both.stderr
