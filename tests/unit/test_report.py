# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person reads: golden reports, and the parts they are made of."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fake_target import HELLO, PROVENANCE, golden

from harness import program as p
from harness.irs import Table
from harness.model import Allowed, Behaviour, Finalize, HostFacts, LateWrites, Model
from harness.ppi import U64
from harness.program import Capability, Program
from harness.report.artefacts import Artefacts
from harness.report.diagnosis import diagnose, short_diagnosis
from harness.report.explain import explain, explain_again, kind_of, operations, priorities
from harness.report.failure import PARTS
from harness.report.judge import Judge
from harness.report.listing import Lister, exception, guest_op, result
from harness.report.ppimap import Bitmaps
from harness.report.terminal import Summary
from harness.report.verdict import Expectation, Outcome, Verdict
from harness.targets.base import HostLost
from harness.trace import Difference, Ending, Result, RunEnd, Status, Step, Trace

GOLDEN = Path(__file__).parent / "golden"
SYSREGS = frozenset({Capability.VGIC_V5, Capability.CPU_SYSREGS})
SETUP = (
    p.CreateVm(), p.CreateDevice(), p.CreateVcpu(vcpu=0, id=0), p.CreateVcpu(vcpu=1, id=17),
    p.InitVcpu(vcpu=0), p.InitVcpu(vcpu=1), p.init_device(),
)  # fmt: skip
ENABLE = (p.write("ENABLER0", U64), p.read("SPENDR0"))
SECOND_FIRST = Program("order/second-first", (*SETUP, p.Run(ENABLE, vcpu=1), p.Run(ENABLE)))
LEAK = Program(
    "masking/active-26-40",
    (
        *SETUP, p.set_reg("SACTIVER0", 1 << 26 | 1 << 40 | 1 << 27, vcpu_id=17),
        p.Run(vcpu=0), p.Run((p.read("SACTIVER0"),), vcpu=1), p.get_reg("SACTIVER0", vcpu_id=17),
    ),
    SYSREGS,
)  # fmt: skip
LATE = Program(
    "after-first-run/pcr", (*SETUP, p.Run(), p.set_reg("PCR", 3), p.get_reg("PCR")), SYSREGS
)


def execute(behaviour: Behaviour, program: Program) -> Trace:
    return Model(behaviour, HostFacts()).run(program)


def allowed(behaviour: Behaviour, program: Program) -> tuple[Allowed, ...]:
    return Model(behaviour, HostFacts()).allowed(program)


def judge(declared: Expectation | None = None) -> Judge:
    return Judge(declared or Expectation(), HELLO, allowed)


def failed(program: Program, accessors: bool = True) -> Outcome:
    kernel = Behaviour(accessors=accessors, finalize=Finalize.FIRST_CREATED)
    declared = Expectation(accessors=accessors)
    return judge(declared).judge(program, execute(kernel, program))


def check_golden(name: str, text: str) -> None:
    """GICV5_UPDATE_GOLDEN=1 rewrites it: read the difference before it is committed."""
    path = GOLDEN / name
    if os.environ.get("GICV5_UPDATE_GOLDEN"):
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()


REPORTS = {
    "report-order.txt": failed(SECOND_FIRST),
    "report-order-no-accessors.txt": failed(SECOND_FIRST, accessors=False),
    "report-leak.txt": failed(LEAK),
    "report-late.txt": judge(Expectation(late_writes=LateWrites.REFUSED)).judge(
        LATE, execute(Behaviour(late_writes=LateWrites.EXPOSED), LATE)
    ),
    "report-crash.txt": judge().lost(
        SECOND_FIRST, HostLost("QEMU exited with status 0", golden("oops-nvhe-v5.log"), True)
    ),
    "report-error.txt": judge().lost(
        SECOND_FIRST, HostLost("the host did not answer in time", "last words\n", True)
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_golden_reports(name: str) -> None:
    command = "pytest --target=qemu --kernel=stock tests/target/test_programs.py::order::x"
    check_golden(name, explain(REPORTS[name], command, "gicv5-results/s/stock/order/x"))


def test_every_golden_report_is_used() -> None:
    assert {path.name for path in GOLDEN.glob("report-*.txt")} == set(REPORTS)


def test_a_pass_says_nothing() -> None:
    assert explain(judge().judge(LEAK, execute(Behaviour(), LEAK))) == ""


def test_lines_fit_a_terminal() -> None:
    for outcome in REPORTS.values():
        lines = explain(outcome).splitlines()
        said = ("CRASH: ", "kernel report", "  | ")  # the kernel's own words are not cut
        assert all(len(line) <= 100 or line.startswith(said) for line in lines)


# --- diagnosis ---


def test_the_released_defect_is_named() -> None:
    text = " ".join(diagnose(failed(SECOND_FIRST)))
    assert "exactly like Linux 7.1-7.3" in text
    assert "vCPU 1 ran first" in text
    assert "CNTV(27), CNTP(30)" in text


@pytest.mark.parametrize("accessors", [True, False])
def test_the_simplest_diagnosis_is_given(accessors: bool) -> None:
    assert short_diagnosis(failed(SECOND_FIRST, accessors)) == "finalize first-created"


def test_state_that_is_not_cleared_is_named() -> None:
    text = " ".join(diagnose(failed(LEAK)))
    assert "clears no state" in text
    assert "CNTHP(26), PPI(40)" in text


def test_no_guess_if_nothing_matches() -> None:
    results = execute(Behaviour(), LEAK).results
    broken = (*results[:-1], replace(results[-1], value=1))
    outcome = judge().judge(LEAK, Trace(broken))
    assert outcome.verdict is Verdict.FAIL
    assert list(diagnose(outcome)) == []
    assert short_diagnosis(outcome) == ""


# --- names and maps ---


def test_names() -> None:
    maps = Bitmaps(1 << 27 | 1 << 30 | 8, 8 | 1 << 26 | 1 << 40)
    assert maps.names() == "leaked: CNTHP(26), PPI(40); lost: CNTV(27), CNTP(30)"


def test_priorities_are_told_by_ppi() -> None:
    step = Step(0, 0, p.get_reg("ICC_PPI_PRIORITYR3_EL1"))
    difference = Difference(step, Result(value=0x10 << 24), Result(value=0))
    assert priorities(difference) == "CNTV(27): expected 0x10, observed 0x0"


# --- listings ---


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (p.set_reg("ENABLER0", 0x48000008, vcpu_id=17),
         "set_reg vCPU1 ICC_PPI_ENABLER0_EL1 = 0x48000008"),
        (p.set_reg("ENABLER0", U64, vcpu_id=3), "set_reg MPIDR 0x3 ICC_PPI_ENABLER0_EL1 = ~0"),
        (p.get_reg("PCR"), "get_reg vCPU0 ICC_PCR_EL1"),
        (p.init_device(), "set_attr CTRL/INIT"),
        (p.pmu_init(1), "set_attr vCPU1 PMU_V3/INIT (NULL pointer)"),
        (p.DeviceAttr(p.Action.GET, p.GRP_CTRL, p.CTRL_USERSPACE_PPIS),
         "get_attr CTRL/USERSPACE_PPIS"),
        (p.DeviceAttr(p.Action.HAS, 99, 7), "has_attr group 99/0x7"),
        (p.DeviceAttr(p.Action.SET, p.GRP_CPU_SYSREGS, 0x1234, 5),
         "set_reg vCPU0 register 0x1234 = 0x5"),
        (p.IrqLine(3, 1), "irq_line vCPU0 PPI SW_PPI(3) = 1"),
        (p.IrqLine(40, 0, type=p.IRQ_TYPE_SPI), "irq_line SPI 40 = 0"),
        (p.PlaceIrs(), "place_irs at 0x8000000"),
        (p.Ist(p.Action.SET, 128, 16384, 1), "set_ist image 1: 128 + 16384 bytes"),
        (p.Ist(p.Action.GET, attr=1, pointer=p.Pointer.NULL),
         "get_ist/0x1 image 0: 128 + 0 bytes (NULL pointer)"),
        (p.IstEntry(p.Action.SET, Table.SPI, 5, 0x4009), "set_ist_entry image 0 SPI 5 = 0x4009"),
        (p.irs_reg(p.Action.GET, 0x180), "get_irs_reg IRS_IST_BASER"),
        (p.irs_reg(p.Action.SET, 0x30, 1), "set_irs_reg IRS+0x30 = 0x1"),
        (p.CopyReg(0x80, 0, 1, p.GRP_IRS_REGS), "copy_reg vm0 -> vm1 IRS_CR0"),
        (p.Run(vcpu=1), "run vCPU1 (nothing to do)"),
        (p.CreateDevice(type=p.DEV_TYPE_VGIC_V3, test=True), "create_device VGICv3 (test only)"),
        (p.CreateVcpu(vcpu=1, id=17), "create_vcpu vCPU1 id 17"),
        (p.InitVcpu(vcpu=1, features=13), "init_vcpu vCPU1 POWER_OFF+PSCI_0_2+PMU_V3"),
        (p.CopyReg(p.sysreg_attr("PCR")), "copy_reg vm0 -> vm1 vCPU0 ICC_PCR_EL1"),
        (p.OneReg(p.Action.SET, 0x6030, 1), "set_one_reg vCPU0 0x6030 = 0x1"),
    ],
)  # fmt: skip
def test_operations_are_readable(op: p.Op, text: str) -> None:
    assert Lister(SECOND_FIRST).op(op) == text


def test_guest_operations_are_readable() -> None:
    ops = (p.read("HPPIR"), p.write("PCR", 31), p.Wfi(), p.Window())
    assert [guest_op(op) for op in ops] == [
        "read ICC_HPPIR_EL1", "write ICC_PCR_EL1 = 0x1f", "wfi", "interrupt window",
    ]  # fmt: skip


RUN = Step(0, 0, p.Run((p.Window(), p.Wfi(), p.read("PCR"))))


@pytest.mark.parametrize(
    ("step", "value", "text"),
    [
        (Step(0, 0, p.init_device()), Result(), "ok"),
        (Step(0, 0, p.init_device()), Result(ret=-16), "-EBUSY"),
        (Step(0, 0, p.get_reg("PCR")), Result(), "0x0"),
        (Step(0, 0, p.get_reg("SPENDR0")), Result(value=8, known=U64 ^ 1 << 27),
         "0x8 = SW_PPI(3) (bits 0x8000000 unknown)"),
        (RUN, Result(), "the guest finished"),
        (RUN, Result(ret=-4, value=RunEnd.INTERRUPTED), "interrupted (a WFI blocked)"),
        (RUN, Result(value=RunEnd.OTHER, extra=6), "exited to userspace, exit_reason 6"),
        (RUN, Result(ret=-5, value=RunEnd.FAILED), "KVM_RUN failed: -EIO"),
        (RUN, Result(value=9), "ended in an unknown way (9)"),
        (Step(1, 0, RUN.op, 0, p.Window()), Result(value=1, extra=1 << 29 | 27),
         "1 interrupt taken, first CNTV(27)"),
        (Step(1, 0, RUN.op, 0, p.Window()), Result(), "0 interrupts taken"),
        (Step(2, 0, RUN.op, 1, p.Wfi()), Result(status=Status.BLOCKED),
         "blocked: did not complete in time"),
        (Step(3, 0, RUN.op, 2, p.read("PCR")), Result(status=Status.NOT_REACHED), "not reached"),
        (Step(3, 0, RUN.op, 2, p.read("PCR")), Result(status=Status.EXCEPTION, value=0x2000000),
         "undefined instruction (EC 0x00, ESR 0x2000000)"),
    ],
)  # fmt: skip
def test_results_are_readable(step: Step, value: Result, text: str) -> None:
    assert result(step, value) == text


def test_exceptions_are_decoded() -> None:
    assert exception(0x18 << 26 | 5).startswith("trapped system register (EC 0x18")
    assert exception(0x33 << 26).startswith("exception (EC 0x33")


def test_a_long_program_is_shown_around_the_difference() -> None:
    ops = (*SETUP, *[p.get_reg("PCR")] * 200)
    program = Program("errno/long", ops, SYSREGS)
    results = list(execute(Behaviour(), program).results)
    results[100] = Result(ret=-5)
    text = explain(judge().judge(program, Trace(tuple(results))))
    assert "--> 100" in text
    assert "before\n" in text
    assert "after\n" in text
    assert len(text.splitlines()) < 60


def test_operations_list_every_record() -> None:
    text = "\n".join(operations(failed(SECOND_FIRST)))
    assert text.count("expected") == text.count("observed") == len(SECOND_FIRST.ops) + 4


def test_explained_once() -> None:
    one, two = failed(SECOND_FIRST), failed(replace(SECOND_FIRST, name="order/other"))
    assert kind_of(one) == kind_of(two)
    assert "order/second-first" in explain_again(two, one.program.name, "pytest x")
    unknown = replace(one, diagnosis=None)
    assert kind_of(unknown) != kind_of(replace(two, diagnosis=None))


def test_the_program_that_hangs() -> None:
    results = [*execute(Behaviour(), LEAK).results[:-2], *[Result(status=Status.NOT_REACHED)] * 2]
    outcome = judge().judge(LEAK, Trace(tuple(results), Ending.DEADLINE))
    assert "did not finish" in explain(outcome)
    assert "not reached" in explain(outcome)


# --- the end of a session ---


def reported(verdict: str, **more: str) -> pytest.TestReport:
    properties: list[tuple[str, object]] = [("verdict", verdict), ("family", "order")]
    return pytest.TestReport(
        "x", ("x", 0, "x"), {}, "passed", None, "call", user_properties=[*properties, *more.items()]
    )


def test_the_summary_counts_and_names() -> None:
    summary = Summary()
    for verdict in ("pass", "pass", "fail", "error"):
        summary.add(reported(verdict, host="Linux 7.3.4", late_writes="refused (first seen in a)"))
    head, row, total, *rest = summary.lines()
    assert head.split() == ["family", "pass", "fail", "error", "question"]
    assert row.split()[:5] == ["order", "2", "1", "1", "the"]
    assert total.split() == ["total", "2", "1", "1"]
    assert rest == ["host: Linux 7.3.4", "late writes: refused (first seen in a)"]


def test_workers_that_saw_different_late_writes_are_told() -> None:
    summary = Summary()
    summary.add(reported("pass", late_writes="refused (first seen in a)"))
    summary.add(reported("pass", late_writes="exposed (first seen in b)"))
    assert "late writes: MIXED, a kernel must do one or the other: " in summary.lines()[-1]


# --- artefacts ---


def test_artefacts(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path, "stock", PROVENANCE)
    observed = replace(execute(Behaviour(), LEAK), log=golden("warning-kmsg.log"))
    outcome = judge().judge(LEAK, observed)
    folder = artefacts.save(outcome, "pytest --target=qemu x", "Linux 7.3.4, VHE")
    assert folder == tmp_path / "stock" / "masking" / "active-26-40"
    assert {path.name for path in folder.iterdir()} == {
        "report.txt", "operations.txt", "rerun.txt", "kernel-log.txt", "provenance.json",
        "failure.json",
    }  # fmt: skip
    failure = json.loads((folder / "failure.json").read_text())
    assert set(failure) == set(PARTS)
    assert failure["reports"]
    assert failure["maps"] is None  # after a crash, what differs is its consequence
    facts = json.loads((folder / "provenance.json").read_text())
    assert facts["verdict"] == "crash"
    assert facts["qemu"] == "11.1.3"
    assert facts["host"] == "Linux 7.3.4, VHE"
    assert "vgic_v5_fold_ppi_state" in facts["reports"][0]
    assert "rerun:      pytest --target=qemu x" in (folder / "report.txt").read_text()


def test_a_kernel_given_by_path_is_a_folder_name(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path, "/home/me/linux/arch/arm64/boot/Image", {})
    assert artefacts.of("order/x") == tmp_path / "Image" / "order" / "x"
