# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a mutant: plain data, kept as JSON so that a later run need not redo it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from harness.provision.cache import write_whole

LEFT_OUT: Final = "left out"


@dataclass(frozen=True, slots=True)
class Kill:
    """The first program that failed or crashed.

    ``number``: how many programs it took, this one included.  ``seconds``: since the host had
    booted.  ``crash``: the kernel died or reported something; ``message`` quotes it.
    """

    program: str
    message: str
    number: int
    seconds: float
    crash: bool = False


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """The suite on one kernel.  ``key``: with what it was judged; see judge.py.

    ``verdicts``: pass, fail, crash, error or LEFT_OUT, by program, in the order of the suite.
    LEFT_OUT: too many of its family before it took the host down or did not end.
    ``digests``: what each program was and what was expected of it.
    ``errors``: what went wrong on our side, never the kernel's fault.
    """

    key: str
    verdicts: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    first: Kill | None = None
    build_seconds: float = 0.0
    boot_seconds: float = 0.0
    seconds: float = 0.0
    whole: bool = True  # False: it stopped at the first kill

    def programs(self, *verdicts: str) -> list[str]:
        return [name for name, verdict in self.verdicts.items() if verdict in verdicts]

    @property
    def killers(self) -> list[str]:
        return self.programs("fail", "crash")


def merged(known: SuiteRun | None, new: SuiteRun, wanted: Mapping[str, str]) -> SuiteRun:
    """What was known of programs that ``new`` did not run, and ``new``.

    ``wanted``: the digests of the programs of today, in the order of the suite.
    """
    if known is None or new.verdicts.keys() == wanted.keys():
        return new
    verdicts = {name: new.verdicts.get(name) or known.verdicts.get(name, "") for name in wanted}
    verdicts = {name: verdict for name, verdict in verdicts.items() if verdict}
    firsts = [run.first for run in (known, new) if run.first]
    order = {name: number for number, name in enumerate(wanted, 1)}
    first = min(firsts, key=lambda kill: order[kill.program], default=None)
    if first is not None:
        first = replace(first, number=order[first.program])
    return replace(new, verdicts=verdicts, digests=dict(wanted), first=first,
                   seconds=known.seconds + new.seconds)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FuzzRun:
    """Generated programs on one kernel, until the first finding or for ``limit`` seconds."""

    key: str
    limit: float
    programs: int = 0
    kill: Kill | None = None
    errors: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """``error``: why there is no kernel to judge: the patch, the compiler or the machine.

    ``no_boot``: the kernel's own report, if it died before the first program.
    """

    mutant: str
    suite: SuiteRun | None = None
    fuzz: FuzzRun | None = None
    error: str = ""
    no_boot: str = ""


_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


@dataclass(frozen=True, slots=True)
class Store:
    """One JSON file for each mutant in a folder."""

    folder: Path

    def path(self, mutant: str) -> Path:
        return self.folder / f"{mutant}.json"

    def load(self, mutant: str) -> Result:
        """What is known of a mutant; nothing if the file is not there or from another version."""
        try:
            return _RESULT.validate_json(self.path(mutant).read_bytes())
        except (FileNotFoundError, ValidationError):
            return Result(mutant)

    def save(self, result: Result) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.path(result.mutant), _RESULT.dump_json(result, indent=1) + b"\n")


def still_valid(known: Result, suite_key: str, fuzz_key: str, limit: float, fast: bool) -> Result:
    """The parts of a stored result that a run with these keys need not redo."""
    suite, fuzz = known.suite, known.fuzz
    if suite is not None and (suite.key != suite_key or suite.errors or not (suite.whole or fast)):
        suite = None
    if fuzz is not None and (
        fuzz.key != fuzz_key or fuzz.errors or (fuzz.kill is None and fuzz.limit < limit)
    ):
        fuzz = None
    return replace(known, suite=suite, fuzz=fuzz, error="", no_boot="")


def missing(known: SuiteRun | None, wanted: Mapping[str, str]) -> list[str]:
    """The programs that are not known, or are not what they were: all if the first killer is."""
    digests = known.digests if known else {}
    if known and known.first and wanted.get(known.first.program) != digests[known.first.program]:
        return list(wanted)
    return [name for name, digest in wanted.items() if digests.get(name) != digest]
