# SPDX-License-Identifier: GPL-2.0-or-later
"""The defects that docs/findings describes: their reproducers, and the fixes proposed there.

They are no part of the suite, which must pass on a kernel that masks.  A released kernel that mends
one fails here: then its page is to be finished, and the program moves to the suite.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from reproducers import FINDINGS, KVM_FINDINGS, Finding, Outcome, build, read_console, reproduce
from suite_report import RunSuite

from harness.model import Behaviour, Model
from harness.program import (
    CreateDevice,
    CreateVcpu,
    CreateVm,
    InitVcpu,
    IrqLine,
    Program,
    Run,
    Wfi,
    Window,
    init_device,
    read,
    write,
)
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.report.facts import host_facts
from harness.suite import families
from harness.suite.coverage import ODDITIES
from harness.targets.qemu import QemuTarget
from harness.targets.spec import TargetSpec
from harness.trace import Status, compare

LISTEN = (write("PCR", 31), write("CR0", 1), write("ENABLER0", 8))
STALE_VIRTUAL_PPI = Program(
    "finding/stale-virtual-ppi",
    (
        CreateVm(), CreateDevice(), CreateVcpu(), InitVcpu(), init_device(),
        Run(LISTEN), IrqLine(number=3, level=1), Run((read("SPENDR0"),)),
        CreateVm(1), CreateVcpu(1), InitVcpu(1), Run((Wfi(), Window()), vm=1, wait_ms=50),
    ),
)  # fmt: skip

NO_HPPI = ["HPPIR 0x0000000000000000", "CDIA 0x0000000000000000"]


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("reproduce.c", tmp_path_factory.mktemp("findings") / "reproduce")


@pytest.mark.parametrize("finding", KVM_FINDINGS, ids=lambda f: f.name)
def test_a_released_kernel_is_affected_and_the_fix_mends_it(finding: Finding, binary: Path) -> None:
    outcome, shown = reproduce(finding, "stock", binary)
    assert outcome is Outcome.AFFECTED, shown
    if finding.args:
        assert "__vgic_v5_restore_ppi_state" in shown
    outcome, shown = reproduce(finding, "fixed", binary)
    assert outcome is Outcome.NOT_AFFECTED, shown


def test_the_fixed_kernel_passes_the_suite(suite: RunSuite) -> None:
    report = suite("fixed")
    assert report.status == 0, report.output
    assert report.families("PASS")["order"] > 0


@pytest.mark.parametrize("kernel", ["stock", "fixed"])
def test_a_vm_without_a_vgic_after_a_vgicv5_guest(kernel: str) -> None:
    host = QemuTarget.create(TargetSpec(kernel=kernel), lambda _message: None).boot()
    try:
        observed = host.run(STALE_VIRTUAL_PPI)
        facts = host_facts(host.hello, host.boot_log)
    finally:
        host.close()
    expected = Model(Behaviour(accessors=False), facts).run(STALE_VIRTUAL_PPI)
    *_, wfi, window = expected.results
    assert (wfi.status, window.status) == (Status.BLOCKED, Status.NOT_REACHED)
    differences = compare(STALE_VIRTUAL_PPI, expected, observed).differences
    if kernel == "fixed":
        assert not differences
        return
    *_, wfi, window = observed.results
    assert (wfi.status, window.value > 0) == (Status.DONE, True)
    assert all(d.step.op == STALE_VIRTUAL_PPI.ops[-1] for d in differences)


@pytest.mark.parametrize("before", ["NOTHING", "ENABLE_IRS", "READ_IRS_CR0"])
def test_qemus_own_gicv5_has_an_interrupt_that_does_not_exist(before: str, tmp_path: Path) -> None:
    options = ("-nostdlib", "-Wl,-Ttext=0x40080000", f"-D{before}")
    program = build("qemu-x5.S", tmp_path / "qemu-x5", *options)
    qemu = Provisioner(load_images(default_images())).qemu()
    argv = [*qemu.argv, "-M", "virt,gic-version=x-5", "-cpu", "max", "-nographic"]
    done = subprocess.run(
        [*argv, "-kernel", str(program)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    priority, *rest = done.stdout.splitlines()
    assert priority == "PRIORITYR0 0xffffffffffffffff", "RES0 bits are stored"
    if before == "READ_IRS_CR0":
        assert (rest, done.returncode) == (NO_HPPI, 0)
    else:
        assert rest[0] == "HPPIR 0x0000000100000000"
        assert done.returncode == -6
        assert re.search(r"gicv5-cpuif\.c:\d+:gicr_cdia_read", done.stderr)


def test_a_host_without_a_word_tells_nothing() -> None:
    assert read_console("")[0] is Outcome.CANNOT_TELL
    assert read_console("Linux version 7.3\r\nRun /reproduce")[0] is Outcome.CANNOT_TELL
    assert read_console("x\r\ncannot tell: no VGICv5\r\n") == (Outcome.CANNOT_TELL, "no VGICv5")
    assert read_console("not affected: it lives\r\n") == (Outcome.NOT_AFFECTED, "it lives")


def test_the_page_of_oddities_names_the_programs_that_show_them() -> None:
    named = set(re.findall(r"`([a-z0-9-]+/[a-z0-9-]+)`", (FINDINGS / "oddities.md").read_text()))
    there = {program.name for family in families() for program in family.programs}
    shown = {name for row, names in ODDITIES.items() if row >= 4 for name in names}
    assert named <= there
    assert shown <= named
