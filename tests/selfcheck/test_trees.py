# SPDX-License-Identifier: GPL-2.0-or-later
"""`gicv5 bisect` and `gicv5 watch` on a real tree: --long, since the first run builds a kernel."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from history import FILE, MUTANT, PLANTED, History, git, history

pytestmark = pytest.mark.long
EXPECT = ("--expect=accessors=true", "--expect=late_writes=refused")
EDIT = "\nvoid vgic_v5_edited(void);\nvoid vgic_v5_edited(void) { }\n"
LIMIT = 15.0  # seconds from an edit of vgic-v5.c to the verdict, on two cores that do nothing else


@pytest.fixture(scope="module")
def made() -> History:
    return history()


def gicv5(*argv: str, timeout: float = 3000) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_bisect_finds_the_planted_commit(made: History, tmp_path: Path) -> None:
    began = time.monotonic()
    done = gicv5(
        "bisect", str(made.tree), made.commits[0], made.commits[-1], *EXPECT,
        f"--results={tmp_path}",
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{made.planted} is the first bad commit" in done.stdout
    assert "cannot be tested" in done.stdout  # the commit that does not compile was passed over
    assert "before and after this commit" in done.stdout
    before, after = (next(tmp_path.glob(f"*/{name}.txt")) for name in ("before", "after"))
    assert before.read_text() != after.read_text()
    assert git(made.tree, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(made.tree, "symbolic-ref", "--short", "HEAD") == "history"
    print(f"bisected {MUTANT} in {time.monotonic() - began:.0f} s")


def test_a_step_says_what_git_bisect_run_wants(made: History) -> None:
    program = re.search(r"bad: (\S+):", gicv5("bisect", "--step", str(made.tree), *EXPECT).stdout)
    assert program is not None
    for commit, code in ((made.commits[PLANTED - 1], 0), (made.planted, 1)):
        git(made.tree, "checkout", "-q", commit)
        done = gicv5("bisect", "--step", str(made.tree), program[1], *EXPECT)
        assert done.returncode == code, done.stdout + done.stderr
    assert gicv5("bisect", "--step", str(made.tree), "no/such").returncode == 128


def test_watch_judges_again_after_an_edit(made: History, tmp_path: Path) -> None:
    git(made.tree, "checkout", "-q", "-f", made.commits[0])
    said = tmp_path / "said"
    argv = [sys.executable, "-m", "harness.cli", "watch", str(made.tree), "--times=2", *EXPECT,
            "--", "-p", "no:cacheprovider", f"--results={tmp_path}"]  # fmt: skip
    with said.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as watching:
        try:
            wait_for(said, "PASS: ", watching)
            path = made.tree / FILE
            path.write_text(path.read_text() + EDIT)
            began = time.monotonic()
            assert watching.wait(600) == 0, said.read_text()
            took = time.monotonic() - began
        finally:
            if watching.poll() is None:
                os.kill(watching.pid, signal.SIGINT)
            git(made.tree, "checkout", "-q", "-f", "history")
    print(said.read_text()[-800:])
    print(f"from the edit to the end: {took:.1f} s, load {os.getloadavg()[0]:.1f}")
    assert f"changed: {FILE}" in said.read_text()
    assert took < LIMIT or os.getloadavg()[0] > 2.5


def wait_for(file: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 1500
    while text not in file.read_text():
        assert process.poll() is None, file.read_text()
        assert time.monotonic() < deadline, file.read_text()
        time.sleep(0.2)
