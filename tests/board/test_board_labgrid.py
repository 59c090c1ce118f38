# SPDX-License-Identifier: GPL-2.0-or-later
"""A board whose place a real labgrid coordinator gives out.  Runs where labgrid is on the PATH."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from board_rack import free_ports

from harness.boards import LockEntry
from harness.targets.link import Refused
from harness.targets.power import BoardLock

pytestmark = pytest.mark.skipif(
    not shutil.which("labgrid-coordinator"),
    reason="no labgrid-coordinator: pipx install labgrid (it brings a pyserial of its own)",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (port,) = free_ports(1)
    argv = ["labgrid-coordinator", "-l", f"127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        coordinator = subprocess.Popen(argv, cwd=tmp_path, stdout=log, stderr=log)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    monkeypatch.setenv("LG_COORDINATOR", f"127.0.0.1:{port}")
    subprocess.run(["labgrid-client", "-p", "n1", "create"], check=True)
    yield "n1"
    coordinator.terminate()
    coordinator.wait(10)


def test_a_place_that_somebody_else_has_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = BoardLock("n1", LockEntry(file=str(tmp_path / "ours"), labgrid=place))
    theirs = BoardLock("n1", LockEntry(file=str(tmp_path / "theirs"), labgrid=place))
    monkeypatch.setenv("LG_USERNAME", "somebody")
    theirs.acquire()
    monkeypatch.setenv("LG_USERNAME", "us")
    with pytest.raises(Refused, match=r"already acquired by .*/somebody"):
        ours.acquire()
    monkeypatch.setenv("LG_USERNAME", "somebody")
    theirs.release()
    monkeypatch.setenv("LG_USERNAME", "us")
    ours.acquire()
    ours.release()
