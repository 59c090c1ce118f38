# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest of a program does: the operations of a Run (program.py)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.ppi import Register


@dataclass(frozen=True, slots=True)
class Read:
    """MRS (or SYSL for an instruction): the result's value is what was read."""

    reg: Register


@dataclass(frozen=True, slots=True)
class Write:
    """MSR (or SYS), then ISB.  A readable register is read back: that is the result's value."""

    reg: Register
    value: int = 0


@dataclass(frozen=True, slots=True)
class Wfi:
    """WFI with interrupts masked.  DONE if it completes; BLOCKED if it has not ``wait_ms`` after
    the guest reached it: then the vCPU thread is interrupted, the rest is NOT_REACHED."""


@dataclass(frozen=True, slots=True)
class Window:
    """Unmask IRQ for one instruction.  The handler acknowledges, drops and deactivates each
    interrupt, and switches a timer that fired off.  Value: number of interrupts taken, at most 64;
    extra: the INTID of the first (0 if none)."""


@dataclass(frozen=True, slots=True)
class IrsRead:
    """Load from the VM's IRS: ``offset`` (a multiple of 4) from IRS_BASE, 32 bits, or 64 if
    ``wide``.  The result's value is what was loaded.

    Where KVM emulates no IRS, the access ends the Run: OTHER, with exit reason KVM_EXIT_MMIO.
    """

    offset: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class IrsWrite:
    """Store to the VM's IRS, in the same way."""

    offset: int
    value: int = 0
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Spin:
    """Busy-wait this long by the counter (CNTVCT_EL0), without an exit; at most MAX_DELAY_NS."""

    ns: int


GuestOp = Read | Write | Wfi | Window | IrsRead | IrsWrite | Spin
