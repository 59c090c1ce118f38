# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisecting a git history with a judge that needs no kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from html_sample import LEAK, ORDER, outcomes

from harness.errors import ConfigError
from harness.program import Program
from harness.report.verdict import Outcome, Verdict
from harness.trees.bisect import bisect, trace_difference
from harness.trees.git import Tree
from harness.trees.judge import Judged, Step, _telling, chosen

COMMITS = 16
PROGRAM = ORDER


def judged(verdict: Verdict) -> Judged:
    return Judged({PROGRAM.name: Outcome(verdict, PROGRAM, "a message")})


class Repository:
    """Sixteen commits; the file says which of them is checked out."""

    def __init__(self, path: Path, bad: int, untestable: tuple[int, ...] = ()) -> None:
        self.tree, self.bad, self.untestable = Tree(path), bad, untestable
        self.asked: list[int] = []
        self.git("init", "-q", "-b", "main")
        for number in range(COMMITS + 1):
            (path / "file").write_text(str(number))
            self.git("add", "file")
            self.git("commit", "-q", "-m", f"commit {number}")
        self.commits = self.git("rev-list", "--reverse", "main").split()

    def git(self, *argv: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(
            ["git", *who, *argv], cwd=self.tree.path, capture_output=True, text=True, check=True
        )
        return done.stdout

    def judge(self, _programs: Sequence[Program]) -> Judged:
        here = int((self.tree.path / "file").read_text())
        self.asked.append(here)
        if here in self.untestable:
            return Judged(why="make Image failed")
        return judged(Verdict.FAIL if here >= self.bad else Verdict.PASS)

    def bisect(self) -> int:
        ends = (self.commits[0], self.commits[-1])
        return self.commits.index(bisect(self.tree, ends, [PROGRAM], self.judge))


@pytest.mark.parametrize("bad", [1, 2, 9, 15, 16])
def test_the_first_bad_commit_is_found(tmp_path: Path, bad: int) -> None:
    repository = Repository(tmp_path, bad)
    assert repository.bisect() == bad
    assert len(repository.asked) <= 5


def test_what_does_not_build_is_passed_over(tmp_path: Path) -> None:
    repository = Repository(tmp_path, 11, untestable=(8, 5))
    assert repository.bisect() == 11
    assert 8 in repository.asked


def test_if_only_untestable_commits_are_left_it_says_so(tmp_path: Path) -> None:
    repository = Repository(tmp_path, 11, untestable=(9, 10, 11))
    with pytest.raises(ConfigError, match="skip"):
        repository.bisect()


def test_a_tree_with_changes_or_a_bisection_is_left_alone(tmp_path: Path) -> None:
    repository = Repository(tmp_path, 11)
    repository.tree.check_clean()
    repository.git("bisect", "start", "HEAD", "HEAD~4")
    with pytest.raises(ConfigError, match="bisected already"):
        repository.tree.check_clean()
    repository.git("bisect", "reset")
    (tmp_path / "file").write_text("edited")
    with pytest.raises(ConfigError, match="not committed"):
        repository.tree.check_clean()
    with pytest.raises(ConfigError, match="no commit"):
        repository.tree.commit("v9.9")


def test_one_failure_is_bad_and_no_verdict_is_neither() -> None:
    assert judged(Verdict.FAIL).step == judged(Verdict.CRASH).step == Step.BAD == 1
    assert judged(Verdict.PASS).step == Step.GOOD == 0
    for verdict in (Verdict.SKIP, Verdict.ERROR):
        assert judged(verdict).step == Step.UNTESTABLE == 125
        assert verdict.name in judged(verdict).said()
    assert Judged().step == Judged(why="no boot").step == Step.UNTESTABLE
    both = Judged({**judged(Verdict.FAIL).outcomes, "x": Outcome(Verdict.ERROR, PROGRAM)})
    assert both.step == Step.BAD


def test_programs_by_name_family_and_file(tmp_path: Path) -> None:
    assert [p.name for p in chosen(["order/2-vcpus-1-first"])] == ["order/2-vcpus-1-first"]
    assert {p.family for p in chosen(["order"])} == {"order"}
    assert len(chosen([])) > len(chosen(["order", "order"])) > 5
    file = tmp_path / "x.program"
    file.write_text("name fuzz/7\ncreate_vm\n")
    assert [p.name for p in chosen([str(file)])] == ["fuzz/7"]
    with pytest.raises(ConfigError, match="no program"):
        chosen(["ordre"])


def test_the_trace_before_and_after() -> None:
    failed = next(each for each in outcomes() if each.program.name == LEAK.name)
    assert failed.expected is not None
    passed = Outcome(Verdict.PASS, failed.program, observed=failed.expected)
    lines = list(trace_difference(passed, failed))
    assert "read ICC_PPI_SACTIVER0_EL1" in lines[0]
    assert lines[1:3] == [
        "         before  0x8000000 = CNTV(27)",
        "         after   0x1000c000000 = CNTHP(26), CNTV(27), PPI(40)",
    ]
    assert list(trace_difference(passed, passed)) == []


def test_why_a_commit_cannot_be_tested_is_what_the_compiler_said() -> None:
    log = "make Image failed (exit status 2):\n  CC x.o\nx.c:7:2: error: #error not finished"
    assert _telling(log) == "x.c:7:2: error: #error not finished"
    assert _telling("the host did not boot:\n") == "the host did not boot"
