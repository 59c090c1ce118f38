# SPDX-License-Identifier: GPL-2.0-or-later
"""Defects of released kernels that docs/findings describes, each by its reproducer.

They are no part of the suite, which must pass on a kernel that masks.  A kernel that mends one
fails here: then the text in docs/findings is to be finished, and the program moves to the suite.
"""

from __future__ import annotations

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
from harness.report.facts import host_facts
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


def test_stale_virtual_ppi() -> None:
    host = QemuTarget.create(TargetSpec(kernel="stock"), lambda _message: None).boot()
    try:
        observed = host.run(STALE_VIRTUAL_PPI)
        facts = host_facts(host.hello, host.boot_log)
    finally:
        host.close()
    expected = Model(Behaviour(accessors=False), facts).run(STALE_VIRTUAL_PPI)
    *_, wfi, window = expected.results
    assert (wfi.status, window.status) == (Status.BLOCKED, Status.NOT_REACHED)
    *_, wfi, window = observed.results
    assert (wfi.status, window.value > 0) == (Status.DONE, True)
    differences = compare(STALE_VIRTUAL_PPI, expected, observed).differences
    assert all(d.step.op == STALE_VIRTUAL_PPI.ops[-1] for d in differences)
