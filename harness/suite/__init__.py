# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite: programs in families, foundation first.

A program says only what to do; what must come of it the model computes (harness/model).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from harness.program import Program
from harness.suite import (
    after_first_run,
    errno,
    errno_sysregs,
    exposure,
    guest_writes,
    irs,
    ist,
    masking,
    masking_vcpus,
    migration,
    non_v5,
    order,
    pending,
    pmu,
    preserve,
    races,
    races_first_run,
    rerun,
    spi,
    sw_ppi,
    timers,
    two_vms,
)


@dataclass(frozen=True)
class Family:
    """Programs that ask one question.

    ``finalize``: they ask what vgic_v5_finalize_ppi_state() does, and each of them must fail on a
    kernel that decides by vCPU index 0 and does not mask.  All others must pass there.
    """

    name: str
    purpose: str
    programs: tuple[Program, ...]
    finalize: bool = False


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of the report."""
    return (
        Family("exposure", "which PPIs a guest has, for every VM configuration",
               exposure.programs()),
        Family("order", "the PPIs do not depend on which vCPU runs first", order.programs(), True),
        Family("masking", "a hidden PPI's state set before the first run is gone after it",
               masking.single_bits(), True),
        Family("masking-patterns", "the same for whole registers, with and without a PMU",
               masking.patterns(), True),
        Family("masking-vcpus", "the same on whichever vCPU, at its own first run",
               masking_vcpus.programs(), True),
        Family("preserve", "an exposed PPI's state and all else survives the first run",
               preserve.programs()),
        Family("pending", "pending and active, edge and level, userspace to hardware and back",
               pending.programs()),
        Family("after-first-run", "userspace writes after a vCPU has run",
               after_first_run.programs()),
        Family("guest-writes", "what the guest can change itself, and what lasts over an exit",
               guest_writes.programs()),
        Family("rerun", "second and later runs, and KVM_ARM_VCPU_INIT again", rerun.programs()),
        Family("sw-ppi", "KVM_IRQ_LINE of the SW_PPI, to the interrupt in the guest",
               sw_ppi.programs()),
        Family("timers", "CNTV and CNTP, injected directly, to the interrupt in the guest",
               timers.programs()),
        Family("pmu", "PMUIRQ, from an overflow to the interrupt in the guest", pmu.programs()),
        Family("migration", "saved and restored into a new VM, everything is as it was",
               migration.programs()),
        Family("two-vms", "VMs at the same time and one after the other do not disturb each other",
               two_vms.programs()),
        Family("non-v5", "a VM without VGICv5 has no GICv5 and is left alone", non_v5.programs()),
        Family("errno", "what the ioctls refuse, and that the VM survives it", errno.programs()),
        Family("errno-sysregs", "what the register accessors refuse, or a kernel without them",
               errno_sysregs.programs()),
        Family("races-first-run", "vCPUs that make their first run at the same time",
               races_first_run.programs()),
        Family("races", "interrupts, registers and close() while a guest runs", races.programs()),
        Family("irs", "the IRS of 7.4: its address, NR_IRQS, its registers for guest and userspace",
               irs.programs()),
        Family("spi", "SPIs of 7.4, from KVM_IRQ_LINE to the interrupt in the guest",
               spi.programs()),
        Family("ist", "LPIs of 7.4, and interrupt state that is saved and restored",
               ist.programs()),
    )  # fmt: skip


@cache
def programs() -> dict[str, Program]:
    """All programs by name, in the order of the report."""
    return {program.name: program for family in families() for program in family.programs}
