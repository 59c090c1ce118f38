# SPDX-License-Identifier: GPL-2.0-or-later
"""What kernels are declared to do differently.  Declared in images.yaml, never probed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Finalize(Enum):
    """How vgic_v5_finalize_ppi_state() works."""

    FIRST_CREATED = "first-created"
    """Linux 7.1-7.3: once per VM, from the owners on vCPU index 0; no state is cleared."""

    PER_VCPU = "per-vcpu"
    """The seed patch (589d6072f25d, queued for 7.4): the mask comes from the vCPU that runs first,
    and each vCPU's hidden state is cleared at its own first run."""


class LateWrites(Enum):
    """What becomes of a CPU_SYSREGS write after a vCPU has run."""

    REFUSED = "refused"
    """-EBUSY, as queued for 7.4."""

    EXPOSED = "exposed"
    """Accepted and not masked: the guest sees it (the note in the seed patch)."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The default is the seed patch's, on a kernel with accessors that refuses late writes.

    ``irs``: the VGICv5 has SPIs, LPIs, and an IRS whose address userspace must choose (7.4);
    without, it has PPIs only (7.1-7.3).
    """

    accessors: bool = True
    finalize: Finalize = Finalize.PER_VCPU
    late_writes: LateWrites = LateWrites.REFUSED
    irs: bool = False


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the model must know of the host; probed at boot, none of it is under test.

    ``pmu``: the host has PMUv3.  ``vhe``: the kernel runs at EL2, so CNTP is injected directly.
    ``hmr``: the physical ICC_PPI_HMR0/1, which guests read (the platform's: all level but SW_PPI).
    """

    pmu: bool = True
    vhe: bool = True
    hmr: tuple[int, int] = ((1 << 64) - 1 & ~(1 << 3), (1 << 64) - 1)
    max_vcpus: int = 512
