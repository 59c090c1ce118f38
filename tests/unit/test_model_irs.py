# SPDX-License-Identifier: GPL-2.0-or-later
"""The model against what was seen of the ABI queued for 7.4: reference kvm-7.4.md, parts 2 and 3.

Every row is an observation: operations on a VM, and what the last ones returned.
"""

from __future__ import annotations

from errno import E2BIG, EBADF, EBUSY, EEXIST, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENXIO
from zlib import crc32

import pytest
from model_tools import IRS, Kernel

from harness import program as p
from harness.irs import IrsRegister as Reg
from harness.irs import Table, lpi_intid, spi_intid
from harness.model import HostFacts
from harness.model.refusals import NotModelled
from harness.ppi import U64, ppi_intid
from harness.program import Action, IrsRead, IrsWrite, Ist, Op, Pointer, irs_reg, read, write
from harness.suite.shapes import (
    acknowledge,
    configuration,
    configure,
    drop,
    inject,
    irs_enable,
    irs_listen,
    listen,
    lpi_table,
    new_vm,
    pend,
    run,
    spi_line,
    take,
    vcpus,
)

SET, GET, HAS = Action
BASE = p.IRS_BASE
TABLE = 0x1020_0000
VM = new_vm()
BARE = (p.CreateVm(), p.CreateDevice(), *vcpus())  # no address, no INIT
UNINITIALISED = VM[:-1]
INIT = p.init_device()


def addr(action: Action, value: int = 0, attr: int = p.ADDR_IRS) -> Op:
    return p.DeviceAttr(action, p.GRP_ADDR, attr, value)


def nr(action: Action, value: int = 0) -> Op:
    return p.DeviceAttr(action, p.GRP_NR_IRQS, 0, value)


def sysreg(action: Action, name: str, vcpu_id: int = 0, pointer: Pointer = Pointer.VALUE) -> Op:
    attr = p.sysreg_attr(name, vcpu_id)
    return p.DeviceAttr(action, p.GRP_CPU_SYSREGS, attr, U64, pointer)


def load(*registers: Reg) -> Op:
    return run(*(IrsRead(register, register.wide) for register in registers))


def configured(*setup: p.GuestOp, intid: int) -> Op:
    return run(*setup, configuration(intid))


# name: operations, and what the last of their results are: a negative errno, or a value
ROWS: dict[str, tuple[tuple[Op, ...], list[int]]] = {
    # ADDR
    "misaligned": ((*BARE, addr(SET, BASE + 0x1000)), [-EINVAL]),
    "beyond IPA": ((*BARE, addr(SET, 1 << 40)), [-E2BIG]),
    "up to IPA": ((*BARE, addr(SET, (1 << 40) - 0x2_0000)), [0]),
    "ADDR NULL": ((*BARE, p.DeviceAttr(GET, p.GRP_ADDR, p.ADDR_IRS, 0, Pointer.NULL)), [-EFAULT]),
    "half beyond IPA": ((*BARE, addr(SET, (1 << 40) - 0x1_0000)), [-E2BIG]),
    "get before set": ((*BARE, addr(GET)), [U64]),
    "address 0": ((*BARE, addr(SET, 0), addr(GET), addr(SET, BASE)), [0, 0, -EEXIST]),
    "second": ((*BARE, addr(SET, BASE), addr(SET, BASE)), [0, -EEXIST]),
    "has 5": ((*BARE, addr(HAS, attr=5)), [-ENXIO]),
    "has -1": ((*BARE, addr(HAS, attr=U64)), [-ENXIO]),
    "has": ((*BARE, addr(HAS)), [0]),
    # KVM_RUN without ADDR
    "run without ADDR": (
        (*BARE, INIT, run(), run(), nr(GET), INIT, inject(), p.CreateVcpu(vcpu=1, id=1)),
        [-ENXIO, -EIO, -EIO, -EIO, -EIO, -EIO],
    ),
    # NR_IRQS
    "nr before": ((*BARE, nr(GET)), [0]),
    "nr bad": (
        (*BARE, nr(SET, 31), nr(SET, 33), nr(SET, 48), nr(SET, 1056), nr(GET)),
        [-EINVAL, -EINVAL, -EINVAL, -EINVAL, 0],
    ),
    "nr 64": ((*BARE, nr(SET, 64), nr(SET, 64), INIT, nr(SET, 64), nr(GET)),
              [0, -EBUSY, 0, -EBUSY, 64]),
    "nr default": ((*BARE, INIT, nr(SET, 64), nr(GET)), [-EBUSY, 32]),
    "nr 1024": ((*UNINITIALISED, nr(SET, 1024), INIT, spi_line(1023), spi_line(1024)),
                [0, 0, 0, -EINVAL]),
    # INIT and vCPUs
    "INIT without vCPU": ((p.CreateVm(), p.CreateDevice(), INIT, *vcpus(), INIT),
                          [-ENODEV, 0, 0, 0]),
    "vCPU id 512": ((*BARE, p.CreateVcpu(vcpu=1, id=512)), [-EINVAL]),
    "vCPU after INIT": ((*VM, p.CreateVcpu(vcpu=1, id=3)), [-EBUSY]),
    # CPU_SYSREGS
    "sysregs before INIT": (
        (*UNINITIALISED, *(sysreg(action, "ENABLER0") for action in (GET, SET, HAS))),
        [-EBUSY, -EBUSY, 0],
    ),
    "unknown MPIDR": ((*VM, sysreg(GET, "ENABLER0", 5), sysreg(HAS, "ENABLER0", 5)),
                      [-EINVAL, -EINVAL]),
    "unknown register": ((*VM, *(sysreg(action, "IDR0") for action in (GET, SET, HAS))),
                         [-ENOENT, -ENOENT, -ENXIO]),
    "sysregs NULL": ((*VM, sysreg(SET, "ENABLER0", 0, Pointer.NULL)), [-EFAULT]),
    "late sysreg": ((*VM, run(), sysreg(SET, "ENABLER0"), sysreg(GET, "CR0")), [-EBUSY, 6]),
    # IRS_REGS
    "has before ADDR": ((*BARE, irs_reg(HAS, Reg.IDR0)), [0]),
    "regs before INIT": ((*UNINITIALISED, irs_reg(GET, 0), irs_reg(SET, 0)), [-EBUSY, -EBUSY]),
    "bad offsets": (
        (*VM, *(irs_reg(HAS, o) for o in (0x30, 0x1_0000, 2, 0x184)), irs_reg(GET, 0x1_0000)),
        [-ENXIO, -ENXIO, -EINVAL, -EINVAL, -ENXIO],
    ),
    "the ends of registers": (  # CR1 has 4 bytes, IST_BASER has 8
        (*VM, *(irs_reg(HAS, o) for o in (0x87, 0x88, 0x187, 0x188))),
        [-EINVAL, -ENXIO, -EINVAL, -ENXIO],
    ),
    "regs NULL": (
        (*VM, *(p.DeviceAttr(a, p.GRP_IRS_REGS, 0, 0, Pointer.NULL) for a in (GET, SET))),
        [-EFAULT, -EFAULT],
    ),
    "late register": ((*VM, run(), irs_reg(SET, 0, 0x19), irs_reg(GET, 0)), [-EBUSY, 0x19]),
    "IDR0": ((*VM, irs_reg(GET, 0), irs_reg(SET, 0, 0x18), irs_reg(SET, 0, 0x219)),
             [0x19, -EINVAL, -EINVAL]),
    "IDR1 of 1": ((*VM, irs_reg(GET, 4), irs_reg(SET, 4, 0x70_0001)), [0x40_0001, -EINVAL]),
    "IDR1 of 2": ((*new_vm(2), irs_reg(GET, 4)), [0x40_0002]),
    "IDR1 of 17, 3": ((*new_vm(ids=(17, 3)), irs_reg(GET, 4)), [0x44_0002]),
    "IDR2": ((*VM, irs_reg(GET, 8), irs_reg(SET, 8, 0)), [0x330, -EINVAL]),
    "IDR5, IDR6": ((*UNINITIALISED, nr(SET, 96), INIT, irs_reg(GET, 0x14), irs_reg(GET, 0x18),
                    irs_reg(SET, 0x14, 97)), [96, 96, -EINVAL]),
    "IIDR": ((*VM, irs_reg(GET, 0x40)), [0x04B0_043B]),
    "statuses": ((*VM, *(irs_reg(GET, o) for o in (0xC4, 0x118, 0x144, 0x194))), [1, 1, 1, 1]),
    "the guest's statuses": ((*VM, load(Reg.PE_STATUSR, Reg.SPI_STATUSR, Reg.PE_CR0)), [7, 3, 1]),
    # IST_BASER and IST_CFGR by userspace
    "BASER before CFGR": ((*VM, irs_reg(SET, 0x180, TABLE | 1), irs_reg(SET, 0x190, 12),
                           Ist(SET, 128, 16384)), [0, 0, 0]),
    "BASER changes until restored": (
        (*VM, irs_reg(SET, 0x190, 12), irs_reg(SET, 0x180, TABLE | 0x41),
         irs_reg(SET, 0x180, TABLE), irs_reg(SET, 0x180, TABLE | 1), Ist(SET), Ist(SET, 128, 16380),
         Ist(SET, 128, 16384)),
        [0, 0, 0, 0, -EINVAL, -EINVAL, 0],
    ),
    "BASER is fixed then": (
        (*VM, irs_reg(SET, 0x190, 12), irs_reg(SET, 0x180, TABLE | 1), Ist(SET, 128, 16384),
         irs_reg(SET, 0x180, TABLE | 1), irs_reg(SET, 0x180, TABLE | 0x41),
         irs_reg(SET, 0x180, TABLE), irs_reg(SET, 0x190, 12), irs_reg(SET, 0x190, 13)),
        [0, -EINVAL, -EINVAL, 0, -EINVAL],
    ),
    # IST
    "IST attr 1": ((*BARE, Ist(HAS), *(Ist(a, attr=1) for a in (HAS, GET, SET))),
                   [0, -ENXIO, -ENXIO, -ENXIO]),
    "IST before INIT": ((*UNINITIALISED, Ist(GET), Ist(SET)), [-EBUSY, -EBUSY]),
    "IST NULL": ((*VM, *(Ist(a, pointer=Pointer.NULL) for a in (GET, SET))), [-EINVAL, -EINVAL]),
    "IST bad pointer": ((*VM, *(Ist(a, pointer=Pointer.UNMAPPED) for a in (GET, SET))),
                        [-EFAULT, -EFAULT]),
    "IST sizes": (
        (*VM, Ist(GET, 0), Ist(SET, 0), Ist(GET, 124), Ist(SET, 124), Ist(GET, 128, 4),
         Ist(SET, 128, 4)),
        [-EINVAL] * 6,
    ),
    "IST without its LPIs": ((*VM, run(lpi_table()), Ist(GET), Ist(GET, 128, 16380)),
                             [-EINVAL, -EINVAL]),
    "IST late": ((*VM, run(), Ist(SET)), [-EBUSY]),
    # KVM_IRQ_LINE
    "SPI beyond": ((*VM, spi_line(31), spi_line(32)), [0, -EINVAL]),
    "other PPIs": ((*VM, p.IrqLine(27, 1), p.IrqLine(64, 1), p.IrqLine(3, 1)),
                   [-EINVAL, -EINVAL, 0]),
    # PMU
    "PMU INIT before INIT": ((p.CreateVm(), *new_vm(pmu=())[1:-1], p.pmu_init()), [-ENODEV]),
    # configuration of interrupts (part 1, 11; part 3)
    "untouched SPI": ((*VM, configured(intid=spi_intid(5))), [0, 0]),
    "SPI beyond the table": ((*VM, configured(intid=spi_intid(32))), [0, 1]),
    "LPI without a table": ((*VM, configured(intid=lpi_intid(0))), [0, 1]),
    "96 SPIs": ((*UNINITIALISED, nr(SET, 96), INIT, configured(intid=spi_intid(127))), [0, 0]),
    "IDs of LPIs, too few": ((*VM, run(lpi_table(11), IrsRead(Reg.IST_BASER, True))), [0, 0, 0]),
    "address is immutable": (
        (*VM, run(lpi_table(), IrsWrite(Reg.IST_BASER, TABLE | 0x41, True),
                  IrsRead(Reg.IST_BASER, True), IrsWrite(Reg.IST_CFGR, 13),
                  IrsRead(Reg.IST_CFGR))),
        [TABLE | 1, 0, 12],
    ),
    "table removed": (
        (*VM, run(lpi_table(), configure(lpi_intid(0)), IrsWrite(Reg.IST_BASER, 0, True),
                  configuration(lpi_intid(0)), lpi_table(), configuration(lpi_intid(0)))),
        [1, 0, 0, 0, 0],
    ),
    "SYNCR": ((*VM, load(Reg.SYNCR)), [0]),
    # delivery (parts 1 and 3)
    "edges merge": (
        (*VM, run(irs_listen(), configure(spi_intid(7))), spi_line(7), spi_line(7),
         run(take(spi_intid(7)), acknowledge())),
        [1 << 32 | spi_intid(7), 0, 0, 0],
    ),
    "edge while active": (
        (*VM, run(irs_listen(), configure(spi_intid(7))), spi_line(7), run(acknowledge()),
         spi_line(7), run(configuration(spi_intid(7)), drop(), write("CDDI", spi_intid(7)),
                          acknowledge())),
        [0x4016, 0, 0, 1 << 32 | spi_intid(7)],
    ),
    "level 0 of an edge": ((*VM, spi_line(7, 0), configured(intid=spi_intid(7))), [0, 0]),
    "IRS disabled": (
        (*VM, run(irs_listen(), configure(spi_intid(8)), irs_enable(False)), spi_line(8),
         run(acknowledge(), irs_enable(), acknowledge())),
        [0, 0, 1 << 32 | spi_intid(8)],
    ),
    "ties": (
        (*VM, run(irs_enable(), listen(3, priority=8), configure(spi_intid(8)),
                  configure(spi_intid(9), 4)), inject(), spi_line(8), spi_line(9),
         run(acknowledge(), acknowledge(), drop(), write("CDDI", spi_intid(9)), acknowledge(),
             drop(), write("CDDI", ppi_intid(3)), acknowledge())),
        [1 << 32 | spi_intid(9), 0, 0, 0, 1 << 32 | ppi_intid(3), 0, 0, 1 << 32 | spi_intid(8)],
    ),
    "affinity": (
        (*new_vm(2), run(irs_listen()), run(irs_listen(), configure(spi_intid(7), 4, 1), vcpu=1),
         spi_line(7), run(acknowledge()), run(acknowledge(), vcpu=1)),
        [0, 0, 0, 1 << 32 | spi_intid(7)],
    ),
    # PPIs are as before
    "mask": ((*VM, run(write("ENABLER0", U64))), [0x4800_0008]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_observed(name: str) -> None:
    ops, expected = ROWS[name]
    results = Kernel(IRS, empty=True).results(*ops)[-len(expected) :]
    assert [r.ret or r.value for r in results] == expected


def test_every_register_can_be_read_and_written_back() -> None:
    kernel = Kernel(IRS)
    assert len(Reg) == 52
    for register in Reg:
        assert kernel(irs_reg(HAS, register)) == 0
        assert kernel(p.CopyReg(register, 0, 0, p.GRP_IRS_REGS)) == 0, register


def known(kernel: Kernel, *ops: Op) -> list[tuple[int, int]]:
    """Value and known bits of the last operation's results."""
    return [(r.value, r.known) for r in kernel.results(*ops)]


SAME = {  # registers that userspace and the guest read alike, in a VM with vCPU ids 1 and 0
    Reg.IDR0: (0x19, U64), Reg.IDR1: (0x40_0002, U64), Reg.IDR2: (0x320, U64 & ~0x1F),
    Reg.IDR3: (0, U64), Reg.IDR4: (0, U64), Reg.IDR5: (32, U64), Reg.IDR6: (32, U64),
    Reg.IIDR: (0x04B0_043B, U64), Reg.IST_BASER: (0, U64), Reg.IST_CFGR: (0, U64),
    Reg.SYNC_STATUSR: (1, U64), Reg.IST_STATUSR: (1, U64),
}  # fmt: skip
USERSPACE = SAME | {Reg.CR0: (0, 1), Reg.SPI_STATUSR: (1, U64), Reg.PE_STATUSR: (1, U64)}
GUEST = SAME | {
    Reg.CR0: (2, U64), Reg.SYNCR: (0, U64), Reg.SPI_CFGR: (0, U64), Reg.SPI_STATUSR: (3, U64),
    Reg.PE_STATUSR: (7, U64), Reg.PE_CR0: (1, U64),
}  # fmt: skip


def test_what_is_known_of_each_register() -> None:
    kernel = Kernel(IRS, empty=True)
    kernel(*new_vm(ids=(1, 0)))
    for register in Reg:
        seen = known(kernel, irs_reg(GET, register))[0]
        expected = USERSPACE.get(register, (0, 0))
        assert (seen[0] & seen[1], seen[1]) == (expected[0] & expected[1], expected[1]), register
        assert known(kernel, load(register))[1] == GUEST.get(register, (0, 0)), register


def test_what_the_guest_selects() -> None:
    """SPI 31 and vCPU 1 exist, SPI 32 and vCPU 2 do not.  What is stored has 32 bits."""
    kernel = Kernel(IRS, vcpus=2)
    registers = (Reg.SPI_CFGR, Reg.SPI_STATUSR, Reg.PE_STATUSR, Reg.PE_CR0)
    select = IrsWrite(Reg.SPI_SELR, 1 << 32 | 31), IrsWrite(Reg.PE_SELR, 1)
    assert known(kernel, run(select), load(*registers))[4:] == [
        (0, U64),
        (3, U64),
        (7, U64),
        (1, U64),
    ]
    select = IrsWrite(Reg.SPI_SELR, 32), IrsWrite(Reg.PE_SELR, 2)
    assert known(kernel, run(select), load(*registers))[4:] == [(0, 0), (1, 1), (1, 1), (0, 0)]


def test_what_the_guest_writes() -> None:
    kernel = Kernel(IRS)
    for value in (1, 0):
        kernel(run(IrsWrite(Reg.CR0, value), IrsWrite(Reg.SPI_CFGR, value)))
        assert known(kernel, load(Reg.CR0, Reg.SPI_CFGR))[1:] == [(2 | value, U64), (value, U64)]
    nothing = kernel.results(run(IrsWrite(Reg.SYNCR, 1), IrsWrite(Reg.PE_CR0, 1)))
    assert [r.status for r in nothing] == [1, 1, 1]
    high = IrsWrite(Reg.IST_BASER, 0x12_1020_0001, True)
    kernel(run(IrsWrite(Reg.IST_CFGR, 12), high))
    assert known(kernel, load(Reg.IST_BASER))[1] == (0x12_1020_0001, U64)
    kernel(run(IrsWrite(Reg.IST_BASER, 0, True)))
    assert known(kernel, load(Reg.IST_BASER))[1] == (0, 1), "the address may stay or go"


def test_what_userspace_writes() -> None:
    kernel = Kernel(IRS)
    kernel.new_vm(1)
    for vm, value in ((0, 3), (1, 2)):
        assert kernel(irs_reg(SET, Reg.CR0, value, vm), irs_reg(SET, Reg.IST_CFGR, 16, vm)) == 0
        assert known(kernel, irs_reg(GET, Reg.CR0, vm=vm)) == [(value & 1, 1)]
        assert known(kernel, irs_reg(GET, Reg.IST_CFGR, vm=vm)) == [(16, U64)]


def test_a_level_spi_follows_its_line() -> None:
    """The guest has told KVM (SPI_CFGR.TM) and the entry (CDHM)."""
    kernel, intid = Kernel(IRS), spi_intid(5)
    kernel(run(irs_listen(), configure(intid), write("CDHM", intid | 1 << 32),
               IrsWrite(Reg.SPI_SELR, 5), IrsWrite(Reg.SPI_CFGR, 1)))  # fmt: skip
    pending = []
    for level in (1, 1, 0, 0, 1):
        kernel(spi_line(5, level))
        pending.append(kernel.run(configuration(intid))[1].value >> 2 & 1)
    assert pending == [1, 1, 0, 0, 1]
    again = (acknowledge(), drop(), write("CDDI", intid), acknowledge())
    assert kernel.run(again)[3].value == 1 << 32 | intid, "as long as the line is up"


def test_saved_words() -> None:
    """Part 1, 12: 0x4009 is priority 8, enabled, pending; 0x4001 disabled; 0x14009 for vCPU 1."""
    kernel = Kernel(IRS, vcpus=2)
    kernel(run(configure(spi_intid(0)), pend(spi_intid(0)), configure(spi_intid(1), enable=False),
               pend(spi_intid(1)), configure(spi_intid(2), 8, 1), pend(spi_intid(2))))  # fmt: skip
    assert kernel(Ist(GET)) == 0
    words = kernel.results(*(p.IstEntry(GET, Table.SPI, n) for n in range(4)))
    assert [word.value for word in words] == [0x4009, 0x4001, 0x1_4009, 0]


def test_saved_is_restored_and_saved_again() -> None:
    kernel = Kernel(IRS)
    kernel(run(irs_listen(), lpi_table(), configure(lpi_intid(7)), pend(lpi_intid(7))), spi_line(3))
    saved = kernel.results(Ist(GET, 128, 16384))[0]
    kernel.new_vm(1)
    copies = [p.CopyReg(r, 0, 1, p.GRP_IRS_REGS) for r in Reg]
    assert [r.ret for r in kernel.results(*copies)] == [0] * 52
    assert kernel(Ist(SET, 128, 16384, vm=1)) == 0
    assert kernel.results(Ist(GET, 128, 16384, image=1, vm=1)) == [saved]
    hppir = kernel.run(write("PCR", 31), write("CR0", 1), read("HPPIR"), vm=1)[2]
    assert hppir.value == 1 << 32 | lpi_intid(7)


def test_every_entry_is_saved() -> None:
    """The last ones of both tables too; what is counted is bytes."""
    kernel = Kernel(IRS)
    kernel(run(lpi_table(), pend(spi_intid(31)), pend(lpi_intid(4095))))
    spis, lpis = b"\0" * 124 + b"\1\0\0\0", b"\0" * 16380 + b"\1\0\0\0"
    saved = kernel.results(Ist(GET, 128, 16384))[0]
    assert (saved.value, saved.extra) == (crc32(spis), crc32(lpis))
    words = ((Table.SPI, 30), (Table.SPI, 31), (Table.LPI, 4094), (Table.LPI, 4095))
    assert [r.value for r in kernel.results(*(p.IstEntry(GET, *word) for word in words))] == [
        0, 1, 0, 1,
    ]  # fmt: skip


def test_an_image_starts_as_zeros_of_full_size() -> None:
    last = p.MAX_IST_BYTES // 4 - 1
    entries = (p.IstEntry(GET, table, n) for table in Table for n in (0, last))
    assert [r.value for r in Kernel(IRS).results(*entries)] == [0, 0, 0, 0]


def test_ist_needs_a_device() -> None:
    assert Kernel(IRS, empty=True)(p.CreateVm(), Ist(GET)) == -EBADF


def test_a_late_copy_is_refused_and_says_what_was_read() -> None:
    kernel = Kernel(IRS)
    kernel.new_vm(1)
    kernel(run(vm=1))
    (copied,) = kernel.results(p.CopyReg(Reg.IDR2, 0, 1, p.GRP_IRS_REGS))
    assert (copied.ret, copied.value, copied.known) == (-EBUSY, 0x330, U64 & ~0x1F)


def test_without_an_irs_there_is_none() -> None:
    kernel = Kernel()
    for op in (addr(SET, BASE), nr(GET), irs_reg(HAS, 0), Ist(HAS), Ist(GET)):
        assert kernel(op) == -ENXIO
    assert kernel(spi_line(5)) == -EINVAL
    assert kernel.results(p.PlaceIrs())[0].value == 0
    end, first, access, rest = kernel.results(run(read("CR0"), IrsRead(Reg.IDR0), read("CR0")))
    assert (end.value, end.extra, first.value) == (2, 6, 6)
    assert access.status == rest.status == 0


@pytest.mark.parametrize(
    "ops",
    [
        (addr(SET, BASE), addr(GET)),  # after INIT, on a VM that has none
        (irs_reg(SET, 8, 0x32C),),
        (irs_reg(SET, 0x180, TABLE | 1), run()),
        (run(IrsRead(0x30)),),
        (run(IrsRead(Reg.IST_BASER)),),
        (run(IrsWrite(Reg.VMT_BASER, 1, True)),),
        (run(irs_listen(), configure(spi_intid(5)), IrsWrite(Reg.SPI_SELR, 5),
             IrsWrite(Reg.SPI_CFGR, 1)), spi_line(5), run(acknowledge())),
        (run(irs_listen(), configure(spi_intid(5)), configure(spi_intid(6)), pend(spi_intid(5)),
             pend(spi_intid(6)), acknowledge()),),
        (run(), p.DeviceAttr(SET, p.GRP_IRS_REGS, 0x30)),
    ],
)  # fmt: skip
def test_what_nobody_saw_is_not_modelled(ops: tuple[Op, ...]) -> None:
    kernel = Kernel(IRS, empty=True)
    kernel(*BARE, *(() if ops[0] == addr(SET, BASE) else (p.PlaceIrs(),)), INIT)
    with pytest.raises(NotModelled):
        kernel(*ops)


def test_ids_of_the_host_do_not_matter() -> None:
    """IDR2.ID_BITS is the host's: seen with 16 and with 12."""
    result = Kernel(IRS, host=HostFacts()).results(irs_reg(GET, Reg.IDR2))[0]
    assert result.known & 0x1F == 0
    assert result.known & 0x320 == 0x320
