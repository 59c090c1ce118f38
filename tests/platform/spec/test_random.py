# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine does what the specification says, in some seconds of random accesses.

SPEC_SEED=N repeats a run; `python -m spec` runs as many accesses as wanted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom

import pytest

from .accesses import Op, Program, Status
from .compare import explain, run_spec, search, shortest, shrink
from .mutants import MUTANTS, find
from .native import PLUGIN, StateMachine
from .programs import program
from .registers import REGISTERS
from .state import Kind

ACCESSES = 500_000
SECONDS = 20  # enough of them on a busy machine
AT_LEAST = 20_000


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("SPEC_SEED", SystemRandom().getrandbits(32)))


def test_the_state_machine_is_the_specification(library: Path, seed: int) -> None:
    c = StateMachine(library)
    end = time.monotonic() + SECONDS
    for progress in search(c, seed):
        if progress.failure:
            pytest.fail(f"SPEC_SEED={seed}\n{explain(c, shortest(c, progress.failure))}")
        late = time.monotonic() > end and progress.accesses > AT_LEAST
        if progress.accesses > ACCESSES or late:
            print(f"SPEC_SEED={seed}: {progress.accesses} accesses, no difference")
            return


def test_the_programs_reach_what_matters(seed: int) -> None:
    """Every register is read and written; every kind of interrupt is acknowledged; traps, UNDEFs,
    both signals at both levels. Otherwise the comparison would prove little."""
    seen: Counter[object] = Counter()
    for number in range(400):
        random = program(Random(f"{seed}.{number}"))
        guests: set[int] = set()
        results = run_spec(random)
        seen["compared"] += len(results)
        seen["unpredictable"] += len(random.accesses) - len(results)
        for access, result in zip(random.accesses, results, strict=False):
            register = REGISTERS.get(access.where)
            if access.op in (Op.READ, Op.WRITE) and register and result.status is Status.OK:
                seen[access.op, register.name] += 1
                if register.name == "CDIA" and result.value:
                    virtual = access.el == 1 and access.cpu in guests
                    seen["acknowledged", virtual, Kind(result.value >> 29 & 7)] += 1
            elif access.op is Op.GUEST:
                (guests.add if access.value else guests.discard)(access.cpu)
            elif access.op is Op.IRS_READ and result.value:
                seen["IRS", access.where] += 1
            elif access.op is Op.SIGNALS:
                seen["signals", result.value] += 1
            seen[result.status] += 1
    wanted: set[object] = {*Status, ("IRS", 0x250)}
    wanted |= {("acknowledged", virtual, kind) for virtual in (False, True) for kind in Kind}
    wanted |= {("signals", value) for value in range(4)}
    wanted |= {(Op.READ, r.name) for r in REGISTERS.values() if r.read}
    wanted |= {(Op.WRITE, r.name) for r in REGISTERS.values() if r.write}
    missing = sorted(str(what) for what in wanted if seen[what] < 5)
    assert not missing
    assert seen["unpredictable"] < 0.1 * seen["compared"]


@pytest.mark.parametrize("what", ["preempts itself", "an ICH write raises nothing"])
def test_a_bug_is_found(what: str, tmp_path: Path, seed: int) -> None:
    """The comparison can fail; all of the mutants: python -m spec.mutants"""
    source = Path(shutil.copytree(PLUGIN, tmp_path / "qemu_plugin"))
    mutant = next(m for m in MUTANTS if m.what == what)
    assert "accesses" in find(mutant, source, tmp_path, seed)


def test_shrinking_keeps_what_fails() -> None:
    accesses = program(Random(1)).accesses
    culprits = {accesses[20], accesses[70]}

    def fails(candidate: Program) -> int | None:
        places = [i for i, access in enumerate(candidate.accesses) if access in culprits]
        return places[-1] if culprits <= set(candidate.accesses) else None

    assert set(shrink(Program(1, accesses), fails).accesses) == culprits
