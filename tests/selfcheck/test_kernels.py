# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite on kernels of which we know what they do."""

from __future__ import annotations

import pytest
from suite_report import Report, RunSuite

from harness.ppi import ppi_name
from harness.program import Capability
from harness.suite import families

# What today's kernels on a host of one CPU have to skip: SPIs, LPIs and the IRS are for one that is
# not released yet.
ALWAYS = {
    **dict.fromkeys(("irs", "spi", "ist"), "IRS of a VGICv5: ADDR: ENXIO"),
    **dict.fromkeys(("races", "races-first-run"), "two host CPUs: it has 1"),
}
FINALIZE = {family.name for family in families() if family.finalize}
SIZE = {family.name: len(family.programs) for family in families()}


def skips_for(report: Report, reason: str) -> bool:
    """All that is skipped is so for this reason, or always here."""
    skipped = report.with_verdict("SKIP")
    assert not ALWAYS.keys() - {case.family for case in skipped}
    return all(reason in case.text or ALWAYS.get(case.family, reason) in case.text
               for case in skipped)  # fmt: skip


@pytest.mark.parametrize("kernel", ["masked", "masked-exposed", "masked-nvhe"])
def test_a_kernel_that_masks_passes(suite: RunSuite, kernel: str) -> None:
    report = suite(kernel)
    assert report.status == 0, report.output
    assert {case.verdict for case in report.cases} == {"PASS", "SKIP"}
    assert skips_for(report, Capability.NO_CPU_SYSREGS.value)
    assert len(report.cases) == sum(SIZE.values())


def test_masked_passes_on_two_cpus(suite: RunSuite) -> None:
    report = suite("masked", "--host-cpus=2")
    assert report.status == 0, report.output
    passed = report.families("PASS")
    assert {name: passed[name] for name in passed if name.startswith("races")} == {
        name: SIZE[name] for name in SIZE if name.startswith("races")
    }


def test_a_kernel_that_does_not_mask_fails_in_what_asks_for_it(suite: RunSuite) -> None:
    report = suite("unmasked")
    failed = report.families("FAIL")
    assert failed == {name: SIZE[name] for name in FINALIZE}
    assert report.families("CRASH") == report.families("ERROR") == {}
    for case in report.with_verdict("FAIL"):
        if case.family == "masking":
            assert "leaked:" in case.text, case.text


def test_a_leak_shows_what_kvm_wrote_to_the_hardware(suite: RunSuite) -> None:
    """The accesses shown are those of the program itself, though others were sent ahead of it."""
    cases = [c for c in suite("unmasked").cases if c.program.startswith("masking/enable-bit-")]
    assert len(cases) > 50
    for case in cases:
        bit = int(case.program.rpartition("-")[2])
        leaked = f"write ICH_PPI_ENABLER0_EL2 = {1 << bit:#x}  {ppi_name(bit)}\n"
        assert leaked in case.text, case.text


@pytest.mark.parametrize("kernel", ["stock", "debian"])
def test_released_kernels_fail_in_order_alone(suite: RunSuite, kernel: str) -> None:
    report = suite(kernel)
    assert report.status == 1
    assert set(report.families("FAIL")) == {"order"}
    assert report.families("PASS")["order"] == 0
    assert skips_for(report, "CPU_SYSREGS: ENXIO")
    assert report.families("CRASH") == report.families("ERROR") == {}


def test_the_released_defect_is_explained(suite: RunSuite) -> None:
    (case,) = (c for c in suite("debian").cases if c.program == "order/2-vcpus-1-first")
    for said in ("0x48000008", "0x8", "CNTV(27)", "CNTP(30)", "vCPU index 0", "--kernel"):
        assert said in case.text, case.text
    assert "first-created" in case.properties["diagnosis"]
    for key in ("kernel", "qemu", "plugin", "agent"):
        assert "sha256:" in case.properties[key]


@pytest.mark.parametrize("kernel", ["stock", "unmasked"])
def test_the_model_of_released_kernels_is_exact(suite: RunSuite, kernel: str) -> None:
    """Told what these kernels do, the model agrees with them everywhere."""
    report = suite(kernel, "--expect=finalize=first-created")
    assert report.status == 0, report.output


def test_a_mixture_of_late_write_behaviours_is_not_asked_for(suite: RunSuite) -> None:
    """A kernel that declares nothing may do either, and the report says which it was."""
    report = suite("masked-exposed", "--expect=late_writes=any", "-k=after-first-run")
    assert report.status == 0, report.output
    assert any("exposed" in case.properties.get("late_writes", "") for case in report.cases)
    wrong = suite("masked-exposed", "--expect=late_writes=refused", "-k=after-first-run")
    assert wrong.families("FAIL")["after-first-run"] > 0


def test_nvhe_crashes_are_charged_to_their_programs(suite: RunSuite) -> None:
    """7.3 oopses the host at the first KVM_RUN of a VGICv5 VM under nVHE; the run goes on."""
    report = suite(
        "debian-nvhe", "-k=exposure and untouched or init-without-vcpus-then-create or next-to-a"
    )
    assert not report.with_verdict("FAIL") + report.with_verdict("ERROR"), report.output
    crashed = report.with_verdict("CRASH")
    assert {case.program for case in crashed} == {
        "exposure/untouched", "exposure/untouched-with-pmu", "non-v5/next-to-a-v5-vm"
    }  # fmt: skip
    assert all("kernel_report" in case.properties for case in crashed)
    assert "__vgic_v5_restore_ppi_state" in crashed[0].text, crashed[0].text
    assert "undef ICH_PPI_DVIR0_EL2" in crashed[0].text, "the access that killed it"
    (passed,) = report.with_verdict("PASS")  # on a fresh host: it runs no vCPU
    assert passed.program == "errno/init-without-vcpus-then-create"
