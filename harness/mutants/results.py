# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a mutant: plain data, kept as JSON so that a later run need not redo it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.provision.cache import write_whole


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
    """The suite on one kernel.  ``key``: what it was run with; see judge.py.

    ``failed``, ``crashed``: programs by name.  ``errors``: ours, never the kernel's fault.
    ``passed``: how many.  ``left_out``: by family, those not run since too many before them took
    the host down or did not end.
    """

    key: str
    passed: int = 0
    failed: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    first: Kill | None = None
    build_seconds: float = 0.0
    boot_seconds: float = 0.0
    seconds: float = 0.0
    whole: bool = True  # False: it stopped at the first kill

    @property
    def killers(self) -> tuple[str, ...]:
        return self.failed + self.crashed


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
