# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill matrix: mutant x family, and what follows from it.  Pure data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from harness.mutants.patchfile import Mutant
from harness.mutants.results import Kill, Result


class Status(Enum):
    """What became of a mutant.  The first two are as they should be."""

    KILLED = "killed"
    EQUIVALENT = "equivalent"  # declared so, and indeed nothing saw it
    SURVIVED = "survived"
    UNSEEN = "unseen"  # killed, but not by each family that its header promises
    NOT_EQUIVALENT = "not equivalent"  # declared so, but killed
    ERROR = "error"  # the patch, the compiler or the machine; never the kernel under test
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant.  ``failed``, ``crashed``: programs, by family.  ``unseen``: of the header."""

    mutant: Mutant
    result: Result
    suite: Status
    fuzz: Status
    failed: Mapping[str, int]
    crashed: Mapping[str, int]
    unseen: tuple[str, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """Those that kill it."""
        return tuple(dict.fromkeys((*self.failed, *self.crashed)))

    @property
    def first(self) -> Kill | None:
        return self.result.suite.first if self.result.suite else None


@dataclass(frozen=True, slots=True)
class Matrix:
    """``families``: their sizes, in the order of the suite, without those that cannot run.

    ``programs``: all names of the programs in them.
    """

    rows: tuple[Row, ...]
    families: Mapping[str, int]
    programs: tuple[str, ...]

    @classmethod
    def of(
        cls,
        mutants: Sequence[Mutant],
        results: Mapping[str, Result],
        families: Mapping[str, int],
        programs: Sequence[str],
    ) -> Matrix:
        """Of what is known."""
        rows = tuple(_row(m, results.get(m.name, Result(m.name))) for m in mutants)
        return cls(rows, families, tuple(programs))

    def killed_by(self, family: str) -> list[Row]:
        return [row for row in self.rows if family in row.families]

    def killed_alone_by(self, family: str) -> list[Row]:
        return [row for row in self.rows if row.families == (family,)]

    def never_failed(self) -> list[str]:
        """Programs that no mutant made fail."""
        seen = {p for row in self.rows if row.result.suite for p in row.result.suite.killers}
        return [program for program in self.programs if program not in seen]

    def count(self, status: Status) -> int:
        return sum(row.suite is status for row in self.rows)

    def fuzz_count(self, status: Status) -> int:
        return sum(row.fuzz is status for row in self.rows)

    @property
    def fuzzed(self) -> bool:
        return any(row.result.fuzz for row in self.rows)

    def idle_families(self) -> list[str]:
        """Families that kill nothing."""
        return [family for family in self.families if not self.killed_by(family)]


def _row(mutant: Mutant, result: Result) -> Row:
    suite = result.suite
    failed = _by_family(suite.programs("fail") if suite else ())
    crashed = _by_family(suite.programs("crash") if suite else ())
    unseen: tuple[str, ...] = ()
    if suite and suite.whole and (failed or crashed):
        unseen = tuple(
            family for family in mutant.seen_by if family not in failed and family not in crashed
        )
    return Row(
        mutant,
        result,
        _suite_status(mutant, result, unseen),
        _fuzz_status(mutant, result),
        failed,
        crashed,
        unseen,
    )


def _by_family(programs: Sequence[str]) -> dict[str, int]:
    return dict(Counter(program.partition("/")[0] for program in programs))


def _suite_status(mutant: Mutant, result: Result, unseen: Sequence[str]) -> Status:
    if result.error:
        return Status.ERROR
    if result.no_boot:
        return Status.KILLED
    if result.suite is None:
        return Status.NOT_RUN
    if result.suite.killers:
        if mutant.equivalent:
            return Status.NOT_EQUIVALENT
        return Status.UNSEEN if unseen else Status.KILLED
    if result.suite.errors:
        return Status.ERROR
    return Status.EQUIVALENT if mutant.equivalent else Status.SURVIVED


def _fuzz_status(mutant: Mutant, result: Result) -> Status:
    if result.error:
        return Status.ERROR
    if result.no_boot:
        return Status.KILLED
    if result.fuzz is None:
        return Status.NOT_RUN
    if result.fuzz.kill:
        return Status.NOT_EQUIVALENT if mutant.equivalent else Status.KILLED
    if result.fuzz.errors:
        return Status.ERROR
    return Status.EQUIVALENT if mutant.equivalent else Status.SURVIVED


def exit_code(matrix: Matrix, suite: bool, fuzz: bool) -> int:
    """1: some mutant is neither killed nor equivalent, as asked; 4: a patch is wrong; 6: the
    machine failed, or a mutant was not run.

    The fuzzer's survivors count only if the suite was not asked for.
    """
    statuses = [row.suite if suite else row.fuzz for row in matrix.rows]
    bad = (Status.SURVIVED, Status.UNSEEN, Status.NOT_EQUIVALENT)
    if any(status in bad for status in statuses):
        return 1
    if fuzz and any(row.fuzz is Status.NOT_EQUIVALENT for row in matrix.rows):
        return 1
    errors = [
        row for row, status in zip(matrix.rows, statuses, strict=True) if status is Status.ERROR
    ]
    if errors:
        return 4 if any(row.result.error for row in errors) else 6
    return 6 if Status.NOT_RUN in statuses else 0
