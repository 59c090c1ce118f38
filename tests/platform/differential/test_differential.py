# SPDX-License-Identifier: GPL-2.0-or-later
"""The GICv5 of qemu_plugin/ and QEMU's own do the same, explained differences aside.

pytest tests/platform/differential --programs=3000 --seed=7
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from .compare import Pair, judge, shrink
from .conftest import Boot, Broken
from .explain import KVM, RULES, Avoided, Masked, Owner, Rule
from .generate import FAMILIES, GUEST_FAMILIES, generate
from .machine import Died, Machine, Side, Tools
from .mutants import GUEST_MUTANTS, MUTANTS, Mutant, build
from .ops import Program, Result, read, window, write

CPUS = sorted({family.cpus for family in FAMILIES.values()})
MUTANT_PROGRAMS = 200
Expected = tuple[int, list[Program], list[list[Result]]]  # CPUs, programs, results

# Differences of ours that are no more
REPAIRED = (
    Program("an SPI that moves to a lower-numbered CPU keeps its interrupt line", (
        write("CR0", 1, 1), write("CR0", 1, 2), write("CDAFF", 2 << 32 | 0x60000004, 2),
        write("CDAFF", 1 << 32 | 0x60000004), write("CDPEND", 1 << 32 | 0x60000004), window(1),
    )),
)  # fmt: skip


def programs_for(cpus: int, seed: int, count: int) -> list[Program]:
    programs = (generate(seed, index) for index in range(count))
    return [p for p in programs if FAMILIES[p.name.partition("/")[0]].cpus == cpus]


def check(what: str, programs: list[Program], pair: Pair) -> None:
    verdicts = pair.run(programs)
    found = [v.difference for v in verdicts if v.difference]
    shown = Counter(rule.name for v in verdicts for rule in set(v.used))
    print(f"{what}: {len(programs)} programs, {sum(len(p.ops) for p in programs)} operations, "
          f"{len(found)} unexplained; programs with explained differences: "
          f"{dict(shown.most_common())}")  # fmt: skip
    if found:
        pytest.fail(f"{len(found)} of {len(programs)} programs differ; {shrink(found[0], pair)}")


@pytest.mark.parametrize("cpus", CPUS)
def test_programs_agree(boot: Boot, seed: int, count: int, cpus: int) -> None:
    pair = Pair(boot(Side.OURS, cpus), boot(Side.X5, cpus))
    check(f"seed {seed}, {cpus} CPUs", programs_for(cpus, seed, count), pair)


def test_the_virtual_interface_agrees(boot: Boot, seed: int, count: int) -> None:
    programs = [generate(seed, index, GUEST_FAMILIES) for index in range(count)]
    pair = Pair(boot(Side.VIRTUAL, 1), boot(Side.X5, 1))
    check(f"seed {seed}, virtual", programs, pair)


@pytest.mark.parametrize("cpus", CPUS)
def test_all_programs_start_from_the_same_state(boot: Boot, cpus: int) -> None:
    ours, x5 = (dict(boot(side, cpus).after_reset()) for side in (Side.OURS, Side.X5))
    assert x5[f"cpu{cpus - 1} ICC_CR0_EL1"] == 6
    assert x5["IRS ICSR of SPI 255"] == 2
    assert ours == x5


@pytest.mark.parametrize("side", Side)
def test_an_incomplete_reset_is_reported(tools: Tools, side: Side) -> None:
    with Machine(tools, side, 1) as machine:
        machine.expect_after_reset("cpu0 ICC_PCR_EL1", 5)
        with pytest.raises(Died, match="outlives the reset: cpu0 ICC_PCR_EL1 0x5 -> 0x0"):
            machine.run([Program("any", (read("PCR"),))])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_explanation_is_needed(boot: Boot, rule: Rule) -> None:
    program = Program(rule.name, rule.witness)
    pair = Pair(boot(Side.OURS, program.cpus), boot(Side.X5, program.cpus))
    (verdict,) = pair.run([program])
    gone = f"the machines agree now: delete {rule.name} from explain.py and docs/differential.md"
    if isinstance(rule, Masked):
        assert rule in verdict.used, gone
        assert verdict.difference is None
    else:
        assert verdict.difference, gone


@pytest.mark.parametrize("program", REPAIRED, ids=lambda program: program.name)
def test_repaired(boot: Boot, program: Program) -> None:
    pair = Pair(boot(Side.OURS, program.cpus + 1), boot(Side.X5, program.cpus + 1))
    (verdict,) = pair.run([program])
    assert verdict.difference is None, str(verdict.difference)


@pytest.fixture(scope="module")
def expected(boot: Boot) -> list[Expected]:
    """What x-5 does, for comparison with one broken plugin after the other."""
    sets = [(cpus, programs_for(cpus, 1, MUTANT_PROGRAMS)) for cpus in CPUS]
    return [(cpus, programs, boot(Side.X5, cpus).run(programs)) for cpus, programs in sets]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_plugin_is_found(
    mutant: Mutant, scratch: Path, boot: Boot, broken: Broken, expected: list[Expected]
) -> None:
    plugin = build(mutant, scratch)
    tried = 0
    for cpus, programs, x5 in expected:
        with broken(plugin, Side.OURS, cpus) as ours:
            try:
                results = ours.run(programs)
            except Died as died:  # what software cannot clear
                if "outlives the reset" not in str(died):
                    raise
                print(f"{mutant.name}: {died}")
                return
            for program, a, b in zip(programs, results, x5, strict=True):
                tried += 1
                found = judge(program, a, b).difference
                if found:
                    shortest = shrink(found, Pair(ours, boot(Side.X5, cpus)))
                    print(f"{mutant.name}: found by program {tried}\n{shortest}")
                    assert len(shortest.program.ops) <= 12
                    return
    pytest.fail(f"{tried} programs did not find it")


@pytest.mark.parametrize("mutant", GUEST_MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_virtual_interface_is_found(
    mutant: Mutant, scratch: Path, boot: Boot, broken: Broken
) -> None:
    programs = [generate(1, index, GUEST_FAMILIES) for index in range(MUTANT_PROGRAMS)]
    with broken(build(mutant, scratch), Side.VIRTUAL, 1) as ours:
        verdicts = Pair(ours, boot(Side.X5, 1)).run(programs)
    found = [i for i, verdict in enumerate(verdicts, 1) if verdict.difference]
    assert found
    print(f"{mutant.name}: found by program {found[0]}")


def test_what_is_avoided_is_not_generated() -> None:
    rules = [rule for rule in RULES if isinstance(rule, Avoided)]
    for index in range(300):
        ops = generate(1, index).ops
        for i, op in enumerate(ops):
            assert not any(rule.matches(ops[:i], op) for rule in rules)


def test_each_explanation_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/differential.md").read_text()
    owners = "|".join(owner.value for owner in Owner)
    rows = re.findall(rf"^\| `([\w-]+)` \| ({owners}) \|", page, re.MULTILINE)
    assert rows == [(rule.name, rule.owner.value) for rule in (*RULES, *KVM)]


def test_the_generator_repeats_itself() -> None:
    assert generate(7, 5) == generate(7, 5) != generate(8, 5)
    assert read("HPPIR") in generate(7, 5).ops
