# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own selftests on a host: run one, and judge what it said."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from harness.console import KernelReport, find_reports
from harness.ktap import Report, Result, Status, parse
from harness.report.verdict import Verdict
from harness.targets.base import CommandOutput, HostLost

PASSED, SKIPPED = 0, 4  # KSFT_PASS, KSFT_SKIP: tools/testing/selftests/kselftest.h
LIMIT_SECONDS: Final = 120.0  # tools/testing/selftests/kvm/settings has the same
_KILLED: Final = 128 + 9
_LAST_LINES: Final = 8
PLACE: Final = "/kselftest"  # in the host's file system
MEMORY_MIB: Final = 2048  # some map a GiB


def places(built: Mapping[str, Path]) -> dict[str, Path]:
    """Where the host's file system is to have the tests."""
    return {place(name): path for name, path in built.items()}


def place(name: str) -> str:
    """The same of one of them."""
    return f"{PLACE}/{name.replace(':', '/')}"


class CommandHost(Protocol):
    """What a selftest wants of a host."""

    def command(self, argv: Sequence[str], timeout: float) -> CommandOutput: ...

    def console_size(self) -> int: ...

    def console(self, start: int = 0) -> str: ...


@dataclass(frozen=True)
class Ran:
    """A selftest that ran.  ``console``: what the kernel printed meanwhile.  ``lost``: the host."""

    name: str
    status: int = 0
    text: str = ""
    seconds: float = 0.0
    console: str = ""
    lost: str = ""
    limit: float = LIMIT_SECONDS

    @property
    def reports(self) -> tuple[KernelReport, ...]:
        return find_reports(self.console)

    @property
    def timed_out(self) -> bool:
        return self.status == _KILLED and self.seconds >= self.limit


@dataclass(frozen=True)
class Judged:
    """One pytest item: a subtest, or (``subtest`` empty) the test as a whole."""

    subtest: str
    verdict: Verdict
    message: str = ""
    expected_failure: bool = False  # XFAIL, TODO


def run(host: CommandHost, name: str, path: str, limit: float = LIMIT_SECONDS) -> Ran:
    """Run a test that the host's file system has, for ``limit`` seconds at most."""
    console = host.console_size()
    start = time.monotonic()
    try:
        done = host.command([path], limit)
    except HostLost as e:
        seconds = time.monotonic() - start
        return Ran(name, seconds=seconds, console=host.console(console), lost=e.what)
    seconds = time.monotonic() - start
    return Ran(name, done.status, done.text, seconds, host.console(console), limit=limit)


def judge(ran: Ran) -> list[Judged]:
    """A verdict for each KTAP subtest; and one on the whole if it says more than they do.

    A test that prints no KTAP has that one alone.
    """
    report = parse(ran.text)
    subtests = [_subtest(" / ".join(path), result) for path, result in report.leaves()]
    whole = _whole(ran, report, subtests)
    return subtests if subtests and whole.verdict is Verdict.PASS else [*subtests, whole]


def _subtest(name: str, result: Result) -> Judged:
    reason = ": ".join(filter(None, [result.status.name, result.reason]))
    match result.status:
        case Status.PASS | Status.XPASS:
            return Judged(name, Verdict.PASS)
        case Status.SKIP:
            return Judged(name, Verdict.SKIP, result.reason or "no reason given")
        case Status.XFAIL | Status.TODO:
            return Judged(name, Verdict.PASS, reason, expected_failure=True)
    return Judged(name, Verdict.FAIL, "\n".join([reason, *result.said[-_LAST_LINES:]]))


def _whole(ran: Ran, report: Report, subtests: list[Judged]) -> Judged:
    last = "\n".join(ran.text.strip().splitlines()[-_LAST_LINES:])
    if ran.lost:
        verdict = Verdict.CRASH if ran.reports else Verdict.ERROR
        return Judged("", verdict, f"the host was lost: {ran.lost}")
    if ran.reports:
        return Judged("", Verdict.CRASH, f"the kernel reported: {ran.reports[0].summary}")
    if ran.timed_out:
        return Judged("", Verdict.FAIL, f"TIMEOUT: no end after {ran.seconds:.0f} s\n{last}")
    failed = any(each.verdict is Verdict.FAIL for each in subtests)
    if ran.status not in (PASSED, SKIPPED) and not failed:
        return Judged("", Verdict.FAIL, f"exit status {ran.status}\n{last}")
    if ran.status == PASSED and failed:
        return Judged("", Verdict.FAIL, "exit status 0, though a subtest failed")
    if problems := list(report.all_problems()) if subtests else []:
        return Judged("", Verdict.FAIL, "\n".join(["not proper KTAP:", *problems]))
    if ran.status == SKIPPED and not subtests:
        return Judged(
            "", Verdict.SKIP, report.skipped or last.rpartition("\n")[2] or "no reason given"
        )
    return Judged("", Verdict.PASS)
