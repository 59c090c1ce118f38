# SPDX-License-Identifier: GPL-2.0-or-later
"""The fuzzer, on targets that are models: what it makes, finds, shrinks and remembers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from fake_target import FakeTarget

from harness import program as p
from harness import suite
from harness.errors import ConfigError, TargetError
from harness.fuzz.commands import DEFAULT_SECONDS, limit, named_programs, watched
from harness.fuzz.compare import Pair
from harness.fuzz.corpus import Corpus
from harness.fuzz.fuzzer import Factory, Fuzzer, Statistics, program_size, sizes
from harness.fuzz.generate import Generator
from harness.fuzz.modelled import mended, modelled
from harness.fuzz.reproducer import c_source
from harness.fuzz.sections import is_racy, smaller_sections
from harness.fuzz.text import format_program, parse_program
from harness.fuzz.vm_shape import units
from harness.model import Behaviour, Finalize, HostFacts, LateWrites, Model
from harness.ppi import CNTV
from harness.program import (
    MAX_RECORDS,
    CreateDevice,
    CreateVm,
    DeviceAttr,
    Program,
    Run,
    Wfi,
    Window,
    write,
)
from harness.provision import Expect
from harness.provision.system import cross_prefix
from harness.report.session import Session, expectation
from harness.report.verdict import Outcome, Verdict
from harness.suite.shapes import (
    BRIEFLY,
    PATIENCE,
    fire,
    listen,
    needs_of,
    new_vm,
    run,
    vcpus,
    view,
)

MASKED = Behaviour(late_writes=LateWrites.REFUSED)
UNMASKED = replace(MASKED, finalize=Finalize.FIRST_CREATED)
STOCK = Behaviour(accessors=False, finalize=Finalize.FIRST_CREATED)
DECLARED = Expect(accessors=True, late_writes="refused")
MODELS = (Model(MASKED), Model(UNMASKED), Model(STOCK), Model(MASKED, HostFacts(vhe=False)))


def session(behaviour: Behaviour, **more: object) -> Session:
    """A session on a target that does what the behaviour says, judged as a masked kernel."""
    declared = Expect(accessors=behaviour.accessors, late_writes="refused")
    target = FakeTarget(behaviour, declared, **more)  # type: ignore[arg-type]
    if not behaviour.accessors:
        target.hello = replace(target.hello, sysregs_errno=6)
    return Session(target, expectation(declared))


def fuzz(runner: Session, count: int, seed: str = "1", corpus: Corpus | None = None) -> Fuzzer:
    factory = Factory.of(seed, [runner])
    fuzzer = Fuzzer(runner, factory, corpus or Corpus(None), up_to(count))
    fuzzer.run()
    return fuzzer


def up_to(count: int) -> Callable[[Statistics], bool]:
    return lambda statistics: statistics.programs >= count


# --- programs ------------------------------------------------------------------------------------


def test_every_generated_program_is_modelled_and_fits() -> None:
    for number in range(300):
        ops = Generator(Random(f"unit/{number}"), True, True).ops()
        known = mended(ops, MODELS)
        assert modelled(known.ops, MODELS) == known
        assert 0 < program_size(known.ops) <= MAX_RECORDS


def test_the_same_seed_makes_the_same_programs() -> None:
    def first(seed: str) -> list[Program]:
        programs = Factory(seed, MODELS, True).programs(Corpus(None))
        return [next(programs) for _ in range(60)]

    assert first("a") == first("a")
    assert [p.ops for p in first("a")] != [p.ops for p in first("b")]


def test_programs_are_mended_not_thrown_away() -> None:
    """Of what the generator makes, the model cuts little: checks are not dropped broadly."""
    made = [Generator(Random(f"cut/{n}"), True, True).ops() for n in range(300)]
    left = [mended(ops, MODELS).ops for ops in made]
    assert sum(map(program_size, left)) > 0.95 * sum(map(program_size, made))


def test_a_wfi_that_must_block_is_not_waited_for_long() -> None:
    known = mended((*new_vm(), run(Wfi()), run(listen(CNTV), fire(CNTV), Wfi())), MODELS)
    waits = [op.wait_ms for op in known.ops if isinstance(op, Run)]
    assert waits == [BRIEFLY, PATIENCE]


def test_what_is_not_modelled_is_cut_out() -> None:
    later = (write("CNTV_TVAL_EL0", 1000), write("CNTV_CTL_EL0", 1))
    ops = (*new_vm(), run(listen(CNTV), later, Window()), run(view()))
    assert modelled(ops, MODELS) is None
    known = mended(ops, MODELS)
    assert known.ops[-1] == ops[-1]
    assert len(known.ops) == len(ops)


# --- files ---------------------------------------------------------------------------------------


def test_a_program_file_is_read_back_as_it_was() -> None:
    factory = Factory("text", MODELS[:1], True)
    programs = factory.programs(Corpus(None))
    for _ in range(200):
        program = next(programs)
        assert parse_program(format_program(program)) == program


def test_every_program_of_the_suite_can_be_a_file() -> None:
    """With every operation, and needs that do not follow from the operations."""
    for program in suite.programs().values():
        assert parse_program(format_program(program)) == program


@pytest.mark.parametrize(
    ("line", "ops"),
    [
        ("vm vcpus=2", new_vm(2)),
        ("vm vm=1 ids=17,3 pmu=1,0", new_vm(ids=(17, 3), pmu=(1, 0), vm=1)),
        ("vm vcpus=1 pmu=nobody", new_vm(1, pmu=())),
        ("vm vcpus=3 vgic=false", (CreateVm(), *vcpus(3))),
    ],
)
def test_a_vm_is_one_line(line: str, ops: tuple[p.Op, ...]) -> None:
    """And one unit, whatever follows; one that is made in another way is spelled out."""
    other = (run(view()), ops[0], *ops[2:])
    made = Program("x/vm", (*ops, *other), needs_of((*ops, *other)))
    text = format_program(made)
    assert text.splitlines()[1:3] == [line, "run"]
    assert parse_program(text) == made
    assert sum(each.startswith("vm ") for each in text.splitlines()) == 1
    assert [unit.shape is None for unit in units(made.ops)] == [False] + [True] * len(other)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("create_vm\nfly", "line 2: 'fly'"),
        ("vm vcpus=9", "vcpus is at most 8"),
        ("create_vm vm=9", "vm is at most 3"),
        ("create_vm vcpu=1", "'vcpu=1' is not one of its fields"),
        ("read ICC_PCR_EL1", "a guest operation follows a run"),
        ("run\n  read ICC_NOTHING", "no GICv5 register"),
        ("run\n  write ICC_PCR_EL1 -1", "does not fit"),
    ],
)
def test_a_spoilt_program_file_names_its_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_program(text, "some.program")


# --- findings ------------------------------------------------------------------------------------


def test_a_correct_kernel_has_no_findings() -> None:
    fuzzer = fuzz(session(MASKED), 150)
    assert (fuzzer.findings, fuzzer.statistics.failures, fuzzer.statistics.errors) == ([], 0, 0)
    assert fuzzer.statistics.skipped == 0


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_order_defect_is_found_and_is_one_operation_long(seed: str) -> None:
    """Beside what sets the VM up: one run of a vCPU that is not the first created."""
    fuzzer = fuzz(session(STOCK), 40, seed)
    found = min(fuzzer.findings, key=lambda f: program_size(f.outcome.program.ops))
    assert sizes(found.outcome.program) == (2, 1, 1)  # a VM of two vCPUs, and a run
    run = found.outcome.program.ops[-1]
    assert isinstance(run, Run)
    assert run.vcpu != 0
    assert "lost" in found.signature.kind


def test_masking_leaks_are_found() -> None:
    fuzzer = fuzz(session(UNMASKED), 60)
    leaks = [f for f in fuzzer.findings if "leaked" in f.signature.kind]
    assert leaks
    for finding in leaks:
        sets = [op for op in finding.outcome.program.ops if isinstance(op, DeviceAttr) and op.value]
        assert [op.value.bit_count() for op in sets] == [1]  # one register, one bit


def test_a_finding_is_reported_once() -> None:
    fuzzer = fuzz(session(STOCK), 60)
    signatures = [finding.signature for finding in fuzzer.findings]
    assert len(set(signatures)) == len(signatures)
    assert fuzzer.statistics.failures > len(signatures)


def test_a_crash_is_a_finding_by_its_fingerprint() -> None:
    mishaps = {"fuzz/1-3": "warn", "fuzz/1-7": "warn", "fuzz/1-9": "crash"}
    fuzzer = fuzz(session(MASKED, mishaps=mishaps), 12)
    warned, oopsed = fuzzer.findings
    assert warned.outcome.verdict is oopsed.outcome.verdict is Verdict.CRASH
    assert warned.signature.kind.startswith("crash WARNING")
    assert oopsed.signature.kind.startswith("crash undefined instruction")
    assert sizes(warned.outcome.program)[0] == 1
    assert fuzzer.statistics.failures == 3


def test_a_machine_that_fails_again_and_again_ends_the_session() -> None:
    runner = session(MASKED, mishaps={f"fuzz/1-{n}": "silent" for n in range(40)})
    with pytest.raises(TargetError, match="in a row"):
        fuzz(runner, 40)


# --- what is kept --------------------------------------------------------------------------------


def test_a_name_is_a_program_or_a_family_of_the_suite() -> None:
    (one,) = named_programs(Path("races/inject-wakes-wfi-150"))
    family = named_programs(Path("races"))
    assert one in family
    assert {name.partition("/")[0] for name, _ in family} == {"races"}
    with pytest.raises(ConfigError, match="no-such"):
        named_programs(Path("no-such"))


def test_a_corpus_is_gone_on_from(tmp_path: Path) -> None:
    first = fuzz(session(STOCK), 20, corpus=Corpus(tmp_path))
    path = Corpus(tmp_path).place("order")
    Corpus(tmp_path).save(path, first.findings[0].outcome.program, "FAIL\nwhy")
    assert named_programs(path) == [(str(path), first.findings[0].outcome.program)]
    again = fuzz(session(STOCK), 1, "other", Corpus(tmp_path))  # its first program is the finding
    assert len(again.findings) == 1


def test_a_spoilt_corpus_is_named(tmp_path: Path) -> None:
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "x.program").write_text("fly\n")
    with pytest.raises(ConfigError, match=r"x\.program, line 1"):
        Corpus(tmp_path).load()


# --- two kernels ---------------------------------------------------------------------------------


def compare(one: Behaviour, other: Behaviour, count: int) -> Fuzzer:
    sessions = session(one), session(other)
    fuzzer = Fuzzer(Pair(*sessions), Factory.of("c", sessions), Corpus(None), up_to(count))
    fuzzer.run()
    return fuzzer


def test_two_kernels_of_a_kind_do_not_differ() -> None:
    """Both differ from the model: that is not asked."""
    assert compare(UNMASKED, UNMASKED, 60).findings == []


def test_two_kernels_that_differ() -> None:
    findings = compare(MASKED, UNMASKED, 30).findings
    assert findings
    assert all(finding.outcome.verdict is Verdict.FAIL for finding in findings)


# --- as it is typed ------------------------------------------------------------------------------


def test_it_stops_when_it_is_time() -> None:
    assert limit(None, 5, Statistics(programs=5))
    assert not limit(None, 5, Statistics(programs=4))
    assert limit(0.0, None, Statistics())
    assert not limit(None, None, Statistics())
    assert limit(None, None, Statistics(started=time.monotonic() - DEFAULT_SECONDS))


def test_ctrl_c_ends_it_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    runner = session(MASKED, mishaps={"fuzz/1-5": "interrupt"})
    fuzzer = Fuzzer(runner, Factory.of("1", [runner]), Corpus(None), up_to(50))
    assert watched(fuzzer, lambda _finding: "") == 130
    assert "5 programs" in capsys.readouterr().out


def test_ctrl_c_while_it_shrinks_keeps_the_finding() -> None:
    runner = Impatient(session(STOCK))
    fuzzer = Fuzzer(runner, Factory.of("1", [runner.session]), Corpus(None), up_to(50))
    assert watched(fuzzer, lambda _finding: "") == 130
    (finding,) = fuzzer.findings
    assert finding.reproduced is None
    assert finding.outcome.verdict is Verdict.FAIL


@pytest.mark.skipif(shutil.which(f"{cross_prefix()}gcc") is None, reason="no cross compiler")
def test_the_c_file_compiles_without_a_warning(tmp_path: Path) -> None:
    """What it says on a kernel: tests/selfcheck/test_fuzz.py."""
    racy = Factory("c", MODELS[:1], True, races=True).programs(Corpus(None))
    program = next(program for program in racy if is_racy(program.ops))
    allowed = [each.trace for each in MODELS[0].allowed(program)]
    text = c_source(program, allowed, bytes(range(256)), "why: /* a comment */")
    (tmp_path / "r.c").write_text(text)
    argv = [f"{cross_prefix()}gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", "r"]
    subprocess.run([*argv, "r.c"], check=True, cwd=tmp_path)


def test_a_program_that_fails_only_after_another_is_found_with_it() -> None:
    """State that one VM leaves behind: the finding contains both."""
    runner = Leaky(session(MASKED))
    factory = Factory.of("leak", [runner.session])
    leave = factory.named("x/leave", (*new_vm(), run(write("CR0", 1))))
    meet = factory.named("x/meet", (CreateVm(), *vcpus(), run(view())))
    fuzzer = Fuzzer(runner, factory, Corpus(None), up_to(2), first=(leave, meet))
    fuzzer.run()
    (finding,) = fuzzer.findings
    assert finding.reproduced
    one, other = units(finding.outcome.program.ops)
    (device,) = (op for op in one.ops if isinstance(op, CreateDevice))
    (last,) = other.ops
    assert isinstance(last, Run)
    assert device.vm != last.vm


class Leaky:
    """A VGICv5 makes the next VM without one fail, until the host is booted again."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.left = False

    def discard(self) -> None:
        self.left = False
        self.session.discard()

    def run(self, program: Program, upcoming: Iterable[Program] = ()) -> Outcome:
        outcome = self.session.run(program, upcoming)
        for op in program.ops:
            self.left |= isinstance(op, CreateDevice)
            with_vgic = {each.vm for each in program.ops if isinstance(each, CreateDevice)}
            if isinstance(op, Run) and op.vm not in with_vgic and self.left:
                return replace(outcome, verdict=Verdict.FAIL, message="stale")
        return outcome


class Impatient:
    """Someone types Ctrl-C when the first host is given up for shrinking."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.run = session.run

    def discard(self) -> None:
        raise KeyboardInterrupt


# --- races ---------------------------------------------------------------------------------------


def test_races_are_generated_if_the_host_has_the_cpus() -> None:
    def racy(races: bool) -> int:
        made = islice(Factory("r", MODELS[:1], True, races=races).programs(Corpus(None)), 40)
        return sum(is_racy(program.ops) for program in made)

    assert racy(races=False) == 0
    assert racy(races=True) >= 5


def test_sections_get_smaller() -> None:
    """Each proposal is another program, and all lead to one without a section."""
    run, line = p.Run(), p.IrqLine(3, 1)
    section = p.Parallel((p.Branch((p.Delay(1000), run)), p.Branch((line,), 1)))
    proposals = list(smaller_sections((section,)))
    assert (p.Delay(1000), run, line) in proposals
    assert (p.Parallel((section.branches[1],)),) in proposals
    assert (p.Parallel((p.Branch((p.Delay(500), run)), section.branches[1])),) in proposals
    assert section not in {each for ops in proposals for each in ops}


def test_a_race_that_fails_now_and_then_is_still_reproduced() -> None:
    """One of three runs fails: the fuzzer repeats it, and says how often it failed."""
    section = p.Parallel((p.Branch((p.Run(),)), p.Branch((p.IrqLine(3, 1),), 1)))
    program = Program("fuzz/race", (*new_vm(1), section))

    class Sometimes:
        runs = 0

        def run(self, program: Program, upcoming: Iterable[Program] = ()) -> Outcome:
            self.runs += 1
            bad = is_racy(program.ops) and self.runs % 3 == 0
            return Outcome(Verdict.FAIL if bad else Verdict.PASS, program, "now and then")

        def discard(self) -> None:
            pass

    factory = Factory("x", MODELS[:1], True)
    fuzzer = Fuzzer(Sometimes(), factory, Corpus(None), lambda stats: stats.programs >= 3,
                    first=[program] * 3)  # fmt: skip
    fuzzer.run()
    (finding,) = fuzzer.findings
    assert finding.reproduced
    assert finding.failed is not None
    assert 10 <= finding.failed[0] <= 25
    assert finding.failed[1] == 50
