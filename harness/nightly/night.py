# SPDX-License-Identifier: GPL-2.0-or-later
"""A night's results and what has changed since the nights before.  Pure data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final

from harness.report.verdict import Verdict
from harness.results.model import KERNELS_FAULT, Results

WINDOW: Final = 5  # nights before that are looked at
SLOWER: Final = 1.5
SLOWER_SECONDS: Final = 2.0  # less is noise


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one variant.

    ``code``: pytest's exit code, or that of the error that kept it from running; None if it is
    not known.  ``trouble``: what is wrong that no verdict says; such a variant is ours to mend.
    ``absent``: the archive does not have its kernel yet.  ``bad``: program: (verdict, message), of
    every verdict but PASS and SKIP.  ``skipped``: programs.  ``families``: seconds.  ``folder``:
    relative to the night's.
    """

    id: str
    kernel: str
    suite: str = "all"
    seed: str = ""
    code: int | None = None
    trouble: str = ""
    absent: bool = False
    seconds: float = 0.0
    provenance: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    families: Mapping[str, float] = field(default_factory=dict)
    bad: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    folder: str = ""

    @property
    def status(self) -> str:
        """The worst verdict; ERROR if there is none."""
        if self.absent:
            return Verdict.SKIP.name
        verdicts = {verdict for verdict, _ in self.bad.values()}
        for verdict in (Verdict.CRASH, Verdict.FAIL):
            if verdict.name in verdicts:
                return verdict.name
        if self.trouble or Verdict.ERROR.name in verdicts or not self.counts:
            return Verdict.ERROR.name
        return Verdict.PASS.name


@dataclass(frozen=True, slots=True)
class Night:
    """``started``: ISO 8601, UTC; it names the night."""

    started: str
    seconds: float = 0.0
    outcomes: tuple[Outcome, ...] = ()

    def outcome(self, id_: str) -> Outcome | None:
        return next((each for each in self.outcomes if each.id == id_), None)

    def failures(self) -> int:
        """Programs that failed or crashed, over all variants."""
        return sum(_faults(each) for each in self.outcomes)


@dataclass(frozen=True, slots=True)
class Change:
    """One program, or for ``slower`` one family, of one variant."""

    variant: str
    what: str
    now: str
    before: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Against the night before; ``flaky`` and ``slower`` against up to WINDOW of them.

    ``flaky``: another verdict with the same kernel, QEMU and harness, or one that changed at least
    twice; such a change is not among ``new`` and ``fixed``.
    """

    new: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    flaky: tuple[Change, ...] = ()
    slower: tuple[Change, ...] = ()


def _faults(outcome: Outcome) -> int:
    names = {verdict.name for verdict in KERNELS_FAULT}
    return sum(verdict in names for verdict, _ in outcome.bad.values())


def outcome_of(results: Results, **known: Any) -> Outcome:
    """From a variant's results; ``known``: the rest of its fields."""
    return Outcome(
        kernel=results.kernel,
        seconds=results.seconds,
        provenance=dict(results.provenance),
        counts={verdict.name: n for verdict, n in results.counts().items()},
        families={
            name: round(sum(case.seconds for case in cases), 3)
            for name, cases in results.families().items()
        },
        bad={
            case.program: (case.verdict.name, case.message)
            for case in results.cases
            if case.verdict not in (Verdict.PASS, Verdict.SKIP)
        },
        skipped=tuple(c.program for c in results.cases if c.verdict is Verdict.SKIP),
        **known,
    )


def changes(tonight: Night, earlier: Sequence[Night]) -> Changes:
    """``earlier``: oldest first."""
    found: dict[str, list[Change]] = {"new": [], "fixed": [], "flaky": []}
    slower: list[Change] = []
    for outcome in tonight.outcomes:
        before = [old for night in earlier[-WINDOW:] if (old := night.outcome(outcome.id))]
        before = [old for old in before if old.counts and not old.trouble]
        if not before or not outcome.counts:
            continue
        for kind, change in _verdicts(outcome, before):
            found[kind].append(change)
        slower += _slower(outcome, before)
    kept = {kind: tuple(each) for kind, each in found.items()}
    return Changes(slower=tuple(slower), **kept)


def _verdicts(outcome: Outcome, before: Sequence[Outcome]) -> Iterator[tuple[str, Change]]:
    last = before[-1]
    # A variant that did not end says nothing of what it did not come to.
    programs = outcome.bad.keys() | (last.bad.keys() if not outcome.trouble else set())
    for program in sorted(programs):
        now, then = _verdict(outcome, program), _verdict(last, program)
        if now in (then, Verdict.SKIP.name):
            continue
        history = [_verdict(old, program) for old in before] + [now]
        flips = sum(a != b for a, b in pairwise(history))
        fuzz = outcome.seed != last.seed
        same = outcome.provenance == last.provenance and not fuzz
        kind = "fixed" if now == Verdict.PASS.name else "new"
        if same or (flips > 1 and not fuzz):
            kind = "flaky"
        yield kind, Change(outcome.id, program, _said(outcome, program), _said(last, program))


def _verdict(outcome: Outcome, program: str) -> str:
    """A program that was not run then is taken to have passed: that it fails now is news."""
    if program in outcome.bad:
        return outcome.bad[program][0]
    return Verdict.SKIP.name if program in outcome.skipped else Verdict.PASS.name


def _said(outcome: Outcome, program: str) -> str:
    verdict, message = outcome.bad.get(program, (_verdict(outcome, program), ""))
    return f"{verdict}: {message}" if message else verdict


def _slower(outcome: Outcome, before: Sequence[Outcome]) -> Iterator[Change]:
    """Against the median, so that one slow night does not hide the next."""
    whole = {"(whole variant)": outcome.seconds, **outcome.families}
    for name, now in whole.items():
        times = [
            old.seconds if name == "(whole variant)" else old.families.get(name, 0.0)
            for old in before
        ]
        usual = median(times)
        if usual > 0 and now > SLOWER * usual and now - usual > SLOWER_SECONDS:
            yield Change(outcome.id, name, f"{now:.1f} s", f"{usual:.1f} s")


def exit_code(night: Night, found: Changes, new_only: bool = False) -> int:
    """1 if a kernel is at fault, else 5 or 6 if something of ours is, else 0.

    ``new_only``: a kernel's fault counts only if it was not there the night before.
    """
    if (new_only and any(_is_fault(c.now) for c in (*found.new, *found.flaky))) or (
        not new_only and night.failures()
    ):
        return 1
    codes = [each.code for each in night.outcomes if each.status == Verdict.ERROR.name]
    return next((code for code in codes if code in (4, 5)), 6) if codes else 0


def _is_fault(said: str) -> bool:
    return said.startswith(tuple(verdict.name for verdict in KERNELS_FAULT))


# --- as JSON -------------------------------------------------------------------------------------


def night_facts(night: Night, found: Changes) -> dict[str, Any]:
    """``nightly.json``: what other programs read, and the next night."""
    facts = asdict(night)
    for outcome, plain in zip(night.outcomes, facts["outcomes"], strict=True):
        plain["status"] = outcome.status
    return {"format": 1, **facts, "failures": night.failures(), "changes": asdict(found)}


def night_of(facts: Mapping[str, Any]) -> Night:
    """The inverse, without the changes.  KeyError, TypeError: these are not a night's facts."""
    if facts["format"] != 1:
        raise TypeError(f"format {facts['format']}")
    outcomes = []
    for plain in facts["outcomes"]:
        fields = {key: value for key, value in plain.items() if key != "status"}
        fields["bad"] = {name: (v, m) for name, (v, m) in fields["bad"].items()}
        fields["skipped"] = tuple(fields["skipped"])
        outcomes.append(Outcome(**fields))
    return Night(facts["started"], float(facts["seconds"]), tuple(outcomes))
