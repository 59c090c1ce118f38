# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference model: what KVM and its guests must do, as an executor of programs.

A PPI is *exposed* if the guest may see it, else *hidden*.  It is decided when vCPUs *first run*:
then KVM *finalizes* the PPI state.

======================  =============================================================
behaviour               what kernels are declared to do differently
refusals                no result: an errno, no rule, a matter of time
state                   what KVM remembers of a VM, a vCPU, a PPI
ist                     SPIs and LPIs: what hardware does to their tables
irs                     the IRS that KVM emulates, for the guest and for userspace
timers                  the architected timers, without a clock
cpuif                   the virtual CPU interface: the hardware the guest sees
vgic                    finalize, flush, restore, save, fold: PPI state on its way
vcpu                    INIT, first run, load and put
accessors               CPU_SYSREGS: userspace's view of the registers
ioctls                  what the other ioctls change, and their errnos
guest                   one KVM_RUN: the guest's operations and its exits
pause                   where an operation can be interrupted by another branch's
touches                 which state concurrent operations share
interleave              parallel sections: what is atomic, and all outcomes
execution               the operations on VMs, step by step
executor                programs in, traces out
======================  =============================================================
"""

from harness.model.behaviour import Behaviour, Finalize, HostFacts, LateWrites
from harness.model.executor import Allowed, Model
from harness.model.refusals import NotModelled, TimeDependent

__all__ = ["Allowed", "Behaviour", "Finalize", "HostFacts", "LateWrites", "Model", "NotModelled",
           "TimeDependent"]  # fmt: skip
