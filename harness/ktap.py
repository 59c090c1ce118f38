# SPDX-License-Identifier: GPL-2.0-or-later
"""KTAP, the kernel's test output, as a tree of results (Documentation/dev-tools/ktap.rst).

    report = parse(text)
    for path, result in report.leaves(): ...

Besides the specified nesting by two spaces it reads what kselftests really print: the output of
a test behind ``# `` before its result (kselftest/runner.sh), ``ok 1 # SKIP name`` (kselftest.h),
plain TAP 13, text that is no KTAP, and output that ends too soon.  It never fails; ``problems``
says what is not as it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Status(Enum):
    """What a result line says."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    XFAIL = "xfail"  # failed, as it was expected to
    XPASS = "xpass"
    TODO = "todo"  # not expected to work yet; whether it did does not matter
    TIMEOUT = "timeout"
    ERROR = "error"  # the test itself went wrong

    @property
    def bad(self) -> bool:
        """Whether someone should look at it."""
        return self in (Status.FAIL, Status.TIMEOUT, Status.ERROR)


@dataclass(frozen=True)
class Result:
    """One result line: ``name`` as the test gave it, ``reason`` what follows its directive.

    ``said``: the lines before it that are no results.  ``inner``: the report nested in it.
    """

    name: str
    status: Status
    reason: str = ""
    number: int | None = None
    said: tuple[str, ...] = ()
    inner: Report | None = None


@dataclass(frozen=True)
class Report:
    """All that one test printed.  ``planned`` None: no plan.

    ``skipped``: the reason of a plan ``1..0 # SKIP reason``.  ``said``: what followed the last
    result, or everything if there is none.
    """

    results: tuple[Result, ...] = ()
    planned: int | None = None
    skipped: str | None = None
    bail_out: str | None = None
    said: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_ktap(self) -> bool:
        """Whether there is anything of KTAP in it."""
        return bool(self.results) or self.planned is not None or self.bail_out is not None

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Result]]:
        """The innermost results by the names that lead to them."""
        for result in self.results:
            here = (*path, result.name)
            if result.inner is not None and result.inner.results:
                yield from result.inner.leaves(here)
            else:
                yield here, result

    def all_problems(self, path: tuple[str, ...] = ()) -> Iterator[str]:
        """Its own problems and those of what is nested in it."""
        for problem in self.problems:
            yield ": ".join([*path, problem])
        for result in self.results:
            if result.inner is not None:
                yield from result.inner.all_problems((*path, result.name))


CUT_OFF: Final = "cut off"  # the reason of a result that is not there, but what is nested in it is

_VERSION: Final = re.compile(r"K?TAP version \d+")
_PLAN: Final = re.compile(r"1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?\s*$", re.I)
_RESULT: Final = re.compile(r"(not ok|ok)(?:\s+(\d+))?(?:\s+(.*))?$")
_HASH: Final = re.compile(r"(?:^|(?<=\s))#")  # not the # of an escaped \# or of a word like C#
_DIRECTIVE: Final = re.compile(r"(SKIP|TODO|XFAIL|XPASS|TIMEOUT|ERROR)\b[ \t]*(.*)$", re.I)
_BAIL_OUT: Final = re.compile(r"Bail out!\s*(.*)$")


def parse(text: str) -> Report:
    """Read everything that a test printed."""
    return _parse([line.rstrip("\r") for line in text.split("\n")])


def _parse(lines: Sequence[str]) -> Report:
    state = _State()
    at = 0
    while at < len(lines):
        line = lines[at]
        depth = len(line) - len(line.lstrip(" "))
        if depth and _VERSION.match(line.lstrip()):
            end = at + 1
            while end < len(lines) and (lines[end].startswith(" " * depth) or not lines[end]):
                end += 1
            state.inner = _parse([each[depth:] for each in lines[at:end]])
            at = end
            continue
        state.take(line)
        at += 1
    return state.report()


@dataclass
class _State:
    """One level of nesting while it is read."""

    results: list[Result] = field(default_factory=list)
    planned: int | None = None
    skipped: str | None = None
    bail_out: str | None = None
    said: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    inner: Report | None = None

    def take(self, line: str) -> None:
        if _VERSION.match(line):
            return
        if match := _PLAN.match(line):
            if self.planned is not None:
                self.problems.append(f"a second plan: {line.strip()}")
                return
            self.planned = int(match[1])
            if self.planned == 0 and match[2] is not None:
                self.skipped = match[2].strip().removeprefix("- ")
        elif match := _RESULT.match(line):
            self.results.append(self._result(match))
            self.said, self.inner = [], None
        elif match := _BAIL_OUT.match(line):
            self.bail_out = match[1]
        elif line:
            self.said.append(line)

    def _result(self, match: re.Match[str]) -> Result:
        name, status, reason = _words(match[1] == "ok", match[3] or "")
        number = int(match[2]) if match[2] else None
        if number is not None and number != len(self.results) + 1:
            self.problems.append(f"number {number} where {len(self.results) + 1} was due: {name}")
        said, inner = self.said, self.inner
        if inner is None:
            said, inner = _unprefixed(said)
        return Result(name, status, reason, number, tuple(said), inner)

    def report(self) -> Report:
        if self.inner is not None:  # the result that it belongs to never came
            self.results.append(Result("", Status.FAIL, CUT_OFF, inner=self.inner))
            self.problems.append("output ends inside a nested test")
        elif self.results or self.planned:
            said, inner = _unprefixed(self.said)
            if inner is not None:
                self.results.append(Result("", Status.FAIL, CUT_OFF, inner=inner, said=tuple(said)))
                self.problems.append("output ends inside a nested test")
                self.said = []
        if self.results and self.planned is None:
            self.problems.append("no plan")
        elif self.planned is not None and self.planned != len(self.results):
            self.problems.append(f"{self.planned} results planned, {len(self.results)} came")
        if self.bail_out is not None:
            self.problems.append(f"bailed out: {self.bail_out}".rstrip(": "))
        return Report(
            tuple(self.results), self.planned, self.skipped, self.bail_out, tuple(self.said),
            tuple(self.problems),
        )  # fmt: skip


def _words(ok: bool, rest: str) -> tuple[str, Status, str]:
    """Name, status and reason from what follows the number."""
    status = Status.PASS if ok else Status.FAIL
    found = _HASH.search(rest)
    name = (rest[: found.start()] if found else rest).strip()
    comment = rest[found.end() :].strip() if found else ""
    if directive := _DIRECTIVE.match(comment):
        status, comment = Status[directive[1].upper()], directive[2].strip()
    name = name.removeprefix("- ").replace("\\#", "#")
    if not name:  # kselftest.h has it behind the directive
        name, comment = comment, ""
    return name, status, comment


def _unprefixed(said: Sequence[str]) -> tuple[list[str], Report | None]:
    """What runner.sh put ``# `` before, if there is KTAP in it: what came before that, and it."""
    for at, line in enumerate(said):
        if line.startswith("# ") and _VERSION.match(line[2:]):
            return list(said[:at]), _parse([each.removeprefix("# ") for each in said[at:]])
    return list(said), None
