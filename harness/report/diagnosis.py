# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel that deviates does instead, in words that a kernel developer can check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.model.behaviour import Behaviour, Finalize
from harness.program import Program, Run, flat
from harness.report.listing import ppi_list
from harness.report.ppimap import Bitmaps
from harness.report.verdict import Outcome


def short_diagnosis(outcome: Outcome) -> str:
    """A word for tables and JUnit properties: which undeclared behaviour was seen, or ""."""
    declared, seen = outcome.behaviour, outcome.diagnosis
    if declared is None or seen is None:
        return ""
    parts = []
    if seen.finalize is not declared.finalize:
        parts.append(f"finalize {seen.finalize.value}")
    if seen.accessors is not declared.accessors:
        parts.append("accessors" if seen.accessors else "no accessors")
    if seen.irs is not declared.irs:
        parts.append("an IRS" if seen.irs else "no IRS")
    if seen.late_writes is not declared.late_writes and not parts:
        parts.append(f"late writes {seen.late_writes.value}")
    return ", ".join(parts)


def diagnose(outcome: Outcome) -> Iterator[str]:
    """Sentences; none if no other behaviour explains the trace exactly."""
    declared, seen = outcome.behaviour, outcome.diagnosis
    if declared is None or seen is None:
        return
    if seen.finalize is not declared.finalize:
        yield from _finalize(outcome, seen)
    if seen.accessors is not declared.accessors:
        has, due = ("has", "not have") if seen.accessors else ("does not have", "have")
        yield f"The kernel {has} the CPU_SYSREGS accessors, and was expected to {due} them."
    if seen.irs is not declared.irs:
        has, due = ("has", "none") if seen.irs else ("does not have", "one")
        yield f"The kernel's VGICv5 {has} an IRS, and was expected to have {due}."
    if seen.late_writes is not declared.late_writes and _late_write_matters(seen, declared):
        yield (
            f"The kernel behaves exactly like one whose late CPU_SYSREGS writes are "
            f"{seen.late_writes.value}; expected: {declared.late_writes.value}."
        )


def _late_write_matters(seen: Behaviour, declared: Behaviour) -> bool:
    return replace(declared, late_writes=seen.late_writes) == seen


def _finalize(outcome: Outcome, seen: Behaviour) -> Iterator[str]:
    if seen.finalize is not Finalize.FIRST_CREATED:
        yield f"The kernel behaves exactly like one with finalize: {seen.finalize.value}."
        return
    yield "The kernel behaves exactly like Linux 7.1-7.3 (finalize: first-created)."
    lost, leaked = _lost_and_leaked(outcome)
    vcpu = first_to_run(outcome.program)
    if lost:
        who = f"vCPU {vcpu} ran first, and " if vcpu else ""
        yield (
            f"{who}vgic_v5_finalize_ppi_state() looked at vCPU index 0, which had not run yet and "
            f"so owned no timer; hidden from every vCPU for good: {ppi_list(lost)}."
        )
    if leaked:
        yield (
            "vgic_v5_finalize_ppi_state() computes the mask but clears no state: what userspace "
            f"set for hidden PPIs before the first run ({_some(leaked)}) is still there after it."
        )
    if not lost and not leaked:
        yield (
            "vgic_v5_finalize_ppi_state() takes the mask from vCPU index 0, whichever vCPU runs "
            "first, and clears no state of hidden PPIs."
        )


def _some(mask: int) -> str:
    return ppi_list(mask) if mask.bit_count() <= 6 else f"{mask.bit_count()} PPIs"


def _lost_and_leaked(outcome: Outcome) -> tuple[int, int]:
    """Over all differences: PPIs that are missing, PPIs that must not be there."""
    lost = leaked = 0
    for difference in outcome.comparison.differences:
        if (maps := Bitmaps.of(difference)) is not None and maps.bank == 0:
            lost |= maps.lost
            leaked |= maps.leaked
    return lost, leaked


def first_to_run(program: Program) -> int:
    """The index of the vCPU that runs first; 0 if none runs."""
    return next((op.vcpu for op in flat(program.ops) if isinstance(op, Run)), 0)
