# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU_SYSREGS: userspace's view of a vCPU's GICv5 registers.

The ABI is Documentation/virt/kvm/devices/arm-vgic-v5.rst as queued for 7.4; the code is
kernel/unmasked/.  Setters are raw: no setter knows which PPIs are exposed.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.model.cpuif import APR, ICSR, LINKED, PRIORITIES, PRIORITY, Known, family
from harness.model.state import Irq, Vcpu
from harness.ppi import CNTP, U64, Register

BANK_PRIORITIES = 8  # PRIORITYR0-7 have storage; 8-15, like every *1 register, are RAZ/WI


def has_storage(reg: Register) -> bool:
    return reg.bank < (BANK_PRIORITIES if family(reg) == "PPI_PRIORITYR" else 1)


def get(vcpu: Vcpu, reg: Register) -> Known:
    """The value, and which of its bits can be known: not the line of an elapsing emulated timer."""
    elapsing = not vcpu.dvir >> CNTP & 1 and vcpu.ptimer.line is None
    unknown = 1 << CNTP if elapsing and family(reg) == "PPI_SPENDR" and has_storage(reg) else 0
    return value_of(vcpu, reg), U64 & ~unknown


def value_of(vcpu: Vcpu, reg: Register) -> int:
    """The bitmaps are collected from the irqs, all 64, not from what the hardware will be given."""
    if not has_storage(reg):
        return 0
    match family(reg):
        case "PPI_ENABLER":
            return collect(vcpu, lambda irq: irq.enabled)
        case "PPI_SACTIVER":
            return collect(vcpu, lambda irq: irq.active)
        case "PPI_SPENDR":
            return collect(vcpu, lambda irq: irq.pending)
        case "PPI_PRIORITYR":
            return vcpu.priorityr[reg.bank]
        case "ICSR":
            return vcpu.icsr
        case "APR":
            return vcpu.apr
        case "CR0":
            return vcpu.en | LINKED
        case "PCR":
            return vcpu.vpmr
    raise AssertionError(reg)


def collect(vcpu: Vcpu, bit: Callable[[Irq], bool]) -> int:
    return sum(bit(irq) << ppi for ppi, irq in enumerate(vcpu.irqs))


def set_(vcpu: Vcpu, reg: Register, value: int) -> None:
    if not has_storage(reg):
        return
    match family(reg):
        case "PPI_ENABLER":
            vcpu.enabler = value
            for ppi, irq in enumerate(vcpu.irqs):
                irq.enabled = bool(value >> ppi & 1)
        case "PPI_SACTIVER":  # the value, although the register's own writes only set bits
            vcpu.activer = value
            for ppi, irq in enumerate(vcpu.irqs):
                irq.active = bool(value >> ppi & 1)
        case "PPI_SPENDR":  # likewise; there is no bitmap, flush collects it at each entry
            for ppi, irq in enumerate(vcpu.irqs):
                if irq.edge:
                    irq.latch = bool(value >> ppi & 1)
                else:
                    irq.line = bool(value >> ppi & 1)
        case "PPI_PRIORITYR":  # the irqs learn it on the way into a WFI, before anybody asks them
            vcpu.priorityr[reg.bank] = value & PRIORITIES
        case "ICSR":
            vcpu.icsr = value & ICSR
        case "APR":
            vcpu.apr = value & APR
        case "CR0":
            vcpu.en = bool(value & 1)
        case "PCR":
            vcpu.vpmr = value & PRIORITY
