# SPDX-License-Identifier: GPL-2.0-or-later
"""A board without a console whose kernel dies: its memory has the last words (ramoops)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from board_lab import Lab, opened, session, waits

from harness.bench import ONE_VM
from harness.report.verdict import Verdict
from harness.targets.base import Host

PANIC = "echo c >/proc/sysrq-trigger"
MOUNTED = "mount -t pstore pstore /sys/fs/pstore; ls /sys/fs/pstore; umount /sys/fs/pstore"


@pytest.fixture(scope="module")
def kept_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    built = Lab.build(tmp_path_factory.mktemp("kept-lab"), ramoops=True)
    built.rack.power("on")
    yield built
    built.close()


def soon(host: Host, command: str) -> None:
    """On the board, while the next program runs."""
    host.command(["sh", "-c", f"(sleep 1; {command}) >/dev/null 2>&1 &"], 60)


@pytest.mark.parametrize("seconds", [-1, 0], ids=["resets itself", "stands still"])
def test_a_panic_is_told_by_the_next_boot(kept_lab: Lab, seconds: int, whole: bool) -> None:
    if not seconds and not whole:
        pytest.skip("it is waited for in vain: --whole-suite")
    with opened(kept_lab.target(ssh=kept_lab.ssh())) as host:
        host.command(["sh", "-c", f"echo {seconds} >/sys/module/kernel/parameters/panic"], 60)
    short = {"boot": 120.0, "command": 20.0, "silence": 2.0}
    with session(kept_lab.target(ssh=kept_lab.ssh(), deadlines=short)) as running:
        running.deadline_ms = 4000
        soon(running.host(), PANIC)
        starts = kept_lab.rack.starts
        outcome = running.run(waits(3))
        assert outcome.verdict is Verdict.CRASH, outcome.message
        assert "sysrq triggered crash" in outcome.message
        assert "Booting Linux" not in outcome.console, "only what the program may have caused"
        assert running.run(ONE_VM).verdict is Verdict.PASS, "on the boot that told it"
        assert kept_lab.rack.starts <= starts + 1, "its power is not cycled twice"
        left = running.host().command(["sh", "-c", MOUNTED], 60).text
        assert "dmesg-ramoops" not in left, "it was removed from the board"


def test_an_older_record_is_nobodys(kept_lab: Lab) -> None:
    """Left by a crash that no program of this session caused."""
    with opened(kept_lab.target(ssh=kept_lab.ssh())) as host:
        soon(host, PANIC)
    time.sleep(3)
    with session(kept_lab.target(ssh=kept_lab.ssh())) as running:
        host = running.host()
        assert "dmesg-ramoops" in host.command(["sh", "-c", MOUNTED], 60).text
        soon(host, "reboot -f")
        outcome = running.run(waits(3))
        assert outcome.verdict is Verdict.ERROR, outcome.message
        assert "the kernel reported nothing" in outcome.message
