# SPDX-License-Identifier: GPL-2.0-or-later
"""Software that keeps to the protocol, as a Hypothesis state machine: it acknowledges, drops and
deactivates what it has got, on a host and in guests, while lines rise and fall. Specification and
C are compared at each step, and so are the signals of every CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from . import machine
from .accesses import Access, Op
from .compare import describe_access
from .generate import BY_NAME, IRS_OPENERS, OPENERS
from .native import StateMachine
from .state import Kind, new_machine

CPUS = 2
cpu = st.integers(0, CPUS - 1)
ppi = st.sampled_from([3, 27, 30])
level = st.integers(0, 1)
priority = st.sampled_from([0, 8, 31])
intid = st.sampled_from([Kind.SPI << 29 | 5, Kind.SPI << 29 | 6, Kind.LPI << 29 | 1])


class Handler(RuleBasedStateMachine):
    library: Path

    def __init__(self) -> None:
        super().__init__()
        self.spec = new_machine(CPUS)
        self.c = StateMachine(self.library).open(CPUS)
        # per CPU and domain (a guest's): what has been acknowledged and not yet deactivated
        self.held: dict[tuple[int, bool], list[int]] = {}
        for access in IRS_OPENERS:
            self.do(access)
        for number in range(CPUS):
            for name, value in OPENERS.items():
                self.write(number, name, value, el=2)
            for name in ("ICC_PPI_ENABLER0_EL1", "ICH_PPI_ENABLER0_EL2"):
                self.write(number, name, 1 << 3 | 1 << 27 | 1 << 30, el=2)

    def teardown(self) -> None:
        self.c.close()

    def do(self, access: Access) -> int:
        expected, (observed, broken) = machine.step(self.spec, access), self.c.step(access)
        assert observed == expected, describe_access(access)
        assert not broken, f"{describe_access(access)}: invariant {broken}"
        return observed.value

    def write(self, number: int, name: str, value: int = 0, el: int = 1) -> None:
        self.do(Access(Op.WRITE, number, el, 0, BY_NAME[name].encoding, value))

    def read(self, number: int, name: str) -> int:
        return self.do(Access(Op.READ, number, 1, 0, BY_NAME[name].encoding))

    def held_by(self, number: int) -> list[int]:
        return self.held.setdefault((number, self.spec.pes[number].guest), [])

    @rule(number=cpu, guest=level)
    def hcr(self, number: int, guest: int) -> None:
        self.do(Access(Op.GUEST, number, value=guest))

    @rule(number=cpu, line=st.sampled_from([0, 1 << 27, 1 << 30, 1 << 27 | 1 << 30]))
    def lines(self, number: int, line: int) -> None:
        self.do(Access(Op.LINES, number, value=line))

    @rule(high=level, spi=st.sampled_from([5, 6]))
    def spi_line(self, high: int, spi: int) -> None:
        self.do(Access(Op.SPI_LINE, where=spi, value=high))

    @rule(spi=st.sampled_from([5, 6]), mode=level)
    def trigger(self, spi: int, mode: int) -> None:
        self.do(Access(Op.IRS_WRITE, 0, 0, 4, 0x108, spi))
        self.do(Access(Op.IRS_WRITE, 0, 0, 4, 0x114, mode))

    @rule(number=cpu, which=ppi, value=priority)
    def ppi_priority(self, number: int, which: int, value: int) -> None:
        self.write(number, f"ICC_PPI_PRIORITYR{which // 8}_EL1", value << which % 8 * 8)

    @rule(number=cpu, dvi=st.sampled_from([0, 1 << 27, 1 << 27 | 1 << 3]))
    def direct_injection(self, number: int, dvi: int) -> None:
        self.write(number, "ICH_PPI_DVIR0_EL2", dvi, el=2)

    @rule(number=cpu, which=ppi)
    def inject(self, number: int, which: int) -> None:
        self.write(number, "ICH_PPI_PENDR0_EL2", 1 << which, el=2)

    @rule(number=cpu)
    def software_ppi(self, number: int) -> None:
        self.write(number, "ICC_PPI_SPENDR0_EL1", 1 << 3)

    @rule(number=cpu, interrupt=intid, value=priority, to=cpu, edge_or_level=level)
    def configure(
        self, number: int, interrupt: int, value: int, to: int, edge_or_level: int
    ) -> None:
        self.write(number, "CDPRI", interrupt | value << 35)
        self.write(number, "CDAFF", interrupt | to << 32)
        self.write(number, "CDHM", interrupt | edge_or_level << 32)
        self.write(number, "CDEN", interrupt)

    @rule(number=cpu, interrupt=intid, pending=level)
    def pend(self, number: int, interrupt: int, pending: int) -> None:
        self.write(number, "CDPEND", interrupt | pending << 32)

    @rule(number=cpu)
    def acknowledge(self, number: int) -> None:
        """The HPPIR says before what CDIA returns; afterwards it is active."""
        promised = self.read(number, "ICC_HPPIR_EL1")
        got = self.read(number, "CDIA")
        assert got == promised
        if got:
            assert got not in self.held_by(number), "acknowledged twice"
            self.held_by(number).append(got)

    @precondition(lambda self: any(self.held.values()))
    @rule(number=cpu, first=st.booleans())
    def finish(self, number: int, first: bool) -> None:
        """CDDI of any of them, after the drop of the latest."""
        if self.held_by(number):
            done = self.held_by(number).pop(0 if first else -1)
            self.write(number, "CDEOI")
            self.write(number, "CDDI", done & 0xFFFFFFFF)

    @rule(number=cpu, mask=priority)
    def mask(self, number: int, mask: int) -> None:
        self.write(number, "ICC_PCR_EL1", mask)

    @invariant()
    def signals(self) -> None:
        for number in range(CPUS):
            self.do(Access(Op.SIGNALS, number))


@pytest.mark.parametrize("steps", [40])
def test_software_that_keeps_to_the_protocol(library: Path, steps: int) -> None:
    class Bound(Handler):
        pass

    Bound.library = library
    run(
        Bound,
        settings=settings(
            max_examples=100,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=True,
        ),
    )
