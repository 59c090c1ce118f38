# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that die, hang or are left alone; and the kernel's own selftest on the platform."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bench import ONE_VM
from harness.hwtrace.ring import Ring
from harness.hwtrace.slices import Place, slice_of
from harness.program import Program, Run, Wfi
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.targets.base import HostLost
from harness.targets.qemu import QemuHost, QemuTarget
from harness.targets.spec import TargetSpec
from harness.trace import Ending

ROOT = Path(__file__).parents[2]
STOCK = TargetSpec(kernel="stock")
SELFTEST = "/vgic_v5"


def silent(_message: str) -> None:
    """No progress."""


@pytest.fixture
def host() -> Iterator[QemuHost]:
    booted = QemuTarget.create(STOCK, silent).boot()
    yield booted
    booted.close()


def waits(seconds: int) -> Program:
    """A program that is inside KVM_RUN for a while."""
    return Program("selfcheck/waits", (*ONE_VM.ops[:-1], Run((Wfi(),), wait_ms=seconds * 1000)))


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_the_kernels_own_selftest_passes_on_the_platform(cpus: int) -> None:
    provisioner = Provisioner(load_images(default_images()))
    binary = provisioner.selftest(provisioner.kernel("stock")).path
    spec = TargetSpec(kernel="stock", cpus=cpus, files={SELFTEST: binary})
    booted = QemuTarget.create(spec, silent).boot()
    try:
        done = booted.command([SELFTEST], timeout=60)
        assert booted.hello.cpus == cpus
        assert (done.status, "KVM_RUN" in done.text) == (0, False), done.text
    finally:
        booted.close()


def test_a_dead_qemu_is_noticed_at_once(host: QemuHost) -> None:
    waiting = Place(len(ONE_VM.ops) - 1, 0)  # the guest, in its WFI
    killed = list[float]()

    def kill() -> None:
        _wait_for(lambda: waiting in {each.place for each in host.accesses().located}, 20)
        killed.append(time.monotonic())
        os.kill(host.pid, signal.SIGKILL)

    threading.Thread(target=kill).start()
    with pytest.raises(HostLost, match="signal 9") as lost:
        host.run(waits(30), deadline_ms=40_000)
    assert lost.value.started
    assert time.monotonic() - killed[0] < 2
    assert host.warnings() == [], "it was killed without a word"
    left = host.accesses().located
    assert max(each.place for each in left) == waiting, "the record outlives QEMU"
    assert any(each.record.name == "ICH_PPI_ENABLER0_EL2" for each in left)


def test_the_trace_of_a_host_is_kept_on_request(tmp_path: Path) -> None:
    booted = QemuTarget.create(replace(STOCK, trace_dir=tmp_path), silent).boot()
    booted.command(["/init"], timeout=10)
    booted.run(ONE_VM)
    booted.close()
    (path,) = tmp_path.glob("*.bin")
    with Ring(path) as ring:
        assert next(ring.records()).pc < 1 << 47, "from the start, when the MMU was off"
        assert slice_of(ring, 2).located
        assert ring.damaged == 0
    assert path.with_suffix(".programs").read_text() == f"2 {ONE_VM.name}\n"


def test_a_program_that_does_not_end_is_ended(host: QemuHost) -> None:
    trace = host.run(waits(30), deadline_ms=500)
    assert trace.ending is Ending.DEADLINE
    assert len(trace.results) == len(ONE_VM.ops) + 1
    assert host.run(ONE_VM).ending is Ending.COMPLETED, "the host is as good as before"


def test_a_stopped_qemu_is_a_silent_host(host: QemuHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.qemu.GRACE_SECONDS", 0.5)
    os.kill(host.pid, signal.SIGSTOP)
    with pytest.raises(HostLost, match="TimeoutError"):
        host.run(ONE_VM, deadline_ms=500)
    os.kill(host.pid, signal.SIGCONT)


def test_a_command_that_fails_says_so(host: QemuHost) -> None:
    done = host.command(["/init", "--no-such-option"], timeout=10)
    assert done.status != 0
    assert host.command(["/no/such/command"], timeout=10).status != 0
    assert host.run(ONE_VM).ending is Ending.COMPLETED


def test_a_silent_host_says_where_it_is(host: QemuHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.qemu.GRACE_SECONDS", -4.5)
    with pytest.raises(HostLost, match="QEMU is running, CPUs at PC=") as lost:
        host.run(waits(20), deadline_ms=5000)
    assert lost.value.started


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_pytest_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    argv = [
        sys.executable, "-m", "pytest", "--target=qemu", "--kernel=stock", "-q", "-p",
        "no:cacheprovider", f"--results={tmp_path}", "-k=sw-ppi or timers",
    ]  # fmt: skip
    session = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children = _wait_for(lambda: _qemus_of(session.pid), 60)
        time.sleep(0.5)
    finally:
        session.send_signal(number)
        session.wait(20)
    assert children
    assert _wait_for(lambda: not any(map(_alive, children)), 5)


def _qemus_of(pid: int) -> list[int]:
    """The QEMUs that are children of a process and run a kernel."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"-initrd" in Path(f"/proc/{c}/cmdline").read_bytes()]


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def _wait_for(condition, seconds: float):  # type: ignore[no-untyped-def]
    """What ``condition()`` returns once it is true, or at last."""
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return result
