# SPDX-License-Identifier: GPL-2.0-or-later
"""irs: the IRS of a VM as queued for Linux 7.4: its address, NR_IRQS, its registers.

Skipped on a kernel without that ABI.  **No released kernel has run these programs**: what they
expect is from the ABI's documentation and from a reconstruction (harness/model/irs.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.irs import IrsRegister as Reg
from harness.irs import spi_intid
from harness.ppi import SW_PPI, U64
from harness.program import (
    ADDR_IRS,
    GRP_ADDR,
    GRP_IRS_REGS,
    GRP_NR_IRQS,
    IRS_BASE,
    Action,
    CopyReg,
    CreateDevice,
    CreateVcpu,
    CreateVm,
    DeviceAttr,
    GuestOp,
    InitVcpu,
    IrsRead,
    IrsWrite,
    Ist,
    Op,
    PlaceIrs,
    Pointer,
    Program,
    Window,
    init_device,
    irs_reg,
)
from harness.suite.shapes import (
    configuration,
    enable_all,
    get_state,
    inject,
    irs_enable,
    irs_listen,
    irs_program,
    listen,
    new_vm,
    run,
    vcpus,
    view,
)

ALIVE = run(enable_all(), view())
NO_ADDRESS = (CreateVm(), CreateDevice(), *vcpus())


def program(name: str, *parts: Op | Iterable[Op]) -> Program:
    return irs_program(f"irs/{name}", *parts)


def address(action: Action, value: int = 0) -> DeviceAttr:
    return DeviceAttr(action, GRP_ADDR, ADDR_IRS, value)


def nr_irqs(action: Action, value: int = 0) -> DeviceAttr:
    return DeviceAttr(action, GRP_NR_IRQS, 0, value)


def load(*registers: Reg) -> tuple[GuestOp, ...]:
    """The guest reads registers of its IRS."""
    return tuple(IrsRead(register, register.wide) for register in registers)


def _address() -> list[Program]:
    get, set_ = address(Action.GET), address(Action.SET, IRS_BASE)
    dead: list[Op] = [
        run(), init_device(), get, set_, nr_irqs(Action.GET), irs_reg(Action.GET, Reg.IDR0),
        Ist(Action.GET), inject(), InitVcpu(), run(),
    ]  # fmt: skip
    refused = {
        "misaligned": (IRS_BASE + 0x1000, IRS_BASE + 1),
        "beyond-the-guest-s-memory": (1 << 40, 1 << 47),
        "half-beyond-the-guest-s-memory": ((1 << 40) - 0x1_0000,),
    }
    return [
        program("run-without-an-address", NO_ADDRESS, init_device(), dead),
        program("run-without-an-address-on-another-vcpu", NO_ADDRESS[:-2], vcpus(2),
                init_device(), run(vcpu=1), run()),
        program("no-address-of-one-vm-is-not-of-the-other", NO_ADDRESS, init_device(),
                new_vm(vm=1), run(), run(enable_all(), vm=1)),
        program("address-is-read-back", NO_ADDRESS, get, set_, get, init_device(), get, ALIVE,
                get),
        program("address-0", NO_ADDRESS, address(Action.SET, 0), get, set_, init_device(), ALIVE),
        program("address-twice", NO_ADDRESS, set_, set_, address(Action.SET, 0), get,
                init_device(), set_, ALIVE, set_),
        program("address-has", NO_ADDRESS, address(Action.HAS), set_, address(Action.HAS),
                *(DeviceAttr(Action.HAS, GRP_ADDR, other) for other in (5, U64)), init_device(),
                address(Action.HAS), ALIVE),
        *(program(f"address-{name}", NO_ADDRESS,
                  *(address(Action.SET, value) for value in values), get, set_, get,
                  init_device(), ALIVE)
          for name, values in refused.items()),
        program("address-highest", NO_ADDRESS, address(Action.SET, (1 << 40) - 0x2_0000), get,
                init_device(), ALIVE),
        program("address-elsewhere", CreateVm(), CreateDevice(), PlaceIrs(address=0x0900_0000),
                vcpus(), init_device(), run(load(Reg.IDR0)), ALIVE),
        program("address-before-vcpus", CreateVm(), CreateDevice(), set_, vcpus(), init_device(),
                run(load(Reg.IDR0)), ALIVE),
    ]  # fmt: skip


def _nr_irqs() -> list[Program]:
    get, vm = nr_irqs(Action.GET), new_vm()[:-1]
    bad = (0, 31, 33, 48, 1023, 1056, 0xFFFF_FFE0)
    return [
        program("nr-irqs-default", vm, get, init_device(), get, nr_irqs(Action.SET, 64), get,
                run(load(Reg.IDR5, Reg.IDR6, Reg.IDR7)), get),
        *(program(f"nr-irqs-{n}", vm, nr_irqs(Action.SET, n), get, init_device(), get,
                  run(load(Reg.IDR5, Reg.IDR6)), irs_reg(Action.GET, Reg.IDR5))
          for n in (32, 64, 96, 1024)),
        program("nr-irqs-refused", vm, *(nr_irqs(Action.SET, n) for n in bad), get,
                nr_irqs(Action.SET, 96), get, init_device(), ALIVE),
        program("nr-irqs-twice", vm, nr_irqs(Action.SET, 64), nr_irqs(Action.SET, 64),
                nr_irqs(Action.SET, 96), get, init_device(), nr_irqs(Action.SET, 96), get, ALIVE),
        program("nr-irqs-has", vm, nr_irqs(Action.HAS), init_device(), nr_irqs(Action.HAS), ALIVE),
    ]  # fmt: skip


def _init() -> list[Program]:
    return [
        program("init-without-vcpus", CreateVm(), CreateDevice(), PlaceIrs(), init_device(),
                init_device(), vcpus(), init_device(), ALIVE),
        program("create-vcpu-after-init", new_vm(), CreateVcpu(vcpu=1, id=1),
                CreateVcpu(vcpu=1, id=512), ALIVE),
        program("ppis-are-as-ever", new_vm(2), run(irs_enable(), listen(SW_PPI)), inject(),
                run(Window(), view()), run(enable_all(), view(), vcpu=1)),
    ]  # fmt: skip


def _guest() -> list[Program]:
    ids = load(Reg.IDR0, Reg.IDR1, Reg.IDR2, Reg.IDR3, Reg.IDR4, Reg.IDR5, Reg.IDR6, Reg.IIDR)
    statuses = load(Reg.SYNC_STATUSR, Reg.SPI_STATUSR, Reg.PE_STATUSR, Reg.IST_STATUSR)

    def pe(vcpu_id: int) -> tuple[GuestOp, ...]:
        return IrsWrite(Reg.PE_SELR, vcpu_id), *load(Reg.PE_STATUSR, Reg.PE_CR0)

    def spi(number: int) -> tuple[GuestOp, ...]:
        return IrsWrite(Reg.SPI_SELR, number), *load(Reg.SPI_STATUSR, Reg.SPI_CFGR)

    return [
        program("guest-reads-every-register", new_vm(), run(load(*Reg))),
        *(program(f"guest-reads-identification-{n}-vcpus", new_vm(n), run(ids, vcpu=n - 1))
          for n in (1, 2, 3, 8)),
        program("guest-reads-identification-ids-17-and-3", new_vm(ids=(17, 3)),
                run(ids), run(ids, vcpu=1)),
        program("guest-enables-and-disables", new_vm(),
                run(load(Reg.CR0), irs_enable(), load(Reg.CR0), irs_enable(False),
                    load(Reg.CR0), irs_enable()), run(load(Reg.CR0))),
        program("guest-sees-all-operations-completed", new_vm(),
                run(statuses, IrsWrite(Reg.SYNCR, 1 << 31), load(Reg.SYNCR), statuses)),
        program("guest-selects-each-pe", new_vm(3), run(*(op for n in range(4) for op in pe(n)))),
        program("guest-selects-pe-17-and-3", new_vm(ids=(17, 3)), run(pe(17), pe(3), pe(4))),
        program("guest-selects-spis", new_vm(), run(spi(0), spi(31), spi(32), spi(1023))),
        program("guest-sets-the-trigger-of-an-spi", new_vm(),
                run(spi(6), IrsWrite(Reg.SPI_CFGR, 1), spi(6), spi(5), spi(6),
                    IrsWrite(Reg.SPI_CFGR, 0), spi(6), configuration(spi_intid(6)))),
        program("one-irs-for-all-vcpus", new_vm(2), run(irs_enable(), IrsWrite(Reg.PE_SELR, 1)),
                run(load(Reg.CR0, Reg.PE_STATUSR), vcpu=1)),
        program("an-irs-for-each-vm", new_vm(), new_vm(vm=1), run(irs_enable()),
                run(load(Reg.CR0), vm=1), run(load(Reg.CR0))),
        program("vcpu-init-leaves-it", new_vm(), run(irs_listen()), InitVcpu(),
                run(load(Reg.CR0))),
    ]  # fmt: skip


def _registers() -> list[Program]:
    vm = new_vm()
    before = new_vm()[:-1]
    identification = (Reg.IDR0, Reg.IDR1, Reg.IDR2, Reg.IDR5, Reg.IDR6, Reg.IDR7)
    refused = {
        Reg.IDR0: (0x18, 0x219), Reg.IDR1: (0x70_0001,), Reg.IDR2: (0,), Reg.IDR5: (33,),
        Reg.IDR6: (33,),
    }  # fmt: skip
    statuses = (Reg.SYNC_STATUSR, Reg.SPI_STATUSR, Reg.PE_STATUSR, Reg.IST_STATUSR)
    misplaced = (0x30, 0x1_0000, 2, 0x184)
    return [
        program("registers-has-each", NO_ADDRESS, *(irs_reg(Action.HAS, r) for r in Reg),
                PlaceIrs(), init_device(), *(irs_reg(Action.HAS, r) for r in Reg), ALIVE),
        program("registers-before-init", before,
                *(irs_reg(action, r) for r in Reg for action in (Action.GET, Action.SET)),
                init_device(), ALIVE),
        program("registers-get-each", vm, *(irs_reg(Action.GET, r) for r in Reg), ALIVE,
                *(irs_reg(Action.GET, r) for r in Reg)),
        program("registers-restore-each", vm,
                *(CopyReg(r, 0, 0, GRP_IRS_REGS) for r in Reg), ALIVE),
        program("registers-no-such-offset", vm,
                *(irs_reg(action, offset) for offset in misplaced for action in Action), ALIVE),
        *(program(f"registers-{pointer.name.lower()}-pointer", vm,
                  *(DeviceAttr(action, GRP_IRS_REGS, r, 0, pointer)
                    for r in (Reg.IDR0, Reg.CR0, Reg.IST_BASER)
                    for action in (Action.GET, Action.SET)), ALIVE)
          for pointer in (Pointer.NULL, Pointer.UNMAPPED)),
        program("registers-are-not-written-late", new_vm(2), run(vcpu=1),
                *(irs_reg(Action.SET, r) for r in Reg), *(irs_reg(Action.GET, r) for r in Reg),
                run(load(Reg.CR0))),
        *(program(f"registers-{r.name.lower()}-of-another-irs", vm,
                  *(irs_reg(Action.SET, r, value) for value in values), irs_reg(Action.GET, r),
                  ALIVE)
          for r, values in refused.items()),
        program("registers-identification-of-the-same-irs", new_vm(2), new_vm(2, vm=1),
                *(CopyReg(r, 0, 1, GRP_IRS_REGS) for r in identification), run(vm=1)),
        program("registers-statuses-hide-valid", vm, *(irs_reg(Action.GET, r) for r in statuses),
                run(IrsWrite(Reg.PE_SELR, 0), IrsWrite(Reg.SPI_SELR, 1), load(*statuses)),
                *(irs_reg(Action.GET, r) for r in statuses)),
        program("registers-enable-for-the-guest", vm, irs_reg(Action.SET, Reg.CR0, 1),
                irs_reg(Action.GET, Reg.CR0), run(load(Reg.CR0))),
        program("registers-show-what-the-guest-wrote", vm, run(irs_enable()),
                irs_reg(Action.GET, Reg.CR0), run(irs_enable(False)),
                irs_reg(Action.GET, Reg.CR0)),
        program("registers-are-not-the-vcpus", vm, irs_reg(Action.SET, Reg.CR0, 1), get_state(),
                ALIVE),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (*_address(), *_nr_irqs(), *_init(), *_guest(), *_registers())
