# SPDX-License-Identifier: GPL-2.0-or-later
"""The architected timers, as far as they can be known without a clock.

A compare value of 0 has passed, one of ~0 never will.  Any other may or may not have been reached
when it is looked at: such a timer is *elapsing*, and the line it drives is ``None``, neither up nor
down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.ppi import U64

CTL_ENABLE: Final = 1 << 0
CTL_IMASK: Final = 1 << 1
CTL_ISTATUS: Final = 1 << 2

# Beyond this the counter will not come, at 1 GHz, for two years.
NEVER: Final = 1 << 56
# A deadline that was missed by less than this cannot lie before the counter's zero.
RECENT: Final = 1000
# A guest's counter makes at least this many ticks in a millisecond that a WFI waits for it,
# whatever its frequency: 10 MHz.  QEMU's is 62.5 MHz or 1 GHz.
TICKS_PER_MS: Final = 10_000


@dataclass(slots=True)
class Timer:
    """CTL and CVAL of one timer.  ``expired``: CVAL was reached; None: elapsing.

    ``cval`` is None once TVAL was written, as it then contains the time of the write.
    ``ticks``: an elapsing timer expires at most this many ticks after now.
    """

    ctl: int = 0
    cval: int | None = 0
    expired: bool | None = True
    ticks: int = 0

    def reset(self) -> None:
        """sys_regs.c TIMER_REG, arch_timer.c kvm_timer_vcpu_reset(): CTL and CVAL become 0."""
        self.ctl = 0
        self.write_cval(0)

    def write_ctl(self, value: int, emulated: bool = False) -> None:
        """The other bits are RES0; KVM's emulation (kvm_arm_timer_write()) keeps 32 of them."""
        self.ctl = value & (0xFFFF_FFFF & ~CTL_ISTATUS if emulated else CTL_ENABLE | CTL_IMASK)

    def write_cval(self, value: int) -> None:
        self.cval = self.ticks = value
        self.expired = True if value == 0 else False if value >= NEVER else None

    def write_tval(self, value: int) -> None:
        """CVAL = now + the signed 32-bit value."""
        ticks = (value & 0xFFFF_FFFF ^ 1 << 31) - (1 << 31)
        self.cval = None
        self.expired = True if -RECENT < ticks <= 0 else None
        self.ticks = ticks if ticks > 0 else NEVER

    def read_ctl(self) -> tuple[int, int]:
        """Value and its known bits: ISTATUS is UNKNOWN while the timer is off."""
        knows = bool(self.ctl & CTL_ENABLE) and self.expired is not None
        return self.ctl | (CTL_ISTATUS if self.expired else 0), U64 if knows else U64 & ~CTL_ISTATUS

    def read_cval(self) -> tuple[int, int]:
        return (0, 0) if self.cval is None else (self.cval, U64)

    @property
    def line(self) -> bool | None:
        """arch_timer.c kvm_timer_pending(); also the level of the physical PPI."""
        return self.expired if self.ctl & (CTL_ENABLE | CTL_IMASK) == CTL_ENABLE else False

    def within(self, wait_ms: int) -> bool:
        """Will an elapsing timer have expired after this wait, at any frequency?"""
        return self.ticks <= wait_ms * TICKS_PER_MS
