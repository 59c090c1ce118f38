# SPDX-License-Identifier: GPL-2.0-or-later
"""guest-writes: what the guest itself can change, and whether it lasts over exits.

Only writes of ENABLER and reads of IDR0 and IAFFIDR trap; all else goes to the virtual CPU
interface, also for hidden PPIs.  Each Run ends in an exit to userspace, so a second Run shows what
KVM carried over.  Index 0 runs first: passes on stock, unmasked and masked.

Shows F.5 #4 (Active of hidden PPIs is carried over unmasked), #5 (bank 1 and PRIORITYR8-15 are
lost), #12 (HMR is the host's), #13 (Level pending is read-only).
"""

from __future__ import annotations

from harness.ppi import CNTV, REGISTERS, SW_PPI, U64, reg
from harness.program import GuestOp, Program, Read, Write, get_reg, read, write
from harness.suite.shapes import (
    EVEN,
    EXPOSED,
    EXPOSED_PMU,
    HIDDEN,
    ODD,
    acknowledge,
    deactivate,
    drop,
    each_bit,
    enable_all,
    get_state,
    new_vm,
    probe,
    program,
    run,
    view,
)

WRITABLE = tuple(
    r for r in REGISTERS.values() if r.name.startswith("ICC_") and r.readable and r.writable
)
SPI = 3 << 29
LPI = 2 << 29


def _each_register() -> list[Program]:
    """All ones, alternating and zero; each is looked at again after an exit."""
    programs = []
    for register in WRITABLE:
        name = register.name.removeprefix("ICC_").removesuffix("_EL1").removeprefix("PPI_")
        again = [read(register.name)]
        parts = [
            run(Write(register, value), before)
            for value, before in ((U64, again), (EVEN, again), (ODD, again), (0, again))
        ]
        ops = [op for part in parts for op in (part, run(again))]
        programs.append(program(f"guest-writes/{name.lower()}", new_vm(), ops))
    return programs


def _bits() -> list[Program]:
    def each(set_: str, clear: str) -> list[GuestOp]:
        return [w for _, value in each_bit() for w in (write(set_, value), write(clear, value))]

    return [
        program("guest-writes/active-each-bit", new_vm(), run(each("SACTIVER0", "CACTIVER0"))),
        program("guest-writes/pending-each-bit", new_vm(), run(each("SPENDR0", "CPENDR0"))),
        program("guest-writes/active-each-bit-of-bank-1", new_vm(),
                run(each("SACTIVER1", "CACTIVER1"))),
        program("guest-writes/pending-each-bit-of-bank-1", new_vm(),
                run(each("SPENDR1", "CPENDR1"))),
    ]  # fmt: skip


def _lasting() -> list[Program]:
    """Written all in one Run, read in the next."""
    everything = [Write(r, U64) for r in WRITABLE if "CACTIVER" not in r.name]
    bank1 = [write(name, U64) for name in ("ENABLER1", "SACTIVER1", "SPENDR1")]
    low = [Write(reg(f"PRIORITYR{n}"), 0x0101_0101_0101_0101 * (n + 1)) for n in range(16)]
    return [
        program("guest-writes/everything-then-exit", new_vm(),
                run(everything, probe()), run(probe()), run(probe())),
        program("guest-writes/everything-then-exit-with-pmu", new_vm(pmu=(0,)),
                run(everything, probe()), run(probe())),
        program("guest-writes/everything-on-one-of-two", new_vm(2),
                run(everything), run(probe(), vcpu=1), run(probe())),
        program("guest-writes/bank-1-is-lost-at-exit", new_vm(), run(bank1, probe()),
                run(probe())),
        program("guest-writes/each-priority-register", new_vm(), run(low, probe()), run(probe())),
        program("guest-writes/enable-hidden-then-exit", new_vm(),
                run(write("ENABLER0", HIDDEN), view()), run(view())),
        program("guest-writes/enable-on-and-off", new_vm(),
                run(enable_all(), write("ENABLER0", 0), write("ENABLER0", EXPOSED)), run(view()),
                run(write("ENABLER0", 0)), run(view())),
        program("guest-writes/active-hidden-then-exit", new_vm(),
                run(write("SACTIVER0", HIDDEN)), run(view()),
                run(write("CACTIVER0", HIDDEN)), run(view())),
        program("guest-writes/active-hidden-deactivated", new_vm(),
                run(write("SACTIVER0", U64), [deactivate(b) for b, _ in each_bit(HIDDEN)], view()),
                run(view())),
        program("guest-writes/pending-is-edge-only", new_vm(pmu=(0,)),
                run(write("SPENDR0", U64), read("HPPIR"), write("CPENDR0", EXPOSED_PMU)),
                run(view())),
        program("guest-writes/sw-ppi-pending-then-exit", new_vm(),
                run(write("SPENDR0", 1 << SW_PPI)), run(view()), run(write("CPENDR0", U64)),
                run(view())),
    ]  # fmt: skip


def _userspace_sees() -> list[Program]:
    """The same through the accessors; hidden Active shows in the guest, not in userspace."""
    return [
        program("guest-writes/active-hidden-is-not-in-userspace", new_vm(),
                run(write("SACTIVER0", HIDDEN)), get_state(), run(view()), get_state()),
        program("guest-writes/active-all-in-userspace-exposed-only", new_vm(pmu=(0,)),
                run(write("SACTIVER0", U64)), get_state(), run(write("CACTIVER0", U64)),
                get_state()),
        program("guest-writes/userspace-reads-what-the-guest-wrote", new_vm(),
                run(enable_all(), [write(f"PRIORITYR{n}", ODD) for n in range(16)],
                    write("APR", EVEN), write("PCR", U64), write("CR0", U64), write("ICSR", U64),
                    write("SPENDR0", U64), probe()),
                (get_reg(name) for name in ("ICSR", "ENABLER0", "ENABLER1", "SPENDR0", "APR",
                                            "CR0", "PCR")),
                (get_reg(f"PRIORITYR{n}") for n in range(16)), run(probe())),
    ]  # fmt: skip


def _undefined() -> list[Program]:
    """What a guest must not have ends in its own exception, and the vCPU lives on."""
    names = {
        "hapr": "ICC_HAPR_EL1",
        "ich-ppi-enabler0": "ICH_PPI_ENABLER0_EL2",
        "ich-vmcr": "ICH_VMCR_EL2",
    }
    reads = [
        program(f"guest-writes/{short}-is-undefined", new_vm(),
                run(Read(reg(name)), view()), run(Read(reg(name)), view()))
        for short, name in names.items()
    ]  # fmt: skip
    writes = [
        program(f"guest-writes/{short}-write-is-undefined", new_vm(),
                run(Write(reg(name), U64), view(), read("CR0"), read("PCR")))
        for short, name in names.items()
        if reg(name).writable
    ]  # fmt: skip
    return reads + writes


def _instructions() -> list[Program]:
    """With no VPE resident the SPI and LPI commands do nothing; idle PPI ones are harmless."""
    spi_commands = [write(name, SPI | 5) for name in
                    ("CDDIS", "CDEN", "CDPRI", "CDAFF", "CDPEND", "CDHM", "CDDI")]  # fmt: skip
    lpi_commands = [write(name, LPI | 9) for name in
                    ("CDDIS", "CDEN", "CDPRI", "CDAFF", "CDPEND", "CDHM", "CDDI")]  # fmt: skip
    return [
        program("guest-writes/spi-commands", new_vm(), run(spi_commands, probe()), run(probe())),
        program("guest-writes/lpi-commands", new_vm(), run(lpi_commands, probe()), run(probe())),
        program("guest-writes/drop-without-acknowledge", new_vm(),
                run(drop(), read("APR"), view())),
        program("guest-writes/drop-takes-the-highest", new_vm(),
                run(write("APR", 0x8001_0110), drop(), read("APR"), drop(), read("APR"), drop(),
                    read("APR"), drop(), read("APR"), drop(), read("APR"))),
        program("guest-writes/deactivate-without-acknowledge", new_vm(),
                run(deactivate(SW_PPI), deactivate(CNTV), deactivate(40), view())),
        program("guest-writes/acknowledge-nothing", new_vm(),
                run(acknowledge(), Read(reg("GICR_CDNMIA")), read("HPPIR"), read("APR"), view())),
        program("guest-writes/acknowledge-needs-enabled-interface", new_vm(),
                run(write("ENABLER0", 1 << SW_PPI), write("SPENDR0", 1 << SW_PPI), acknowledge(),
                    write("CR0", 1), Read(reg("GICR_CDNMIA")), acknowledge(), view())),
        program("guest-writes/rcfg-of-an-spi", new_vm(),
                run(write("ICSR", 0), write("CDRCFG", SPI | 5), read("ICSR")), run(read("ICSR"))),
    ]  # fmt: skip


def programs() -> tuple[Program, ...]:
    return (
        *_each_register(),
        *_bits(),
        *_lasting(),
        *_userspace_sees(),
        *_undefined(),
        *_instructions(),
        program("guest-writes/id-register-says-gcie", new_vm(), run(read("ID_AA64PFR2_EL1"))),
    )
