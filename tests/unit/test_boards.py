# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards without a board: the lab's file, who has the plug, what a shell's answers mean."""

from __future__ import annotations

import hashlib
import socket
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from errno import ENODEV, ENXIO
from pathlib import Path

import pytest

from harness.boards import LockEntry, PowerEntry, find_board, load_boards
from harness.doctor import LACKS, NOTE, OK, answers_of, examine, script
from harness.errors import BootError, ConfigError
from harness.targets import onboard, pstore
from harness.targets.base import CommandOutput
from harness.targets.console_line import SerialConsole
from harness.targets.kinds import arguments, opened
from harness.targets.link import Link, Refused
from harness.targets.onboard import Facts
from harness.targets.power import BoardLock, Power
from harness.targets.spec import TargetSpec
from harness.wire import Hello

HELLO = Hello(0, 4, 0, 0, ENXIO, 1, 512, ENXIO, "7.3.4", "#1 SMP")
BOOT = "[0.1] CPU: All CPU(s) started at EL2\n[0.2] kvm [1]: VHE mode initialized successfully\n"
FILE = """\
boards:
  n1:
    ssh: {host: n1}
    power: {cycle: "true"}
"""


def test_a_command_line_leads_to_the_same_board_again() -> None:
    board = TargetSpec("board:n1", "masked", cpus=2, boards=Path("lab.yaml"))
    again = ["--target", "board:n1", "--boards", "lab.yaml", "--kernel", "masked"]
    assert arguments(board) == [*again, "--host-cpus", "2"]
    assert arguments(TargetSpec()) == []
    with (
        pytest.raises(ConfigError, match="--target=sh:n1: no such target"),
        opened(TargetSpec("sh:n1"), print),
    ):
        pass


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{host: n1}", "{hots: n1}", r"3: boards.n1.ssh.hots: unknown key; did you mean 'host'\?"),
        ("power:", "poewr:", r"4: boards.n1.poewr: unknown key; did you mean 'power'\?"),
        ("    ssh: {host: n1}\n", "", r"2: boards.n1: give exactly one of ssh, serial"),
        ('{cycle: "true"}', '{on: "true"}', r"4: boards.n1.power: give cycle, or on and off"),
        ('{cycle: "true"}', "{cycle: true}", r"4: boards.n1.power.cycle: must be text"),
        ('    power: {cycle: "true"}', "    load: {kernel: x}", r"boards.n1: load needs power"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "boards.yaml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        load_boards(file)


def test_a_board_is_found_by_name_also_in_an_images_file(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    switch = FILE.replace('{cycle: "true"}', "{on: plug on, off: plug off}")
    file.write_text("kernels: {not: looked at}\n" + switch)
    power = find_board("n1", file).power
    assert power is not None
    assert (power.on, power.off) == ("plug on", "plug off"), "not YAML's truth values"
    with pytest.raises(ConfigError, match=r"no board 'n11' in .*; did you mean 'n1'\?"):
        find_board("n11", file)


def test_the_documentations_example_is_a_boards_file(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/boards.md").read_text()
    example = text[text.index("    boards:\n") :].partition("\n\n")[0]
    file = tmp_path / "boards.yaml"
    file.write_text(textwrap.dedent(example))
    boards = load_boards(file)
    assert list(boards) == ["n1", "n2"]
    assert boards["n2"].serial
    assert any("wfi_trap_policy=trap" in step.send for step in boards["n2"].serial.boot)


def test_a_power_command_that_fails_is_a_boot_that_failed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    entry = PowerEntry(on=f"echo on >>{said}", off=f"echo off >>{said}", pause=0)
    power = Power("n1", entry, 5)
    power.off()
    power.on()
    assert said.read_text() == "off\non\n"
    with pytest.raises(BootError, match="status 3: echo no plug; exit 3: no plug"):
        Power("n1", PowerEntry(cycle="echo no plug; exit 3"), 5).on()
    with pytest.raises(BootError, match="did not end in 0 s"):
        Power("n1", PowerEntry(cycle="sleep 5"), 0.1).on()


def test_what_a_board_still_says_is_waited_for() -> None:
    """Else its last prompt would be taken for the first of the next boot, and answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        console = SerialConsole(f"socket://127.0.0.1:{server.getsockname()[1]}", 115200)
        board, _ = server.accept()
        threading.Timer(0.2, board.sendall, [b"login: "]).start()
        assert console.quiet(0.6, 5) == len("login: ")
        begin = time.monotonic()
        noise = [threading.Timer(tenth / 10, board.sendall, [b"x"]) for tenth in range(1, 8)]
        for each in noise:
            each.start()
        console.quiet(1.5, 0.3)
        assert time.monotonic() - begin < 1.5, "a board that never falls silent is not waited for"
        for each in noise:
            each.join()
        console.close()
        board.close()


def test_a_labgrid_place_is_acquired_and_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, said = tmp_path / "labgrid-client", tmp_path / "said"
    client.write_text(f'#!/bin/sh\necho "$@" >>{said}; test "$2" = free || exit 1\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    lock = BoardLock("n1", LockEntry(file=str(tmp_path / "lock"), labgrid="free"))
    lock.acquire()
    lock.release()
    assert said.read_text() == "-p free acquire\n-p free release\n"
    taken = BoardLock("n1", LockEntry(file=str(tmp_path / "lock"), labgrid="taken"))
    with pytest.raises(Refused, match="-p taken acquire"):
        taken.acquire()
    lock.acquire()  # the file is not held by who did not get the place
    lock.release()


class Shell:
    """A link to a shell with one answer."""

    name = "n1"

    def __init__(self, answer: Callable[[str], CommandOutput]) -> None:
        self.execute = lambda command, _timeout, _data=b"": answer(command)


def link(answer: Callable[[str], CommandOutput]) -> Link:
    return Shell(answer)  # type: ignore[return-value]


def test_every_folder_that_does_not_do_is_named() -> None:
    board = Facts("aarch64", home="/root")
    with pytest.raises(Refused, match=r"/tmp: Permission denied; /var/tmp: .*; /root: ") as refused:
        onboard.install(
            link(lambda _c: CommandOutput(126, "Permission denied\n")), board, b"", "",
            folder=None, timeout=1,
        )  # fmt: skip
    assert "noexec" in refused.value.remedy


def test_what_pstore_kept_is_one_log_of_what_was_not_read_before() -> None:
    panic = "Panic#1 Part1\n<0>[    3.500000] Kernel panic - not syncing: x\n"
    console = (
        "[    2.000000] read before\n[    3.000000] two lines:\n[    3.000000] a second\n"
        "no stamp\n[    3.500000] Kernel panic - not syncing: x\n"
    )
    log = "[    3.000000] two lines:\n[    3.000000] a second\n[    3.500000] Kernel panic"
    for records in ([panic, console], [console, panic]):
        assert pstore.merged(records, "[ 1.0] a\n[    2.000000] read before\n").startswith(log)
    assert pstore.merged([panic, console]).count("not syncing") == 1
    assert pstore.merged([panic, console]).startswith("[    2.000000]")


def test_only_new_records_are_taken_and_removed() -> None:
    files = {"dmesg-ramoops-0": "[ 1.0] of yesterday", "console-ramoops-0": "[ 2.0] of today"}

    def shell(command: str) -> CommandOutput:
        if "md5sum" in command:
            sums = {name: hashlib.md5(text.encode()).hexdigest() for name, text in files.items()}
            return CommandOutput(0, "".join(f"{sums[name]}  {name}\n" for name in files))
        name = next(name for name in files if f"rm -f -- {name}" in command)
        return CommandOutput(0, files.pop(name))

    board = link(shell)
    old = frozenset(each for each in pstore.records(board, "", 1) if "dmesg" in each)
    assert pstore.take(board, "", 1, old, "") == "[ 2.0] of today\n"
    assert list(files) == ["dmesg-ramoops-0"]


def test_the_doctor_says_what_is_lacking_and_what_to_do() -> None:
    answers = {"arch": "aarch64", "gic": "arm,gic-v3", "time": "1000", "free": "99999"}
    bad = replace(HELLO, vgic_v5_errno=ENODEV)
    found = {f.what: f for f in examine(bad, BOOT, answers, 1e9)}
    assert found["GICv5"].state == found["VGICv5 can be created"].state == LACKS
    assert (found["GICv5"].evidence, found["VGICv5 can be created"].evidence) == (
        "arm,gic-v3", "ENODEV",
    )  # fmt: skip
    assert "CONFIG_ARM_GIC_V5" in found["VGICv5 can be created"].remedy
    assert found["clock"].state == found["WFI traps"].state == found["kernel log"].state == NOTE
    assert found["pstore"].state == NOTE
    good = {f.what: f for f in examine(HELLO, BOOT, {"gic": "arm,gic-v5", "pstore": "ramoops"}, 0)}
    assert LACKS not in {f.state for f in good.values()}
    assert good["pstore"].state == OK
    assert (good["EL2"].state, good["KVM mode"].evidence) == (OK, "VHE")
    assert good["register accessors (CPU_SYSREGS)"].evidence == "ENXIO"


def test_the_doctors_script_asks_all_at_once() -> None:
    assert script().count("echo '==") > 8
    assert answers_of("==arch\naarch64\n==gic\n==time\n5\n") == {
        "arch": "aarch64", "gic": "", "time": "5",
    }  # fmt: skip
