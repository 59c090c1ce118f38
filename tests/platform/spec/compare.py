# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a program on the specification and on the C; shorten one on which they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import NamedTuple

from . import irs, machine
from .accesses import Access, Op, Program, Result
from .native import Outcome, StateMachine
from .programs import program as random_program
from .registers import REGISTERS
from .state import new_machine
from .vms import Unpredictable


class Difference(NamedTuple):
    """The first access of a program whose results differ, or after which the C is not sound."""

    at: int  # index of the access
    expected: Result  # the specification's
    observed: Result
    broken: str | None  # the C's own invariant


def run_spec(program: Program) -> list[Result]:
    """A result for each access, up to the first that is UNPREDICTABLE."""
    state = new_machine(program.cpus)
    results: list[Result] = []
    with suppress(Unpredictable):
        results.extend(machine.step(state, access) for access in program.accesses)
    return results


def difference(c: StateMachine, program: Program) -> Difference | None:
    outcome = c.run(program.cpus, program.accesses)
    expected = run_spec(program)
    last = len(outcome.results) - 1
    if last >= len(expected):  # the specification has nothing to say of it
        outcome = Outcome(outcome.results[: len(expected)], None)
    if outcome.broken is None and outcome.results == expected:
        return None
    for index, (want, got) in enumerate(zip(expected, outcome.results, strict=False)):
        if want != got:
            return Difference(index, want, got, outcome.broken if index == last else None)
    return Difference(last, expected[last], outcome.results[last], outcome.broken)


def shrink(program: Program, fails: Callable[[Program], int | None]) -> Program:
    """Leave out accesses while it still fails; `fails` gives the index of the failing access."""
    index = fails(program)
    if index is None:
        raise ValueError("the program does not fail")
    accesses = program.accesses[: index + 1]
    size = len(accesses) // 2
    while size:
        position = 0
        while position < len(accesses):
            shorter = Program(program.cpus, accesses[:position] + accesses[position + size :])
            index = fails(shorter) if shorter.accesses else None
            if index is None:
                position += size
            else:
                accesses = shorter.accesses[: index + 1]
        size //= 2
    return Program(program.cpus, accesses)


def shortest(c: StateMachine, program: Program) -> Program:
    def fails(candidate: Program) -> int | None:
        found = difference(c, candidate)
        return found.at if found else None

    return shrink(program, fails)


class Progress(NamedTuple):
    accesses: int
    failure: Program | None


def search(c: StateMachine, seed: int, first: int = 0, step: int = 1) -> Iterator[Progress]:
    """Programs first, first+step, ... of a seed; each can be made again by itself."""
    done = 0
    while True:
        program = random_program(Random(f"{seed}.{first}"))
        done += len(program.accesses)
        yield Progress(done, program if difference(c, program) else None)
        first += step


def describe_access(access: Access) -> str:
    cpu = f"cpu {access.cpu}"
    match access.op:
        case Op.READ | Op.WRITE:
            register = REGISTERS.get(access.where)
            name = register.name if register else f"encoding {access.where:#06x}"
            if access.op is Op.READ:
                return f"{cpu} EL{access.el} read {name}"
            return f"{cpu} EL{access.el} write {name} {access.value:#x}"
        case Op.IRS_READ | Op.IRS_WRITE:
            register2 = irs.REGISTERS.get(access.where)
            name = f"IRS_{register2.name}" if register2 else f"IRS+{access.where:#x}"
            if access.op is Op.IRS_READ:
                return f"read {name} ({access.size} bytes)"
            return f"write {name} {access.value:#x} ({access.size} bytes)"
        case Op.LINES:
            return f"{cpu} PPI lines {access.value:#x}"
        case Op.SPI_LINE:
            return f"wire of SPI {access.where} {'rises' if access.value & 1 else 'falls'}"
        case Op.GUEST:
            return f"{cpu} {'enters' if access.value & 1 else 'leaves'} a guest"
        case Op.SIGNALS:
            return f"{cpu} signals"
        case Op.NMI:
            return f"{cpu} SCTLR.NMI = {access.value & 1}"
        case Op.MEM_READ:
            return f"read memory at +{access.where:#x} ({access.size} bytes)"
        case Op.MEM_WRITE:
            return f"write memory at +{access.where:#x} {access.value:#x} ({access.size} bytes)"
    return "reset"


def explain(c: StateMachine, program: Program) -> str:
    """The program, one access a line, and where the two part."""
    found = difference(c, program)
    lines = [f"{program.cpus} CPUs, {len(program.accesses)} accesses:"]
    lines += [f"  {describe_access(access)}" for access in program.accesses]
    if found:
        want, got = found.expected, found.observed
        lines.append(f"  specification: {want.status.name} {want.value:#x}")
        lines.append(f"  state machine: {got.status.name} {got.value:#x}")
        if found.broken:
            lines.append(f"  broken invariant: {found.broken}")
    return "\n".join(lines)
