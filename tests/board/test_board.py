# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards, reached as boards are: the same verdicts as on QEMU, and every fault told by its name."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from board_lab import Cable, Lab, opened, session, waits
from board_rack import keygen

from harness.bench import ONE_VM
from harness.report.verdict import Verdict
from harness.targets.board_target import BoardTarget
from harness.targets.link import Refused
from harness.trace import Ending

ROOT = Path(__file__).parents[2]


def later(seconds: float, action) -> threading.Thread:  # type: ignore[no-untyped-def]
    thread = threading.Timer(seconds, action)
    thread.start()
    return thread


def test_the_doctor_knows_the_board(lab: Lab) -> None:
    argv = [sys.executable, "-m", "harness.cli", "doctor", *lab.by("ssh")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("KVM mode                          VHE", "arm,gic-v5", "ENXIO", "as lab (sudo)"):
        assert what in done.stdout


# --- who may come in ---


def test_a_changed_host_key_is_refused(lab: Lab) -> None:
    other = keygen(lab.folder, "another-host")
    with pytest.raises(Refused, match="host key CHANGED") as refused:
        lab.target(ssh=lab.ssh(key=other))
    assert "ssh-keygen -f" in refused.value.remedy


def test_an_unknown_host_is_refused(lab: Lab) -> None:
    section = lab.ssh()
    Path(section["known_hosts"]).write_text("")
    with pytest.raises(Refused, match="not in known_hosts"):
        lab.target(ssh=section)


def test_a_wrong_password_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOARD_PASSWORD", "blue-board")
    section = {**lab.ssh(), "key": "/dev/null", "password_env": "BOARD_PASSWORD"}
    with pytest.raises(Refused, match="login as lab refused"):
        lab.target(ssh=section)
    with pytest.raises(Refused, match="refused the login"):
        lab.target(power=False, serial=lab.serial(password="blue-board"))


def test_who_may_not_use_kvm_is_told_how(lab: Lab) -> None:
    with pytest.raises(Refused, match="guest on board may not use /dev/kvm") as refused:
        lab.target(ssh={**lab.ssh(), "user": "guest"})
    assert "usermod -aG kvm guest" in refused.value.remedy


def test_a_full_disk_is_named(lab: Lab) -> None:
    with opened(lab.target(ssh=lab.ssh(), folder="/home/lab")) as host:
        host.command(["dd", "if=/dev/zero", "of=/tmp/full", "bs=64k"], 60)
    with pytest.raises(Refused, match="no folder for the agent") as refused:
        lab.target(ssh=lab.ssh(), folder="/tmp")
    assert "No space left" in refused.value.what
    with opened(lab.target(ssh=lab.ssh(), folder="/home/lab")) as host:
        host.command(["rm", "/tmp/full"], 60)


def test_one_process_at_a_time(lab: Lab) -> None:
    with (
        opened(lab.target(ssh=lab.ssh())),
        pytest.raises(Refused, match=r"in use: by .* \(pid \d+\)"),
    ):
        lab.target(ssh=lab.ssh())


# --- links ---


def test_nothing_is_left_on_the_board(lab: Lab) -> None:
    with opened(lab.target(ssh=lab.ssh())) as host:
        host.run(ONE_VM)
        login = host._login
        name = Path(login.folder).name
    with opened(lab.target(ssh=lab.ssh(), folder="/home/lab")) as host:
        said = host.command(["sh", "-c", "ls /tmp; pidof agent | wc -w"], 60).text.split()
    assert name not in said
    assert said[-1] == "1", "the one that was asked"


def test_a_cut_ssh_connection_is_resumed(lab: Lab) -> None:
    cable = Cable(lab.rack.ports.ssh)
    with session(lab.target(ssh=lab.ssh(cable.port))) as running:
        assert running.run(ONE_VM).verdict is Verdict.PASS
        cutting = later(2, cable.cut)
        outcome = running.run(waits(6))
        cutting.join()
        assert outcome.verdict is Verdict.PASS, outcome.message
        assert any("resumed" in said for said in running.warnings())
        assert running.boots == 1, "the board was not booted for that"
    cable.close()


def _spoil(data: bytes, rng: random.Random) -> bytes:
    kept = (b for b in data if rng.random() > 0.0005)
    return bytes(b ^ 1 << rng.randrange(8) if rng.random() < 0.0005 else b for b in kept)


def test_a_bad_serial_line_with_10000_kernel_messages_loses_nothing(lab: Lab) -> None:
    with opened(lab.target(serial=lab.serial())) as host:
        noise = "echo 8 >/proc/sys/kernel/printk; i=0; while [ $i -lt 10000 ]; do "
        noise += "echo noise $i >/dev/kmsg; i=$((i+1)); done"
        host.command(["sh", "-c", f"({noise}) >/dev/null 2>&1 & echo started"], 60)
        good = host.run(ONE_VM)
        deadline = time.monotonic() + 200
        runs = 0
        while f"noise {9999}" not in host._console.text()[-4000:] and time.monotonic() < deadline:
            assert replace(host.run(ONE_VM), log="") == replace(good, log="")
            runs += 1
        assert runs > 3
        assert host._console.text().count("noise ") > 9000


def test_a_serial_line_that_loses_and_changes_bytes_loses_nothing(lab: Lab) -> None:
    clean = Cable(lab.rack.ports.console)
    with opened(lab.target(serial=lab.serial(clean.port))) as host:
        good = host.run(ONE_VM)
        clean._spoil = _spoil  # from now on
        line = host._agent.channel._stream
        runs = 0
        while runs < 20 or not line.resent:  # type: ignore[attr-defined]
            assert host.run(ONE_VM) == good
            runs += 1
            assert runs < 500, "no packet was lost: the cable is too good"
        clean._spoil = lambda data, _rng: data
    clean.close()


def test_a_clock_that_jumps_changes_nothing(lab: Lab) -> None:
    with opened(lab.target(ssh=lab.ssh())) as host:
        for when in ("2001-01-01", "2037-01-01"):
            host.command(["sh", "-c", f"(sleep 1; date -s {when}) >/dev/null 2>&1 &"], 60)
            assert host.run(waits(3)).ending is Ending.COMPLETED


# --- boards that die ---


def test_a_panic_is_a_crash_and_the_suite_goes_on(lab: Lab) -> None:
    console = {"url": f"socket://127.0.0.1:{lab.rack.ports.console}"}
    with session(lab.target(ssh=lab.ssh(), console=console)) as running:
        host = running.host()
        host.command(["sh", "-c", "(sleep 2; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"], 60)
        outcome = running.run(waits(30))
        assert outcome.verdict is Verdict.CRASH, outcome.message
        assert "sysrq triggered crash" in outcome.message
        starts = lab.rack.starts
        assert running.run(ONE_VM).verdict is Verdict.PASS, "on a board that was power-cycled"
        assert lab.rack.starts == starts + 1


def test_a_board_that_hangs_is_an_error_and_is_power_cycled(lab: Lab) -> None:
    short = {"boot": 240.0, "command": 30.0, "silence": 3.0}
    with session(lab.target(serial=lab.serial(), deadlines=short)) as running:
        running.host()
        os.kill(lab.rack.pid, signal.SIGSTOP)
        running.deadline_ms = 2000
        outcome = running.run(ONE_VM)
        assert outcome.verdict is Verdict.ERROR, outcome.message
        assert "out of reach" in outcome.message
        running.deadline_ms = 10_000
        assert running.run(ONE_VM).verdict is Verdict.PASS


def test_after_three_strikes_a_board_is_given_up(lab: Lab) -> None:
    target = lab.target(ssh=lab.ssh(), deadlines={"boot": 2.0, "command": 20.0, "silence": 2.0})
    with session(target) as running:
        running.host()
        lab.rack.power("off")
        target._power._entry = replace_cycle(target, "true")  # type: ignore[union-attr]
        assert running.run(ONE_VM).verdict is Verdict.ERROR
        outcome = running.run(ONE_VM)
        assert "given up: 3 boots failed" in outcome.message
        start = time.monotonic()
        assert running.run(ONE_VM).verdict is Verdict.ERROR
        assert time.monotonic() - start < 1, "nobody tries a fourth time"
    lab.rack.power("on")


def replace_cycle(target: BoardTarget, command: str):  # type: ignore[no-untyped-def]
    """A power switch that says it worked and does not."""
    assert target.entry.power is not None
    return target.entry.power.model_copy(update={"cycle": command})
