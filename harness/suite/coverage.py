# SPDX-License-Identifier: GPL-2.0-or-later
"""Which programs show what is known to be odd, and which catch what was once broken.

For reports and self-checks.  The rows are those of reference/gicv5-kvm.md, F.5 and F.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ODDITIES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType({
    1: ("order/2-vcpus-1-first", "order/cntv-on-0-1-first", "order/cntv-wakes-wfi-1-first"),
    2: ("masking-patterns/enable-all-ones", "masking-patterns/active-all-ones",
        "masking-vcpus/enable-only-on-3-of-4"),
    3: ("masking-patterns/together-all-hidden", "masking/pending-bit-26"),
    4: ("guest-writes/active-hidden-then-exit", "guest-writes/active-hidden-is-not-in-userspace",
        "migration/hidden-active-stays-behind"),
    5: ("guest-writes/bank-1-is-lost-at-exit", "guest-writes/enabler1",
        "guest-writes/each-priority-register", "preserve/enabler1-all-ones"),
    6: ("pending/cntv-stale-line", "pending/cntp-stale-line"),
    7: ("rerun/init-vcpu-again", "rerun/init-vcpu-again-userspace-and-guest-disagree"),
    8: ("sw-ppi/wfi-active-and-pending",),
    9: ("sw-ppi/wfi-blocks-below-the-priority-mask",
        "timers/wfi-blocks-cntv-below-the-priority-mask"),
    10: ("errno/run-before-init-kills-the-vm",),
    11: ("errno-sysregs/unlisted-gicv5-registers", "errno/init-without-vcpus"),
    12: ("exposure/untouched",),
    13: ("timers/cntv-pending-cannot-be-written", "timers/cntp-pending-cannot-be-written",
         "pmu/pending-cannot-be-written"),
})  # fmt: skip
"""F.5: row -> programs that show it."""

FIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    # finalize races for its lock: a splat under lockdep at any first run
    "e63d0a32e736": ("exposure/2-vcpus",),
    # the latch is cleared when its edge is handed to the hardware
    "170a77b4185a": ("sw-ppi/acknowledged-edge-does-not-come-back", "sw-ppi/interrupts"),
    # running priority of an empty APR
    "42d7eac8291d": ("timers/cntv-a-little-later",),
    # `<` against the effective priority mask
    "a4a645584793": ("sw-ppi/wfi-blocks-below-the-priority-mask",
                     "sw-ppi/wfi-blocks-at-the-running-priority"),
    # ready is not initialised
    "848fa8373a53": ("errno/run-before-init-kills-the-vm", "errno/irq-line-before-init"),
    # fold every exposed PPI
    "9c1ac77ddfc9": ("pending/active-bit-27-set-and-cleared-by-guest",
                     "pending/active-bit-30-set-and-cleared-by-guest"),
    # a DVI bit lost against the other timer's; the race itself is out of reach
    "2427e8c1cd4f": ("timers/both-interrupt",),
    # traps of IDR0, IAFFIDR, ENABLER
    "eec44c56e67c": ("exposure/vcpu-ids-17-and-3", "exposure/untouched", "guest-writes/enabler0"),
    # which fine-grained traps are set for whom
    "d70d4323dd96": ("guest-writes/everything-then-exit", "non-v5/every-register-is-undefined",
                     "non-v5/every-write-is-undefined"),
    # GCIE in the ID register
    "76efe94b1c5c": ("guest-writes/id-register-says-gcie", "non-v5/id-register-says-no-gcie"),
    # visible-PPI iterator
    "09a4b56100f8": ("pending/active-bit-23-set-and-cleared-by-guest", "exposure/each-bit"),
    # the seed patch itself
    "589d6072f25d": ("masking-patterns/enable-all-ones", "order/2-vcpus-1-first"),
})  # fmt: skip
"""F.6: commit -> programs of which at least one fails without it."""
