# SPDX-License-Identifier: GPL-2.0-or-later
"""ist: LPIs and the interrupt state tables, as queued for Linux 7.4: made, saved, restored.

Skipped on a kernel without that ABI.  **No released kernel has run these programs**
(harness/model/irs.py, ist.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.irs import (
    IST_ACTIVE,
    IST_ENABLED,
    IST_LEVEL,
    IST_PENDING,
    Table,
    ist_entry,
    lpi_intid,
    spi_intid,
)
from harness.irs import IrsRegister as Reg
from harness.program import (
    GRP_IRS_REGS,
    GRP_NR_IRQS,
    Action,
    CopyReg,
    CreateDevice,
    CreateVm,
    DeviceAttr,
    GuestOp,
    IrsRead,
    IrsWrite,
    Ist,
    IstEntry,
    Op,
    PlaceIrs,
    Pointer,
    Program,
    Wfi,
    Window,
    init_device,
    irs_reg,
    read,
    sysreg_attr,
    write,
)
from harness.suite.shapes import (
    BRIEFLY,
    LPI_TABLE,
    SYSREGS,
    Ops,
    acknowledge,
    configuration,
    configure,
    drop,
    irs_listen,
    irs_program,
    lpi_table,
    new_vm,
    pend,
    run,
    spi_line,
    take,
    vcpus,
)

SAVED = (Reg.IDR0, Reg.IDR1, Reg.IDR2, Reg.CR0, Reg.IST_BASER, Reg.IST_CFGR)
LPI_BYTES = 4 << 12
SHOW = (IrsRead(Reg.IST_CFGR), IrsRead(Reg.IST_BASER, wide=True))
ALIVE = run(SHOW)


def program(name: str, *parts: Op | Iterable[Op]) -> Program:
    return irs_program(f"ist/{name}", *parts)


def look(lpi: int) -> tuple[GuestOp, ...]:
    return configuration(lpi_intid(lpi))


def lpi(
    number: int, priority: int = 8, vcpu_id: int = 0, enable: bool = True
) -> tuple[GuestOp, ...]:
    return configure(lpi_intid(number), priority, vcpu_id, enable)


def baser(value: int) -> IrsWrite:
    return IrsWrite(Reg.IST_BASER, value, wide=True)


def save(image: int = 0, vm: int = 0, lpis: bool = True) -> Ist:
    return Ist(Action.GET, lpi_bytes=LPI_BYTES * lpis, image=image, vm=vm)


def restore(image: int = 0, vm: int = 0, lpis: bool = True) -> Ist:
    return Ist(Action.SET, lpi_bytes=LPI_BYTES * lpis, image=image, vm=vm)


def words(table: Table, *indices: int, image: int = 0) -> Ops:
    """Show entries of an image."""
    return tuple(IstEntry(Action.GET, table, index, image=image) for index in indices)


def _table() -> list[Program]:
    vm = new_vm()
    return [
        program("no-table-no-lpis", vm, run(SHOW, look(0), lpi(0), pend(lpi_intid(0)), look(0),
                irs_listen(), read("HPPIR"))),
        program("a-fresh-table", vm, run(lpi_table(), SHOW, look(0), look(4095), look(4096))),
        program("id-bits-too-few", vm, run(lpi_table(11), SHOW, look(0)),
                run(lpi_table(12), SHOW, look(0))),
        program("id-bits-16", vm, run(lpi_table(16), SHOW, look(0xFFFF), look(0x1_0000))),
        program("not-valid", vm, run(IrsWrite(Reg.IST_CFGR, 12), baser(LPI_TABLE), look(0))),
        program("address-cannot-change", vm, run(lpi_table(), baser(LPI_TABLE + 0x40 | 1), SHOW)),
        program("id-bits-cannot-change", vm, run(lpi_table(), IrsWrite(Reg.IST_CFGR, 13), SHOW,
                look(4096))),
        program("any-address", vm, run(lpi_table(base=0xFF_FFFF_F000), SHOW, lpi(0), look(0))),
        program("removed", vm, run(lpi_table(), lpi(0), pend(lpi_intid(0)), baser(0), look(0),
                irs_listen(), read("HPPIR"))),
        program("made-again-it-is-empty", vm, run(lpi_table(), lpi(0), pend(lpi_intid(0)),
                baser(0), lpi_table(), look(0), irs_listen(), read("HPPIR"))),
        program("made-again-elsewhere-and-larger", vm, run(lpi_table(), baser(0),
                lpi_table(13, LPI_TABLE + 0x1_0000), SHOW, look(8191))),
        program("spis-stay", vm, run(configure(spi_intid(5)), pend(spi_intid(5)), lpi_table(),
                configuration(spi_intid(5)), baser(0), configuration(spi_intid(5)))),
        program("one-table-for-all-vcpus", new_vm(2), run(lpi_table(), lpi(3)),
                run(SHOW, look(3), vcpu=1)),
    ]  # fmt: skip


def _lpis() -> list[Program]:
    ready = run(irs_listen(), lpi_table(), lpi(0))
    both = (ready, run(irs_listen(), vcpu=1))
    return [
        program("lpi-interrupts", new_vm(), ready, run(pend(lpi_intid(0)), look(0), Window(),
                look(0)), run(Window())),
        program("lpi-highest", new_vm(), ready, run(lpi(4095), pend(lpi_intid(4095)),
                read("HPPIR"), take(lpi_intid(4095)))),
        program("lpis-by-priority", new_vm(), ready, run(lpi(1, 4), lpi(2, 16),
                *(pend(lpi_intid(n)) for n in range(3)), take(lpi_intid(1)), take(lpi_intid(0)),
                take(lpi_intid(2)), acknowledge())),
        program("lpi-before-an-spi", new_vm(), ready, run(configure(spi_intid(5), 9)), spi_line(5),
                run(pend(lpi_intid(0)), take(lpi_intid(0)), take(spi_intid(5)))),
        program("lpi-to-another-vcpu-and-back", new_vm(2), both,
                run(lpi(0, vcpu_id=1), lpi(1), pend(lpi_intid(0)), read("HPPIR")),
                run(Window(), pend(lpi_intid(1)), vcpu=1), run(Window())),
        program("lpi-while-active", new_vm(), ready, run(pend(lpi_intid(0)), acknowledge(),
                pend(lpi_intid(0)), look(0), drop(), write("CDDI", lpi_intid(0)), Window())),
        program("lpi-cleared", new_vm(), ready, run(pend(lpi_intid(0)),
                pend(lpi_intid(0), False), look(0), Window())),
        program("lpi-wakes-a-wfi", new_vm(2), both, run(lpi(0, vcpu_id=1), pend(lpi_intid(0))),
                run(Wfi(), Window(), vcpu=1)),
        program("lpi-disabled-does-not-wake-a-wfi", new_vm(), ready,
                run(write("CDDIS", lpi_intid(0)), pend(lpi_intid(0)), Wfi(), wait_ms=BRIEFLY)),
        program("lpis-of-another-vm", new_vm(), new_vm(vm=1), ready, run(irs_listen(), lpi_table(),
                lpi(0), vm=1), run(pend(lpi_intid(0)), vm=1), run(look(0), read("HPPIR")),
                run(Window(), vm=1)),
    ]  # fmt: skip


def _save() -> list[Program]:
    vm, every = new_vm(2), IST_PENDING | IST_ENABLED
    guest = (
        *configure(spi_intid(0)), *configure(spi_intid(1), 16),
        *configure(spi_intid(2), enable=False),
        *configure(spi_intid(3), 31, 1), write("CDHM", spi_intid(4) | 1 << 32),
        pend(spi_intid(1)), pend(spi_intid(2)),
    )  # fmt: skip
    move = tuple(CopyReg(r, 0, 1, GRP_IRS_REGS) for r in SAVED)
    sysregs = tuple(CopyReg(sysreg_attr(name), 0, 1) for name in SYSREGS)
    lpis = (*lpi_table(), *lpi(0, vcpu_id=1), *lpi(1, 4, 1), pend(lpi_intid(0)))
    by_hand = {
        "pending": every, "enabled": IST_ENABLED, "disabled": IST_PENDING,
        "active": IST_ACTIVE | IST_ENABLED, "active-and-pending": IST_ACTIVE | every,
        "level": IST_LEVEL | IST_ENABLED,
    }  # fmt: skip
    return [
        program("save-nothing", new_vm(), save(lpis=False), run(irs_listen()), save(lpis=False),
                words(Table.SPI, 0, 31)),
        program("save-spis", vm, run(guest), spi_line(0), save(lpis=False),
                words(Table.SPI, *range(6))),
        program("save-an-active-spi", vm, run(irs_listen(), guest), run(acknowledge()),
                save(lpis=False), words(Table.SPI, *range(6))),
        program("save-lpis", vm, run(guest, lpis), save(), words(Table.LPI, 0, 1, 4095)),
        program("save-twice", vm, run(guest, lpis), save(), save(1), run(), save(2)),
        program("save-1024-spis", new_vm()[:-1], DeviceAttr(Action.SET, GRP_NR_IRQS, 0, 1024),
                init_device(), run(configure(spi_intid(1023))), Ist(Action.GET, 4096),
                words(Table.SPI, 0, 1022, 1023)),
        program("restore-spis", vm, new_vm(2, vm=1), run(guest, irs_listen()), save(lpis=False),
                move, restore(vm=1, lpis=False), save(1, vm=1, lpis=False),
                words(Table.SPI, *range(5), image=1),
                run(irs_listen(), take(spi_intid(1)), write("CDEN", spi_intid(2)),
                    take(spi_intid(2)), vm=1)),
        program("restore-lpis", vm, new_vm(2, vm=1), run(guest, lpis, irs_listen()), save(), move,
                restore(vm=1), save(1, vm=1), words(Table.LPI, 0, 1, image=1),
                run(SHOW, irs_listen(), take(spi_intid(1)), vm=1),
                run(irs_listen(), take(lpi_intid(0)), pend(lpi_intid(1)), take(lpi_intid(1)),
                    vcpu=1, vm=1)),
        program("restore-enabled-as-it-was", vm, new_vm(2, vm=1),
                run(configure(spi_intid(1)), pend(spi_intid(1)), irs_listen()), save(lpis=False),
                move, restore(vm=1, lpis=False),
                run(write("PCR", 31), write("CR0", 1), IrsRead(Reg.CR0), Window(), vm=1)),
        program("restore-with-the-vcpus-registers", vm, new_vm(2, vm=1),
                run(guest, irs_listen()), run(acknowledge()), save(lpis=False), move,
                restore(vm=1, lpis=False), sysregs,
                run(read("APR"), configuration(spi_intid(1)), drop(),
                    write("CDDI", spi_intid(1)), configuration(spi_intid(1)), vm=1)),
        program("restore-while-the-source-lives-on", vm, new_vm(2, vm=1), run(guest, irs_listen()),
                save(lpis=False), move, restore(vm=1, lpis=False), run(Window()),
                run(configuration(spi_intid(1)), vm=1)),
        *(program(f"restore-by-hand-{name}", new_vm(),
                  IstEntry(Action.SET, Table.SPI, 5, ist_entry(flags, 8)),
                  restore(lpis=False), save(1, lpis=False), words(Table.SPI, 5, image=1),
                  run(configuration(spi_intid(5)), irs_listen(), read("HPPIR"),
                      write("CDDI", spi_intid(5)), read("HPPIR")))
          for name, flags in by_hand.items()),
        program("restore-for-vcpu-id-17", new_vm(ids=(17, 3)),
                IstEntry(Action.SET, Table.SPI, 5, ist_entry(every, 8, 17)), restore(lpis=False),
                run(irs_listen(), read("HPPIR"), vcpu=1), run(irs_listen(), Window())),
        program("restore-twice", new_vm(), IstEntry(Action.SET, Table.SPI, 5, ist_entry(every, 8)),
                restore(lpis=False), restore(1, lpis=False), save(lpis=False),
                words(Table.SPI, 5), run(irs_listen(), read("HPPIR"))),
    ]  # fmt: skip


def _errors() -> list[Program]:
    vm, both = new_vm(), (Action.GET, Action.SET)
    with_lpis = run(lpi_table())
    sizes = {
        "no-spis": (0, 0), "too-few-spis": (124, 0), "too-many-spis": (132, 0),
        "odd-spis": (127, 0), "lpis-without-a-table": (128, 4), "a-table-of-lpis": (128, LPI_BYTES),
    }  # fmt: skip
    announce = (
        irs_reg(Action.SET, Reg.IST_CFGR, 12),
        irs_reg(Action.SET, Reg.IST_BASER, LPI_TABLE | 1),
    )
    return [
        program("has", CreateVm(), CreateDevice(), Ist(Action.HAS), Ist(Action.HAS, attr=1),
                PlaceIrs(), vcpus(), init_device(), Ist(Action.HAS), Ist(Action.HAS, attr=1),
                ALIVE),
        program("other-attribute", CreateVm(), CreateDevice(), PlaceIrs(), vcpus(),
                *(Ist(action, attr=1) for action in both), init_device(),
                *(Ist(action, attr=1) for action in both), ALIVE),
        program("before-init", vm[:-1], *(Ist(action) for action in both), init_device(),
                save(lpis=False)),
        *(program(f"{pointer.name.lower()}-pointer", vm,
                  *(Ist(action, pointer=pointer) for action in both), save(lpis=False), ALIVE)
          for pointer in (Pointer.NULL, Pointer.UNMAPPED)),
        *(program(f"sizes-{name}", vm, *(Ist(action, *size) for action in both),
                  save(lpis=False), ALIVE)
          for name, size in sizes.items()),
        program("sizes-of-lpis-that-exist", vm, with_lpis, Ist(Action.GET), Ist(Action.GET, 128, 4),
                Ist(Action.GET, 128, LPI_BYTES - 4), Ist(Action.GET, 128, LPI_BYTES + 4), save()),
        program("sizes-of-lpis-that-are-announced", vm, announce, Ist(Action.SET),
                Ist(Action.SET, 128, LPI_BYTES - 4), restore(), save(), run(SHOW, look(0))),
        program("restore-after-a-run", vm, run(), restore(lpis=False), save(lpis=False), ALIVE),
        program("restore-after-another-vcpu-ran", new_vm(2), run(vcpu=1), restore(lpis=False),
                save(lpis=False), ALIVE),
        program("base-changes-until-the-restore", vm, announce,
                irs_reg(Action.SET, Reg.IST_BASER, LPI_TABLE + 0x40 | 1),
                irs_reg(Action.SET, Reg.IST_BASER, LPI_TABLE), announce,
                irs_reg(Action.GET, Reg.IST_BASER), restore(), ALIVE),
        program("base-is-fixed-by-the-restore", vm, announce, restore(), announce,
                irs_reg(Action.SET, Reg.IST_BASER, LPI_TABLE + 0x40 | 1),
                irs_reg(Action.SET, Reg.IST_BASER, LPI_TABLE),
                irs_reg(Action.SET, Reg.IST_CFGR, 13), irs_reg(Action.GET, Reg.IST_BASER),
                irs_reg(Action.GET, Reg.IST_CFGR), ALIVE),
        program("base-before-configuration", vm, reversed(announce), restore(), ALIVE),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_table(), *_lpis(), *_save(), *_errors())
