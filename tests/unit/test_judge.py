# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts: every kind, and whose fault each is."""

from __future__ import annotations

import re
from dataclasses import replace
from errno import ENODEV, ENOENT, ENXIO

import pytest
from fake_target import HELLO, FakeTarget, golden

from harness import program as p
from harness.console import ReportKind
from harness.errors import BootError, HarnessError
from harness.model import Allowed, Behaviour, Finalize, HostFacts, LateWrites, Model
from harness.ppi import SW_PPI
from harness.program import Capability, Program
from harness.provision import Expect
from harness.report.diagnosis import diagnose, short_diagnosis
from harness.report.facts import host_facts, kvm_mode, unfit
from harness.report.judge import Judge, LateWriteWitness
from harness.report.session import Session, expectation
from harness.report.verdict import Expectation, Verdict
from harness.targets.base import HostLost
from harness.trace import Ending, Result, Status, Trace

SETUP = (
    p.CreateVm(), p.CreateDevice(), p.CreateVcpu(vcpu=0, id=0), p.CreateVcpu(vcpu=1, id=1),
    p.InitVcpu(vcpu=0), p.InitVcpu(vcpu=1), p.init_device(),
)  # fmt: skip
ENABLE = (p.write("ENABLER0", (1 << 64) - 1),)
SECOND_FIRST = Program("order/second-first", (*SETUP, p.Run(ENABLE, vcpu=1), p.Run(ENABLE)))
MASKED = Program(
    "masking/enable-all",
    (*SETUP, p.set_reg("ENABLER0", (1 << 64) - 1), p.Run((p.read("ENABLER0"),))),
    frozenset({Capability.VGIC_V5, Capability.CPU_SYSREGS}),
)
SYSREGS = frozenset({Capability.VGIC_V5, Capability.CPU_SYSREGS})


def late(name: str, value: int) -> Program:
    """Userspace writes PCR after the first run: the two late-write behaviours differ."""
    ops = (*SETUP, p.Run(()), p.set_reg("PCR", value), p.get_reg("PCR"))
    return Program(f"after-first-run/{name}", ops, SYSREGS)


def run(program: Program, **behaviour: object) -> Trace:
    return Model(Behaviour(**behaviour), HostFacts()).run(program)  # type: ignore[arg-type]


def judge(declared: Expectation | None = None, **hello: int) -> Judge:
    def execute(behaviour: Behaviour, program: Program) -> tuple[Allowed, ...]:
        return Model(behaviour, HostFacts()).allowed(program)

    return Judge(declared or Expectation(), replace(HELLO, **hello), execute)  # type: ignore[arg-type]


def test_pass() -> None:
    outcome = judge().judge(SECOND_FIRST, run(SECOND_FIRST))
    assert outcome.verdict is Verdict.PASS
    assert outcome.comparison.agrees


def test_fail_names_the_lost_ppis_and_the_behaviour_that_explains_it() -> None:
    observed = run(SECOND_FIRST, finalize=Finalize.FIRST_CREATED)
    outcome = judge().judge(SECOND_FIRST, observed)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.message == "ICC_PPI_ENABLER0_EL1: lost: CNTV(27), CNTP(30) (and 1 more)"
    assert outcome.diagnosis is not None
    assert outcome.diagnosis.finalize is Finalize.FIRST_CREATED


def test_declared_first_created_passes_what_7_3_does() -> None:
    observed = run(SECOND_FIRST, finalize=Finalize.FIRST_CREATED)
    declared = Expectation(finalize=Finalize.FIRST_CREATED)
    assert judge(declared).judge(SECOND_FIRST, observed).verdict is Verdict.PASS


def test_no_diagnosis_without_an_exact_match() -> None:
    results = list(run(SECOND_FIRST, finalize=Finalize.FIRST_CREATED).results)
    results[-1] = replace(results[-1], value=0x18)
    outcome = judge().judge(SECOND_FIRST, Trace(tuple(results)))
    assert outcome.verdict is Verdict.FAIL
    assert outcome.diagnosis is None


@pytest.mark.parametrize(
    ("needs", "hello", "declared", "verdict", "message"),
    [
        ({Capability.VGIC_V5}, {"kvm_errno": ENOENT}, None, Verdict.SKIP,
         "KVM device VGICv5: /dev/kvm: ENOENT"),
        ({Capability.VGIC_V5}, {"vgic_v5_errno": ENODEV}, None, Verdict.SKIP,
         "KVM device VGICv5: ENODEV"),
        ({Capability.CPU_SYSREGS}, {"sysregs_errno": ENXIO}, None, Verdict.SKIP,
         "CPU_SYSREGS: ENXIO"),
        ({Capability.CPU_SYSREGS}, {"sysregs_errno": ENXIO}, False, Verdict.SKIP,
         "CPU_SYSREGS: ENXIO"),
        ({Capability.CPU_SYSREGS}, {"sysregs_errno": ENXIO}, True, Verdict.FAIL,
         "CPU_SYSREGS: ENXIO, but this kernel is declared to have it (expect.accessors: true)"),
        ({Capability.CPU_SYSREGS}, {}, False, Verdict.SKIP,
         "CPU_SYSREGS: declared absent (expect.accessors: false)"),
        ({Capability.NO_CPU_SYSREGS}, {}, None, Verdict.SKIP,
         "a kernel without CPU_SYSREGS: this one has them"),
        ({Capability.PMU}, {"pmu": 0}, None, Verdict.SKIP, "PMUv3: absent"),
        ({Capability.IRS}, {}, None, Verdict.SKIP, "IRS of a VGICv5: ADDR: ENXIO"),
    ],
)  # fmt: skip
def test_missing_capabilities(
    needs: set[Capability],
    hello: dict[str, int],
    declared: bool | None,
    verdict: Verdict,
    message: str,
) -> None:
    outcome = judge(Expectation(declared), **hello).beforehand(Program("x/y", (), frozenset(needs)))
    assert outcome is not None
    assert (outcome.verdict, outcome.message) == (verdict, message)


def test_an_irs_is_probed_or_declared() -> None:
    program = Program("irs/x", (), frozenset({Capability.IRS}))
    assert judge(irs_errno=0).beforehand(program) is None
    absent = judge(Expectation(irs=False), irs_errno=0).beforehand(program)
    assert absent is not None
    assert absent.message == "IRS of a VGICv5: declared absent (expect.irs: false)"
    missing = judge(Expectation(irs=True)).beforehand(program)
    assert missing is not None
    assert (missing.verdict, missing.message) == (
        Verdict.FAIL,
        "IRS of a VGICv5: ADDR: ENXIO, but this kernel is declared to have it (expect.irs: true)",
    )


def test_an_irs_that_should_not_be_there_is_noticed_and_named() -> None:
    placed = Program("order/place", (SETUP[0], SETUP[1], p.PlaceIrs(), *SETUP[2:], p.Run()))
    observed = run(placed, irs=True)
    assert judge(irs_errno=0).judge(placed, observed).verdict is Verdict.PASS
    outcome = judge(Expectation(irs=False), irs_errno=0).judge(placed, observed)
    assert outcome.verdict is Verdict.FAIL
    assert short_diagnosis(outcome) == "an IRS"
    assert list(diagnose(outcome)) == [
        "The kernel's VGICv5 has an IRS, and was expected to have none."
    ]


def test_nothing_is_skipped_that_can_run() -> None:
    assert judge().beforehand(MASKED) is None
    without = Program("errno-sysregs/none", SETUP, frozenset({Capability.NO_CPU_SYSREGS}))
    assert judge(sysregs_errno=ENXIO).beforehand(without) is None
    # Declared to have none: a program that needs none runs, whatever the probe says.
    assert judge(Expectation(accessors=False)).beforehand(without) is None


def test_a_kernel_report_is_a_crash_even_if_the_traces_agree() -> None:
    observed = replace(run(MASKED), log=golden("warning-kmsg.log"))
    outcome = judge().judge(MASKED, observed)
    assert outcome.verdict is Verdict.CRASH
    assert outcome.reports[0].kind is ReportKind.WARNING
    assert "vgic_v5_fold_ppi_state" in outcome.message


def test_innocent_log_lines_are_no_crash() -> None:
    log = "<6>[    1.000000] gicv5: guest on vCPU 0 took exception vector 4\n"
    assert judge().judge(MASKED, replace(run(MASKED), log=log)).verdict is Verdict.PASS


def test_a_program_that_does_not_finish_is_the_kernels_fault() -> None:
    results = list(run(SECOND_FIRST).results)
    unreached = Result(status=Status.NOT_REACHED)
    results[-2:] = [unreached, unreached]
    observed = Trace(tuple(results), Ending.DEADLINE)
    outcome = judge().judge(SECOND_FIRST, observed)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.message == "the program did not finish: operation 8 (run vCPU0) did not return"


def test_a_killed_process_is_ours() -> None:
    outcome = judge().judge(MASKED, replace(run(MASKED), ending=Ending.KILLED, signal=11))
    assert outcome.verdict is Verdict.ERROR
    assert outcome.message == "the process that ran the program was killed by SIGSEGV"
    crashed = replace(run(MASKED), ending=Ending.KILLED, signal=9, log=golden("bug-at.log"))
    assert judge().judge(MASKED, crashed).verdict is Verdict.CRASH


@pytest.mark.parametrize(
    ("console", "started", "verdict"),
    [
        (golden("oops-nvhe-v5.log"), True, Verdict.CRASH),
        (golden("oops-nvhe-v5.log"), False, Verdict.ERROR),
        ("", True, Verdict.ERROR),
        (golden("innocent-boot.log"), True, Verdict.ERROR),
    ],
)
def test_a_lost_host(console: str, started: bool, verdict: Verdict) -> None:
    outcome = judge().lost(MASKED, HostLost("QEMU exited with status 0", console, started))
    assert outcome.verdict is verdict
    assert "QEMU exited with status 0" in outcome.message
    if verdict is Verdict.CRASH:
        assert "__vgic_v5_restore_ppi_state" in outcome.message


# --- late writes: one or the other, never a mixture ---


@pytest.mark.parametrize("seen", list(LateWrites))
def test_an_undeclared_kernel_may_do_either_as_a_whole(seen: LateWrites) -> None:
    other = next(each for each in LateWrites if each is not seen)
    one = judge()
    first, second = late("first", 3), late("second", 5)
    assert one.judge(MASKED, run(MASKED)).verdict is Verdict.PASS
    assert one.witness.seen is None  # it says nothing
    assert one.judge(first, run(first, late_writes=seen)).verdict is Verdict.PASS
    assert one.witness == LateWriteWitness(seen, first.name)
    assert one.judge(second, run(second, late_writes=seen)).verdict is Verdict.PASS
    mixed = one.judge(second, run(second, late_writes=other))
    assert mixed.verdict is Verdict.FAIL
    assert first.name in mixed.message
    assert other.value in mixed.message
    assert not mixed.comparison.agrees


def test_a_declared_kernel_must_do_as_declared() -> None:
    program = late("x", 3)
    observed = run(program, late_writes=LateWrites.EXPOSED)
    outcome = judge(Expectation(late_writes=LateWrites.REFUSED)).judge(program, observed)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.diagnosis is not None
    assert outcome.diagnosis.late_writes is LateWrites.EXPOSED


# --- the session: hosts come and go ---


def session(target: FakeTarget) -> Session:
    return Session(target, expectation(target.expect))


def test_a_fresh_host_after_a_crash() -> None:
    target = FakeTarget(mishaps={"order/second-first": "crash"})
    one = session(target)
    assert one.run(MASKED).verdict is Verdict.PASS
    assert one.run(SECOND_FIRST).verdict is Verdict.CRASH
    assert one.run(MASKED).verdict is Verdict.PASS
    assert target.boots == 2


@pytest.mark.parametrize("mishap", ["warn", "silent", "killed"])
def test_a_host_that_cannot_be_trusted_is_replaced(mishap: str) -> None:
    target = FakeTarget(mishaps={"order/second-first": mishap})
    one = session(target)
    one.run(SECOND_FIRST)
    one.run(MASKED)
    assert target.boots == 2


def test_three_failed_boots_in_a_row_give_the_host_up() -> None:
    target = FakeTarget(mishaps={"order/second-first": "crash"}, bad_boots=frozenset({2, 3, 4}))
    one = session(target)
    one.run(SECOND_FIRST)
    for _ in range(5):
        outcome = one.run(MASKED)
        assert outcome.verdict is Verdict.ERROR
        assert "3 boots failed in a row" in outcome.message
    assert target.boots == 4


def test_a_boot_that_fails_once_is_tried_again() -> None:
    target = FakeTarget(mishaps={"order/second-first": "crash"}, bad_boots=frozenset({2, 3}))
    one = session(target)
    one.run(SECOND_FIRST)
    assert one.run(MASKED).verdict is Verdict.PASS
    assert target.boots == 4


def test_if_the_first_boot_fails_nothing_can_be_judged() -> None:
    one = session(FakeTarget(bad_boots=frozenset({1})))
    with pytest.raises(BootError):
        one.run(MASKED)
    with pytest.raises(HarnessError):
        one.run(MASKED)


def test_a_defect_of_the_model_is_an_error() -> None:
    one = session(FakeTarget())
    one.run(MASKED)
    assert one._judge is not None

    def broken(_behaviour: Behaviour, _program: Program) -> tuple[Allowed, ...]:
        raise ValueError("outside the model")

    one._judge = replace(one._judge, execute=broken)
    outcome = one.run(MASKED)
    assert (outcome.verdict, outcome.message) == (Verdict.ERROR, "ValueError: outside the model")


def test_overrides() -> None:
    declared = expectation(Expect(accessors=True, late_writes="refused"))
    assert declared == Expectation(True, Finalize.PER_VCPU, LateWrites.REFUSED)
    given = {"accessors": "probed", "finalize": "first-created", "late_writes": "any"}
    changed = expectation(Expect(accessors=True, late_writes="refused"), given)
    assert changed == Expectation(None, Finalize.FIRST_CREATED, None)


@pytest.mark.parametrize(
    ("line", "mode", "vhe"),
    [
        ("kvm [1]: VHE mode initialized successfully", "VHE", True),
        ("kvm [1]: VHE+NV2 mode initialized successfully", "VHE", True),
        ("[    0.1] kvm [1]: Hyp nVHE mode initialized successfully\r", "nVHE", False),
        ("kvm [1]: Hyp hVHE mode initialized successfully", "hVHE", False),
        ("kvm [1]: Protected hVHE mode initialized successfully", "Protected hVHE", False),
        ("", "", True),
    ],
)
def test_host_facts(line: str, mode: str, vhe: bool) -> None:
    log = f"Booting Linux\n{line}\nRun /init\n"
    assert kvm_mode(log) == mode
    assert host_facts(HELLO, log) == HostFacts(pmu=True, vhe=vhe)
    assert not host_facts(replace(HELLO, pmu=0), log).pmu


def test_host_facts_of_a_real_boot() -> None:
    assert kvm_mode(golden("oops-nvhe-v5.log")) == "nVHE"


@pytest.mark.parametrize(
    ("facts", "log", "says"),
    [
        ({"kvm_errno": ENOENT}, "[ 0.1] CPU: All CPU(s) started at EL1", "no KVM.*ENOENT\n.*EL1"),
        ({"kvm_errno": ENOENT}, "[ 0.1] kvm [1]: KVM disabled from command line", "disabled"),
        ({"vgic_v5_errno": ENODEV}, "", "no VGICv5.*ENODEV"),
    ],
)
def test_a_host_on_which_nothing_can_be_judged(facts: dict[str, int], log: str, says: str) -> None:
    why = unfit(replace(HELLO, **facts), log)  # type: ignore[arg-type]
    assert why is not None
    assert re.search(says, why.what)
    assert why.remedy
    assert unfit(HELLO, log) is None


# --- parallel sections ---------------------------------------------------------------------------


def race(*branches: tuple[p.BranchOp, ...]) -> Program:
    section = p.Parallel(tuple(p.Branch(ops, cpu) for cpu, ops in enumerate(branches)))
    return Program("races/any", (*SETUP, section), frozenset({Capability.VGIC_V5, Capability.CPUS}))


WINDOW = p.Run((p.write("PCR", 31), p.write("CR0", 1), p.write("ENABLER0", 8), p.Window()))
INJECTED = race((WINDOW,), (p.IrqLine(SW_PPI, 1),))


def allowed_of(program: Program) -> tuple[Allowed, ...]:
    return Model(Behaviour(), HostFacts()).allowed(program)


def test_each_allowed_outcome_passes_and_is_named() -> None:
    allowed = allowed_of(INJECTED)
    assert len(allowed) > 1
    for number, each in enumerate(allowed, 1):
        outcome = judge(cpus=2).judge(INJECTED, each.trace)
        assert outcome.verdict is Verdict.PASS
        assert outcome.linearisation is not None
        assert (outcome.linearisation.number, outcome.linearisation.of) == (number, len(allowed))
        assert outcome.linearisation.order


def test_a_mixture_of_allowed_outcomes_fails_against_the_nearest() -> None:
    """Two interrupts of one edge."""
    seen = next(each for each in allowed_of(INJECTED) if each.trace.results[-3].value == 1)
    results = list(seen.trace.results)
    results[-3] = replace(results[-3], value=2)
    outcome = judge(cpus=2).judge(INJECTED, replace(seen.trace, results=tuple(results)))
    assert outcome.verdict is Verdict.FAIL
    assert outcome.expected in [each.trace for each in allowed_of(INJECTED)]
    assert [d.step.number for d in outcome.comparison.differences] == [f"{len(SETUP)}a0.3"]
    assert f"none of the {len(allowed_of(INJECTED))} allowed outcomes" in outcome.message


def test_when_a_branch_ran_is_not_compared() -> None:
    trace = allowed_of(INJECTED)[0].trace
    at = len(SETUP) + 1
    results = list(trace.results)
    results[at] = Result(value=0x1234_5678_0000_4321)
    assert (
        judge(cpus=2).judge(INJECTED, replace(trace, results=tuple(results))).verdict
        is Verdict.PASS
    )


def test_one_cpu_is_not_enough() -> None:
    outcome = judge(cpus=1).beforehand(INJECTED)
    assert outcome is not None
    assert outcome.verdict is Verdict.SKIP
    assert outcome.message == "two host CPUs: it has 1 (--host-cpus 2)"
