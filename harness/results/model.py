# SPDX-License-Identifier: GPL-2.0-or-later
"""The result model: one session's provenance and one case per program.  Pure data.

Every format (jsonl, ktap, junit, kcidb, html) is written from this and, but for HTML, read back
into it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from harness.report.verdict import Verdict

# The verdicts that are the kernel's fault, and the one that is ours.
KERNELS_FAULT: Final = frozenset({Verdict.FAIL, Verdict.CRASH})

_PRINTK: Final = r"^\[ *(\d+\.\d+)\] "
_KVM: Final = re.compile(_PRINTK + r"kvm \[\d+\]: .*initialized", re.M)
_INIT: Final = re.compile(_PRINTK + r"Run /init as init process", re.M)


@dataclass(frozen=True, slots=True)
class Case:
    """One program's verdict and what a report needs to know of it.

    ``program``: ``family/name``.
    ``seconds``: how long it took; ``started``: seconds after the session's start.  ``message``: one
    line: what differed first (FAIL), how the kernel died (CRASH), what is missing and the errno
    that showed it (SKIP), what broke (ERROR).  ``diagnosis``: the undeclared behaviour that
    explains the trace.  ``reports``: fingerprints of kernel reports.  ``artefacts``: a folder,
    relative to the session's.  ``worker``: of xdist, which has a host of its own.
    """

    program: str
    verdict: Verdict
    seconds: float = 0.0
    started: float = 0.0
    message: str = ""
    diagnosis: str = ""
    reports: tuple[str, ...] = ()
    artefacts: str = ""
    rerun: str = ""
    worker: str = ""

    @property
    def family(self) -> str:
        return self.program.partition("/")[0]

    @property
    def name(self) -> str:
        """The program's name within its family."""
        return self.program.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of a host, in seconds: to the agent's greeting, and by the kernel's own clock until
    KVM was initialised and until init ran (0: it did not say)."""

    seconds: float
    kvm: float = 0.0
    init: float = 0.0

    @classmethod
    def of(cls, seconds: float, log: str) -> Boot:
        kvm, init = _KVM.search(log), _INIT.search(log)
        return cls(round(seconds, 3), *(float(found[1]) if found else 0.0 for found in (kvm, init)))

    def phases(self) -> tuple[tuple[str, float], ...]:
        """What the time went into.  QEMU's start comes before the kernel's clock, so it is counted
        with the agent's."""
        kvm = self.kvm or self.init
        rest = self.seconds - max(kvm, self.init)
        return (
            ("kernel, until KVM is ready", kvm),
            ("kernel, until init runs", max(0.0, self.init - kvm)),
            ("QEMU's start and the agent", max(0.0, rest)),
        )


@dataclass(frozen=True, slots=True)
class Results:
    """A session.  ``started``: ISO 8601, UTC.  ``provenance``: versions and hashes.

    ``hosts``: what was probed on each.  ``warnings``: what the platform complained of, with counts
    left out.
    """

    started: str
    kernel: str
    provenance: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0
    hosts: tuple[str, ...] = ()
    boots: tuple[Boot, ...] = ()
    warnings: tuple[str, ...] = ()

    def counts(self) -> Counter[Verdict]:
        return Counter(case.verdict for case in self.cases)

    def families(self) -> dict[str, list[Case]]:
        """The cases by family, in the order of their first case."""
        return by_family(self.cases)


def by_family(cases: Iterable[Case]) -> dict[str, list[Case]]:
    out: dict[str, list[Case]] = {}
    for case in cases:
        out.setdefault(case.family, []).append(case)
    return out


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """As in the README: 1 if the kernel is at fault, else 6 if something of ours failed, else 0."""
    seen = set(verdicts)
    if seen & KERNELS_FAULT:
        return 1
    return 6 if Verdict.ERROR in seen else 0


# --- cases as plain values, for the formats ------------------------------------------------------


def case_facts(case: Case) -> dict[str, Any]:
    """Everything but program and verdict that is not empty, in values that JSON has."""
    facts = asdict(case)
    del facts["program"], facts["verdict"]
    facts["reports"] = list(case.reports)
    return {key: value for key, value in facts.items() if value}


def case_of(program: str, verdict: str, facts: Mapping[str, Any]) -> Case:
    """The inverse.  ValueError, TypeError: these are not the facts of a case."""
    known = dict(facts)
    known["reports"] = tuple(known.get("reports", ()))
    return Case(program, Verdict(verdict.lower()), **known)


def session_facts(results: Results) -> dict[str, Any]:
    """Everything but the cases, in values that JSON has."""
    return {
        "started": results.started,
        "kernel": results.kernel,
        "provenance": dict(results.provenance),
        "seconds": results.seconds,
        "hosts": list(results.hosts),
        "boots": [asdict(boot) for boot in results.boots],
        "warnings": list(results.warnings),
    }


def results_of(facts: Mapping[str, Any], cases: Iterable[Case]) -> Results:
    """The inverse.  KeyError, TypeError: these are not the facts of a session."""
    return Results(
        facts["started"], facts["kernel"], dict(facts.get("provenance", {})), tuple(cases),
        float(facts.get("seconds", 0.0)), tuple(facts.get("hosts", ())),
        tuple(Boot(**boot) for boot in facts.get("boots", ())), tuple(facts.get("warnings", ())),
    )  # fmt: skip
