# SPDX-License-Identifier: GPL-2.0-or-later
"""A board with a real boot loader: from power-on through U-Boot's prompt to a judged program."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_lab import Lab

from harness.bench import ONE_VM
from harness.errors import BootError
from harness.targets.board_target import BoardTarget
from harness.trace import Ending

KERNEL = "masked"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    built = Lab.build(tmp_path, KERNEL, firmware=True)
    built.rack.power("on")
    said, until = b"", time.monotonic() + 60
    with connected(built.rack.ports.console, until) as console:
        while b"=> " not in said and time.monotonic() < until:
            said += console.recv(4096)
    yield built
    built.close()


def connected(port: int, until: float) -> socket.socket:
    """To the console of a machine that is just being switched on."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def booted(lab: Lab, image: str = "Image", **entry: object) -> BoardTarget:
    """By TFTP, the kernel that --kernel names, as docs/boards.md has it."""
    commands = [
        f"dhcp $kernel_addr_r {image}",
        "tftpboot $ramdisk_addr_r initramfs",
        f"setenv bootargs {lab.rack.append}",
        "booti $kernel_addr_r $ramdisk_addr_r:$filesize $fdt_addr",
    ]
    boot = [{"expect": "Hit any key", "send": " ", "enter": False}]
    boot += [{"expect": "=> ", "send": command} for command in commands]
    return lab.target(
        kernel=KERNEL, load={"kernel": str(lab.rack.tftp / "Image")},
        serial={**lab.serial(), "boot": boot}, **entry,
    )  # fmt: skip


def test_u_boot_loads_the_kernel_that_is_asked_for(lab: Lab) -> None:
    target = booted(lab)
    try:
        host = target.boot()
        assert host.run(ONE_VM).ending is Ending.COMPLETED
        assert not host.hello.sysregs_errno, "the kernel that was asked for has accessors"
        host.close()
        assert "TFTP from server" in host._console.text(), "U-Boot has loaded it"
        assert lab.rack.starts == 2, "the second time to load what was asked for"
    finally:
        target.release()


def test_a_boot_loader_that_finds_no_kernel_is_quoted(lab: Lab) -> None:
    short = {"boot": 20.0, "command": 30.0}
    with pytest.raises(BootError, match=r"did not come in .*the last that came") as error:
        booted(lab, image="no-such-file", deadlines=short)
    assert "File not found" in str(error.value) + error.value.console
