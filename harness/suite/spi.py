# SPDX-License-Identifier: GPL-2.0-or-later
"""spi: SPIs as queued for Linux 7.4, from KVM_IRQ_LINE to the interrupt in the guest.

Skipped on a kernel without that ABI.  **No released kernel has run these programs**
(harness/model/irs.py, ist.py).  Level SPIs are tried only where the guest says so both to its IRS
and to the interrupt itself (GIC CDHM): what happens if it does not is an open question.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.irs import IrsRegister as Reg
from harness.irs import spi_intid
from harness.ppi import SW_PPI
from harness.program import (
    GRP_NR_IRQS,
    IRQ_TYPE_SPI,
    Action,
    CreateDevice,
    CreateVm,
    DeviceAttr,
    GuestOp,
    InitVcpu,
    IrqLine,
    IrsWrite,
    Op,
    PlaceIrs,
    Program,
    Wfi,
    Window,
    init_device,
    read,
    write,
)
from harness.suite.shapes import (
    BRIEFLY,
    Ops,
    acknowledge,
    configuration,
    configure,
    drop,
    get_state,
    inject,
    irs_enable,
    irs_listen,
    irs_program,
    listen,
    new_vm,
    pend,
    run,
    spi_line,
    take,
    vcpus,
    view,
)


def program(name: str, *parts: Op | Iterable[Op]) -> Program:
    return irs_program(f"spi/{name}", *parts)


def end(spi: int) -> tuple[GuestOp, ...]:
    return (drop(), write("CDDI", spi_intid(spi)))


def look(spi: int) -> tuple[GuestOp, ...]:
    return configuration(spi_intid(spi))


def edge(spi: int, priority: int = 8, vcpu_id: int = 0, enable: bool = True) -> tuple[GuestOp, ...]:
    return configure(spi_intid(spi), priority, vcpu_id, enable)


def level(spi: int, priority: int = 8) -> tuple[GuestOp, ...]:
    """The guest makes an SPI level, for its IRS and for the interrupt state."""
    return (
        IrsWrite(Reg.SPI_SELR, spi),
        IrsWrite(Reg.SPI_CFGR, 1),
        write("CDHM", spi_intid(spi) | 1 << 32),
        *configure(spi_intid(spi), priority),
    )


def vm_of(spis: int) -> Ops:
    """A VM with this many SPIs."""
    return (
        *new_vm()[:-1],
        DeviceAttr(Action.SET, GRP_NR_IRQS, 0, spis),
        init_device(),
    )


def _configuration() -> list[Program]:
    fields = {
        "priority": write("CDPRI", spi_intid(5) | 0x15 << 35),
        "affinity": write("CDAFF", spi_intid(5) | 1 << 32),
        "enable": write("CDEN", spi_intid(5)),
        "pending": pend(spi_intid(5)),
        "handling-mode": write("CDHM", spi_intid(5) | 1 << 32),
    }
    undo = (write("CDDIS", spi_intid(5)), pend(spi_intid(5), False), write("CDHM", spi_intid(5)),
            write("CDPRI", spi_intid(5)), write("CDAFF", spi_intid(5)))  # fmt: skip
    return [
        program("untouched", new_vm(), run(look(0), look(31), look(32), look(1023))),
        *(program(f"configuration-{name}", new_vm(2),
                  run(field, look(5), look(4), look(6)), run(look(5), vcpu=1), run(undo, look(5)))
          for name, field in fields.items()),
        program("configuration-of-none", new_vm(),
                run((w for n in (32, 0xFF_FFFF) for w in (*edge(n), pend(spi_intid(n)))),
                    irs_listen(), look(32), look(0), read("HPPIR"))),
        *(program(f"number-of-{n}", vm_of(n), run(look(n - 1), look(n), edge(n - 1), irs_listen()),
                  spi_line(n - 1), spi_line(n), run(acknowledge(), end(n - 1), look(n - 1)))
          for n in (32, 64, 1024)),
        program("number-of-96-has-state-for-128", vm_of(96),
                run(irs_listen(), look(95), look(96), look(127), look(128)), spi_line(95),
                spi_line(96), spi_line(127), run(look(95), look(96), look(127))),
    ]  # fmt: skip


def _line() -> list[Program]:
    vm = new_vm()
    ready = run(irs_listen(), edge(5))
    return [
        program("line-beyond-the-last", vm,
                *(IrqLine(n, up, type=IRQ_TYPE_SPI) for n in (32, 33, 64, 1023, 1024, 0xFFFF)
                  for up in (1, 0)), run(look(31))),
        program("line-before-init", CreateVm(), CreateDevice(), PlaceIrs(), vcpus(), spi_line(5),
                spi_line(32), init_device(), run(look(5))),
        program("line-names-no-vcpu", vm, ready, IrqLine(5, 1, vcpu=9, type=IRQ_TYPE_SPI),
                run(Window())),
        program("line-does-not-touch-ppis", vm, spi_line(3), spi_line(27), get_state(),
                run(view(), look(3), look(27))),
        program("line-of-another-vm", new_vm(), new_vm(vm=1), ready,
                run(irs_listen(), edge(5), vm=1),
                spi_line(5, vm=1), run(read("HPPIR")), run(Window(), vm=1)),
        program("line-before-the-guest-listens", vm, spi_line(5), run(look(5)),
                run(edge(5), irs_listen(), Window())),
        program("line-0-of-an-edge", vm, ready, spi_line(5, 0), run(look(5)), spi_line(5),
                spi_line(5, 0), run(look(5), Window())),
        program("edges-merge", vm, ready, spi_line(5), spi_line(5), run(look(5), Window(), look(5)),
                run(Window())),
        program("edge-after-edge", vm, ready, spi_line(5), run(Window()), spi_line(5),
                run(Window())),
        program("edge-while-active", vm, ready, spi_line(5), run(acknowledge(), look(5)),
                spi_line(5), run(look(5), read("HPPIR"), end(5), look(5), take(spi_intid(5))),
                run(look(5), acknowledge())),
        program("level-until-it-is-lowered", vm, run(irs_listen(), level(6)), spi_line(6),
                run(look(6), take(spi_intid(6)), look(6), acknowledge()), spi_line(6, 0),
                run(end(6), look(6), acknowledge())),
        program("level-raised-twice", vm, run(irs_listen(), level(6)), spi_line(6), spi_line(6),
                run(acknowledge()), spi_line(6, 0), run(end(6), acknowledge())),
        program("level-lowered-before-it-is-seen", vm, run(irs_listen(), level(6)), spi_line(6),
                spi_line(6, 0), run(look(6), acknowledge()), spi_line(6), run(acknowledge())),
    ]  # fmt: skip


def _delivery() -> list[Program]:
    vm = new_vm()
    ready = run(irs_listen(), edge(5))
    both = (spi_line(5), spi_line(7))
    return [
        program("interrupts", vm, ready, spi_line(5), run(look(5), Window(), look(5)),
                run(Window())),
        program("highest-pending", vm, ready, spi_line(5), run(read("HPPIR"), acknowledge(),
                read("APR"), read("HPPIR"), drop(), read("APR"), look(5))),
        program("irs-disabled", vm, run(irs_listen(), irs_enable(False), edge(5)), spi_line(5),
                run(look(5), read("HPPIR"), Window(), irs_enable(), read("HPPIR"), Window())),
        program("irs-disabled-again", vm, ready, spi_line(5),
                run(irs_enable(False), acknowledge(), irs_enable(), acknowledge(), end(5))),
        program("disabled", vm, run(irs_listen(), edge(5, enable=False)), spi_line(5),
                run(acknowledge(), look(5), write("CDEN", spi_intid(5)), Window())),
        program("disabled-again", vm, ready, spi_line(5), run(write("CDDIS", spi_intid(5)),
                acknowledge(), write("CDEN", spi_intid(5)), Window())),
        program("cpu-interface-disabled", vm, ready, spi_line(5), run(write("CR0", 0),
                acknowledge(), write("CR0", 1), Window())),
        program("below-the-priority-mask", vm, run(irs_listen(mask=7), edge(5)), spi_line(5),
                run(acknowledge(), write("PCR", 8), acknowledge(), end(5))),
        program("guest-pends-it", vm, ready, run(pend(spi_intid(5)), look(5), Window())),
        program("guest-clears-it", vm, ready, spi_line(5), run(pend(spi_intid(5), False), look(5),
                Window()), spi_line(5), run(Window())),
        program("by-priority", vm, run(irs_listen(), edge(5, 9), edge(7, 4)), both,
                run(acknowledge(), acknowledge(), end(7), acknowledge(), end(5))),
        program("all-in-one-window", vm, run(irs_listen(), edge(5, 9), edge(7, 4)), both,
                run(Window(), look(5), look(7))),
        program("preempts-a-lower-one", vm, run(irs_listen(), edge(5, 9), edge(7, 4)),
                spi_line(5), run(acknowledge()), spi_line(7), run(acknowledge(), read("APR"),
                end(7), read("APR"), end(5), read("APR"))),
        program("after-a-ppi-of-the-same-priority", vm,
                run(irs_enable(), listen(SW_PPI, priority=8), edge(5)), spi_line(5), inject(),
                run(read("HPPIR"), acknowledge(), drop(), acknowledge(), end(5))),
        program("before-a-ppi-of-lower-priority", vm,
                run(irs_enable(), listen(SW_PPI, priority=8), edge(5, 4)), inject(), spi_line(5),
                run(acknowledge(), acknowledge(), end(5), acknowledge())),
        program("active-over-an-exit", vm, ready, spi_line(5), run(acknowledge()),
                run(look(5), read("APR"), read("HPPIR")), run(end(5), look(5))),
        program("vcpu-init-leaves-it", vm, ready, spi_line(5), InitVcpu(),
                run(look(5), Window())),
    ]  # fmt: skip


def _vcpus() -> list[Program]:
    vm = new_vm(2)
    each = (run(irs_listen()), run(irs_listen(), vcpu=1))
    return [
        program("to-another-vcpu", vm, each, run(edge(5, vcpu_id=1)), spi_line(5),
                run(read("HPPIR"), look(5)), run(Window(), look(5), vcpu=1)),
        program("to-vcpu-id-17", new_vm(ids=(17, 3)), each, run(edge(5, vcpu_id=17)),
                run(edge(6, vcpu_id=3)), spi_line(5), spi_line(6), run(Window()),
                run(Window(), vcpu=1)),
        program("to-no-vcpu", vm, each, run(edge(5, vcpu_id=2)), spi_line(5), run(read("HPPIR")),
                run(read("HPPIR"), vcpu=1), run(write("CDAFF", spi_intid(5)), Window())),
        program("moves-while-pending", vm, each, run(edge(5)), spi_line(5),
                run(write("CDAFF", spi_intid(5) | 1 << 32), read("HPPIR")),
                run(Window(), vcpu=1)),
        program("ended-by-another-vcpu", vm, each, run(edge(5)), spi_line(5), run(acknowledge()),
                run(write("CDDI", spi_intid(5)), look(5), vcpu=1), run(drop(), look(5))),
        program("one-for-each-vcpu", vm, each, run(edge(5), edge(6, vcpu_id=1)), spi_line(5),
                spi_line(6), run(Window(), vcpu=1), run(Window())),
    ]  # fmt: skip


def _wfi() -> list[Program]:
    vm = new_vm()
    ready = run(irs_listen(), edge(5))
    return [
        program("wfi-completes", vm, ready, spi_line(5), run(Wfi(), acknowledge(), end(5))),
        program("wfi-completes-for-what-another-vcpu-pended", new_vm(2), run(irs_listen(), vcpu=1),
                run(edge(5, vcpu_id=1), pend(spi_intid(5))), run(Wfi(), Window(), vcpu=1)),
        program("wfi-blocks-without-one", vm, ready, run(Wfi(), wait_ms=BRIEFLY)),
        program("wfi-blocks-while-the-irs-is-disabled", vm, ready, spi_line(5),
                run(irs_enable(False), Wfi(), wait_ms=BRIEFLY), run(irs_enable(), Wfi(), Window())),
        program("wfi-blocks-below-the-priority-mask", vm, run(irs_listen(mask=7), edge(5)),
                spi_line(5), run(Wfi(), wait_ms=BRIEFLY), run(write("PCR", 8), Wfi(), Window())),
        program("wfi-blocks-while-it-is-active", vm, ready, spi_line(5), run(acknowledge(), drop()),
                spi_line(5), run(Wfi(), wait_ms=BRIEFLY),
                run(write("CDDI", spi_intid(5)), Wfi(), Window())),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_configuration(), *_line(), *_delivery(), *_vcpus(), *_wfi())
