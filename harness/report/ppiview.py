# SPDX-License-Identifier: GPL-2.0-or-later
"""The 64 PPIs of one vCPU: what userspace and the guest saw, before and after its first run.

Four maps side by side: where a leak comes from, or where a PPI got lost, is between two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import zip_longest
from typing import Final

from harness import program as p
from harness.model.behaviour import Behaviour, HostFacts
from harness.model.execution import Execution
from harness.ppi import U64, Kind, Register
from harness.report.listing import Lister, sysreg_of
from harness.report.ppimap import Bitmaps
from harness.trace import Difference, Result, Status, Step, Trace, steps

LEGEND: Final = (
    ". hidden  o exposed  # set  * set, but hidden",
    "L leaked (set, must be clear)  x lost (clear, must be set)",
)
UNKNOWN: Final = "? not known"
ROW: Final = 16
_LABEL: Final = 10
_CELLS: Final = 2 * ROW
_GAP: Final = "    "
_STATE: Final = {
    "HMR": "Handling mode", "ENABLER": "Enable", "SACTIVER": "Active", "CACTIVER": "Active",
    "SPENDR": "Pending", "CPENDR": "Pending",
}  # fmt: skip


class Side(Enum):
    """Who looked."""

    USERSPACE = "userspace"
    GUEST = "guest"


class Phase(Enum):
    """When, by the first KVM_RUN of the vCPU in question."""

    BEFORE = "before its first run"
    AFTER = "after its first run"


@dataclass(frozen=True, slots=True)
class Place:
    """Which bitmap: of this VM's vCPU, this state, PPIs from 64 * bank on."""

    vm: int
    vcpu: int
    state: str
    bank: int


@dataclass(frozen=True, slots=True)
class PpiView:
    """The four maps; one that nobody looked at is absent.

    ``exposed``: the PPIs that the guest may see, as the model has it.
    """

    place: Place
    exposed: int
    maps: Mapping[tuple[Phase, Side], Bitmaps] = field(default_factory=dict)

    @property
    def title(self) -> str:
        at = self.place
        vm = f"VM {at.vm}, " if at.vm else ""
        return f"{vm}vCPU{at.vcpu}, {at.state} of PPIs {64 * at.bank}-{64 * at.bank + 63}"

    def note(self, phase: Phase, side: Side) -> str:
        """Why there is no map."""
        never = phase is Phase.BEFORE and side is Side.GUEST
        return "(the guest has not run)" if never else "(not looked at)"

    def rows(self, phase: Phase, side: Side) -> list[str]:
        """Four rows of sixteen cells; empty if nobody looked."""
        maps = self.maps.get((phase, side))
        if maps is None:
            return []
        cells = [cell(maps, self.exposed, bit) for bit in range(64)]
        return [" ".join(cells[row : row + ROW]) for row in range(0, 64, ROW)]

    def labels(self) -> list[str]:
        first = 64 * self.place.bank
        return [f"{row}-{row + ROW - 1}" for row in range(first, first + 64, ROW)]

    def legend(self) -> list[str]:
        unknown = any(maps.known != U64 for maps in self.maps.values())
        return [LEGEND[0], LEGEND[1] + (f"  {UNKNOWN}" if unknown else "")]

    def lines(self) -> Iterator[str]:
        """For a terminal of 80 columns."""
        yield f"{self.title}:"
        yield " " * _LABEL + _GAP.join(f"{side.value:<{_CELLS}}" for side in Side).rstrip()
        for phase in Phase:
            seen = [side for side in Side if (phase, side) in self.maps]
            if not seen:
                yield f"{phase.value}: nobody looked"
                continue
            yield f"{phase.value}:"
            heads = [HEAD if side in seen else self.note(phase, side) for side in Side]
            blocks = [[head, *self.rows(phase, s)] for head, s in zip(heads, Side, strict=True)]
            for label, *cells in zip_longest(["", *self.labels()], *blocks, fillvalue=""):
                text = _GAP.join(f"{each:<{_CELLS}}" for each in cells)
                yield f"{label:>{_LABEL - 2}}  {text}".rstrip()
        yield from self.legend()


HEAD: Final = " ".join(str(n % 10) for n in range(ROW))  # PPI = row + column


def cell(maps: Bitmaps, exposed: int, bit: int) -> str:
    """One PPI as one character; LEGEND says which."""
    mask = 1 << bit
    if not maps.known & mask:
        return "?"
    if maps.leaked & mask:
        return "L"
    if maps.lost & mask:
        return "x"
    if maps.observed & mask:
        return "#" if exposed & mask else "*"
    return "o" if exposed & mask else "."


def ppi_view(
    program: p.Program, difference: Difference, expected: Trace, observed: Trace, exposed: int
) -> PpiView | None:
    """The maps of the vCPU and state that ``difference`` is about; None if it is not about PPIs.

    In each map: the first record that differs, else the last one.
    """
    if Bitmaps.of(difference) is None:
        return None
    lister = Lister(program)
    looks = [
        (step, side, place, value)
        for step in steps(program)
        for side, place, value in _looks(step, lister)
    ]
    place = next(place for step, _, place, _ in looks if step.record == difference.step.record)
    runs = [
        step.record for step in steps(program)
        if isinstance(step.op, p.Run) and (step.op.vm, step.op.vcpu) == (place.vm, place.vcpu)
    ]  # fmt: skip
    maps: dict[tuple[Phase, Side], Bitmaps] = {}
    for step, side, at, value in looks:
        if at != place:
            continue
        phase = Phase.AFTER if runs and step.record >= runs[0] else Phase.BEFORE
        seen = maps.get((phase, side))
        if seen is not None and (seen.leaked or seen.lost):
            continue
        want, got = expected.results[step.record], observed.results[step.record]
        if (found := _bitmaps(want, got, value, seen, place.bank)) is not None:
            maps[phase, side] = found
    return PpiView(place, exposed if place.bank == 0 else 0, maps)


def _looks(step: Step, lister: Lister) -> Iterator[tuple[Side, Place, int | None]]:
    """What a record shows of which bitmap; the value if it was set, None if it was got."""
    match step.guest, step.op:
        case (p.Read() | p.Write()) as guest, p.Run() as op:
            if (state := _state(guest.reg)) and guest.reg.readable:
                yield Side.GUEST, Place(op.vm, op.vcpu, state, guest.reg.bank), None
        case None, p.DeviceAttr(group=p.GRP_CPU_SYSREGS, pointer=p.Pointer.VALUE) as op:
            if op.action is not p.Action.HAS:
                value = op.value if op.action is p.Action.SET else None
                yield from _userspace(op.attr, op.vm, value, lister)
        case None, p.CopyReg(group=p.GRP_CPU_SYSREGS) as op:
            yield from _userspace(op.attr, op.vm, None, lister)


def _userspace(
    attr: int, vm: int, value: int | None, lister: Lister
) -> Iterator[tuple[Side, Place, int | None]]:
    register, vcpu = sysreg_of(attr), lister.vcpu(attr, vm)
    if register is not None and vcpu is not None and (state := _state(register)):
        yield Side.USERSPACE, Place(vm, vcpu, state, register.bank), value


def _state(register: Register) -> str:
    """What the bits of a PPI bitmap say; "" for other registers."""
    if register.kind is not Kind.PPI_BITMAP:
        return ""
    match = re.fullmatch(r"ICC_PPI_([A-Z]+)\d_EL1", register.name)
    return _STATE.get(match[1], "") if match else ""


def _bitmaps(
    want: Result, got: Result, value: int | None, before: Bitmaps | None, bank: int
) -> Bitmaps | None:
    """A value that was set and accepted stands until something else is seen."""
    if value is not None:
        last = before or Bitmaps(0, 0, bank=bank)
        expected = value if want.ret >= 0 else last.expected
        observed = value if got.ret >= 0 else last.observed
        return Bitmaps(expected, observed, bank=bank)
    done = want.status == got.status == Status.DONE and want.ret >= 0 and got.ret >= 0
    return Bitmaps(want.value, got.value, want.known, bank) if done else None


def exposed_ppis(program: p.Program, behaviour: Behaviour, host: HostFacts, vm: int) -> int:
    """The mask of a VM, as the model has it in the end, branches taken one after the other."""
    execution = Execution(behaviour, host)
    mask = 0
    for op in p.flat(program.ops):
        if not isinstance(op, p.Parallel):
            execution.execute(op)
        mask = execution.vms[vm].mask if vm in execution.vms else mask
    return mask
