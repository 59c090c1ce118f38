# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers on this machine that a board stands behind: OpenSSH's sshd, an RFC 2217 port.

sshd is this machine's own release, unpacked and not installed; it runs as an ordinary user.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial
import serial.rfc2217
from board_rack import free_ports, keygen

PACKAGES = ("openssh-server", "openssh-client", "libwrap0", "libnss-wrapper")
NOBODY = 65534
CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
"""


class Gateway:
    """An SSH server on loopback that lets ``keys/user`` in as ``builder``."""

    def __init__(self, user_key: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gicv5-gateway-"))
        self.folder.chmod(0o755)
        (self.port,) = free_ports(1)
        self.host_key = keygen(self.folder, "host")
        shutil.copy(user_key.with_suffix(".pub"), self.folder / "user.pub")
        root = _unpacked(self.folder)
        # As root sshd wants a user and a folder of its own on this machine: so nobody runs it.
        user = NOBODY if os.getuid() == 0 else os.getuid()
        for path in self.folder.iterdir():
            os.chown(path, user, -1)
        text = CONFIG.format(port=self.port, folder=self.folder)
        for option, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
            if (helper := root / "usr/lib/openssh" / name).exists():
                text += f"{option} {helper}\n"
        (self.folder / "config").write_text(text)
        (self.folder / "passwd").write_text(f"builder:x:{user}:{user}::{self.folder}:/bin/sh\n")
        (self.folder / "group").write_text(f"builder:x:{user}:\n")
        libraries = next((root / "usr/lib").glob("*-linux-gnu"))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [root / "usr/sbin/sshd", "-D", "-e", "-f", self.folder / "config"],
                user=user if os.getuid() == 0 else None, stdin=subprocess.DEVNULL, stderr=log,
                extra_groups=[] if os.getuid() == 0 else None, cwd="/",
                env={"LD_LIBRARY_PATH": str(libraries), "LD_PRELOAD": "libnss_wrapper.so",
                     "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
                     "NSS_WRAPPER_GROUP": str(self.folder / "group")},
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self._process.poll() is None, self.log()
            time.sleep(0.1)
        raise AssertionError(self.log())

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self.folder)


def _unpacked(folder: Path) -> Path:
    """The packages' files.  Skips the test where apt has none."""
    debs, root = folder / "debs", folder / "root"
    debs.mkdir()
    argv = ["apt-get", "download", "-q", *PACKAGES]
    try:
        done = subprocess.run(argv, cwd=debs, capture_output=True, text=True, timeout=120,
                              check=False)  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no apt on this machine to take an OpenSSH server from")
    if done.returncode:
        pytest.skip(f"this machine's apt has no OpenSSH server: {done.stderr.strip()[-200:]}")
    for deb in debs.iterdir():
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True)
    return root


class TerminalServer:
    """An RFC 2217 port on loopback, as of a lab's terminal server, onto a board's console.

    ``baud``: what the last client asked for.
    """

    def __init__(self, console: int) -> None:
        self._console, self.baud = console, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, socket.create_connection(("127.0.0.1", self._console)) as line:
                    self._talk(client, line)

    def _talk(self, client: socket.socket, line: socket.socket) -> None:
        settings = serial.serial_for_url("loop://")  # of the line, which here has none
        port = serial.rfc2217.PortManager(settings, _Connection(client.sendall))
        while True:
            for end in select.select([client, line], [], [])[0]:
                data = end.recv(4096)
                if not data:
                    return
                if end is client:
                    line.sendall(b"".join(port.filter(data)))
                    self.baud = settings.baudrate
                else:
                    client.sendall(b"".join(port.escape(data)))


@dataclass
class _Connection:
    """What PortManager answers through."""

    write: Callable[[bytes], None]
