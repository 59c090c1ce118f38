# SPDX-License-Identifier: GPL-2.0-or-later
"""A board in a rack: an arm64 host that boots from power-on, with a network, a serial line, a plug.

It is a QEMU with the GICv5 platform, but whoever uses it has only what a board offers: SSH on a
port, its console on another, and ``python board_rack.py SOCKET on|off|cycle``.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from board_userland import context, fingerprint, initramfs, modules, u_boot, userland

from harness.provision.cache import digest
from harness.provision.images import load_images
from harness.provision.paths import default_images
from harness.provision.provisioner import Provisioner
from harness.targets.machine import ACCEL, VIRT, Machine

# From power-on to a login prompt.  The user "lab" may use sudo; "guest" may not.
INIT = """\
#!/usr/bin/busybox sh
/usr/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin
mount -t devtmpfs devtmpfs /dev; mount -t proc proc /proc; mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777,size=24m tmpfs /tmp; mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd; chmod 700 /root /var/empty; chmod 600 /etc/ssh/host_key
chown 1000:1000 /home/lab; chown 1001:1001 /home/guest
hostname board
# With its options of the command line, as modprobe does
[ -d /modules ] && for m in /modules/*.ko; do
    n=${m##*/}; n=${n#*-}; insmod $m $(tr ' ' '\\n' </proc/cmdline | sed -n "s/^${n%.ko}\\.//p")
done
if [ -e /sys/class/net/eth0 ]; then
    ip link set lo up; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
    ip route add default via 10.0.2.2
    /usr/sbin/sshd -f /etc/ssh/sshd_config
fi
while :; do setsid getty -n -l /etc/login.sh 115200 ttyAMA0 vt100; done
"""
# A login program that asks as login(1) does.
LOGIN = """\
#!/bin/sh
exec /bin/login
"""
SSHD = """\
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
PermitRootLogin yes
PasswordAuthentication yes
Subsystem sftp /usr/lib/openssh/sftp-server
UseDNS no
"""
SUDOERS = "root ALL=(ALL) ALL\nlab ALL=(ALL) NOPASSWD: ALL\n"
PAM = "".join(f"{kind} required pam_permit.so\n" for kind in ("auth", "account", "session"))
RAMOOPS = "reserve_mem=1M:4096:oops ramoops.mem_name=oops ramoops.record_size=32768"
PASSWORD = "green-board"
HASH = "$5$gicv5$"
QEMU_SECONDS = 5
# sshd is much code: with a small translation cache it takes seconds to greet.
BOARD_ACCEL = f"{ACCEL.partition(',tb-size')[0]},tb-size=64"


@dataclass(frozen=True)
class Ports:
    ssh: int
    console: int


class Rack:
    """Holds one board.  Its plug is a socket; whatever was on is off when the rack is closed."""

    def __init__(
        self, folder: Path, kernel: str, keys: Keys, firmware: bool = False, ramoops: bool = False
    ) -> None:
        """``firmware``: U-Boot is there at power-on, and loads the rest by TFTP from ``tftp``.

        ``ramoops``: the kernel keeps its last words in memory, which a power cycle leaves as it is.
        """
        self.folder = folder
        self.tftp = folder / "tftp"
        self.tftp.mkdir(exist_ok=True)
        self.ports = Ports(*free_ports(2))
        self.plug = folder / "plug"
        self.starts = 0
        self._argv = self._machine(kernel, keys, firmware, ramoops)
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.plug))
        self._listener.listen()
        # QEMU dies with the thread that started it, so this one does all of it.
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def power(self, what: str) -> None:
        """``on``, ``off``, ``cycle`` or ``close``."""
        press(self.plug, what)

    @property
    def pid(self) -> int:
        """Of the machine; 0 if it is off."""
        process = self._process
        return process.pid if process and process.poll() is None else 0

    def close(self) -> None:
        self.power("close")
        self._thread.join()
        self._listener.close()

    def _machine(self, kernel_name: str, keys: Keys, firmware: bool, ramoops: bool) -> list[str]:
        images = load_images(default_images())
        provisioner = Provisioner(images)
        parts = context(images)
        kernel = provisioner.kernel(kernel_name)
        files = {
            **userland(parts),
            **modules(parts, kernel, images.kernel(kernel_name)),
        }
        machine = Machine(
            provisioner.qemu().argv, provisioner.plugin().path, kernel.image,
            _initramfs(self.folder, files, keys), f"{kernel.cmdline} {RAMOOPS if ramoops else ''}",
        )  # fmt: skip
        self.append = machine.append()
        if firmware:
            shutil.copyfile(machine.initramfs, self.tftp / "initramfs")
            # With firmware and ACPI QEMU leaves out a device that its device tree has.
            start = ["-machine", "acpi=off", "-bios", str(u_boot(parts))]
        else:
            start = ["-kernel", str(machine.kernel), "-initrd", str(machine.initramfs),
                     "-append", self.append]  # fmt: skip
        (self.folder / "gicv5.dtb").write_bytes(machine.device_tree())
        # A boot loader's first words must find a reader, as on a line that is never closed.
        wait = "on" if firmware else "off"
        return [
            *machine.qemu, "-M", VIRT, "-dtb", str(self.folder / "gicv5.dtb"),
            "-plugin", f"{machine.plugin},trace={self.folder / 'trace.bin'}", *machine.board(),
            "-accel", BOARD_ACCEL, "-run-with", "exit-with-parent=on", *start,
            "-chardev", f"socket,id=serial,host=127.0.0.1,port={self.ports.console},server=on,"
            f"wait={wait},logfile={self.folder / 'console.log'},logappend=on",
            "-serial", "chardev:serial", "-global", "virtio-mmio.ioeventfd=off",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.ports.ssh}-:22,"
            f"tftp={self.tftp}",
            "-device", "virtio-net-device,netdev=net",
            *(self._kept_memory(machine.memory) if ramoops else ()),
        ]  # fmt: skip

    def _kept_memory(self, size: int) -> list[str]:
        file = f"memory-backend-file,id=ram,size={size}M,share=on,mem-path={self.folder / 'memory'}"
        return ["-object", file, "-machine", "memory-backend=ram"]

    def _serve(self) -> None:
        asked = ""
        while asked != "close":
            connection, _ = self._listener.accept()
            with connection:
                asked = connection.recv(64).decode()
                if asked in ("off", "cycle", "close"):
                    self._off()
                if asked in ("on", "cycle") and not self.pid:
                    self._on()
                connection.sendall(b"done\n")

    def _on(self) -> None:
        self.starts += 1
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _off(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(QEMU_SECONDS)


@dataclass(frozen=True)
class Keys:
    """The board's own key, and the public key of who may log in."""

    host: str
    user: str


def _initramfs(folder: Path, files: dict[str, Path], keys: Keys) -> Path:
    crypt = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "gicv5", PASSWORD],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    people = (("root", 0, "/root"), ("lab", 1000, "/home/lab"), ("guest", 1001, "/home/guest"))
    texts = {
        "init": (0o755, INIT),
        "etc/login.sh": (0o755, LOGIN),
        "etc/passwd": (
            0o644,
            "".join(f"{n}:x:{i}:{i}::{home}:/bin/sh\n" for n, i, home in people)
            + "sshd:x:100:65534::/run/sshd:/bin/false\n",
        ),
        "etc/group": (0o644, "".join(f"{n}:x:{i}:\n" for n, i, _ in people) + "nogroup:x:65534:\n"),
        "etc/shadow": (0o600, "".join(f"{n}:{crypt}:20000::::::\n" for n, _, _ in people)),
        "etc/hosts": (0o644, "127.0.0.1 localhost board\n"),
        "etc/sudoers": (0o440, SUDOERS),
        "etc/pam.d/sudo": (0o644, PAM),
        "etc/sudo.conf": (0o644, "Set plugin_dir /usr/libexec/sudo/\n"),
        "etc/ssh/sshd_config": (0o644, SSHD),
        "etc/ssh/host_key": (0o600, keys.host),
        "etc/ssh/authorized_keys": (0o644, keys.user),
        "home/lab/.keep": (0o644, ""),
        "home/guest/.keep": (0o644, ""),
    }
    name = digest([fingerprint(files), texts])
    return initramfs(files, texts, folder / f"{name}.cpio")


def press(plug: Path, what: str) -> None:
    """Turn a rack's board on or off; returns when it is."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(plug))
        connection.sendall(what.encode())
        with suppress(ConnectionError):
            connection.recv(64)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def keygen(folder: Path, name: str) -> Path:
    """A fresh key pair; the private key's file."""
    path = folder / name
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


if __name__ == "__main__":
    press(Path(sys.argv[1]), sys.argv[2])
