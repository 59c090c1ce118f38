# SPDX-License-Identifier: GPL-2.0-or-later
"""What a job needs from this machine: looked for by tool or file, installed only when missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError
from harness.provision.process import Result, Runner


@dataclass(frozen=True)
class Need:
    """One package, wanted only if none of ``signs`` (programs, or absolute files) is there."""

    package: str
    signs: tuple[str, ...]


def on_arm64() -> bool:
    """Whether the build machine is itself arm64, so that nothing is cross-built."""
    return platform.machine() in ("aarch64", "arm64")


def cross_prefix() -> str:
    """CROSS_COMPILE for arm64 code."""
    return "" if on_arm64() else "aarch64-linux-gnu-"


DOWNLOAD = (
    Need(
        "debian-archive-keyring",
        (
            "/usr/share/keyrings/debian-archive-keyring.gpg",
            "/usr/share/keyrings/debian-archive-keyring.pgp",
        ),
    ),
)
COMPILE = (
    Need("gcc", ("gcc",)),
    Need("make", ("make",)),
    Need("libc6-dev", ("/usr/include/stdio.h", "/usr/include/x86_64-linux-gnu/stdio.h")),
)
_CROSS = (
    Need("gcc-aarch64-linux-gnu", ("aarch64-linux-gnu-gcc",)),
    Need("libc6-dev-arm64-cross", ("/usr/aarch64-linux-gnu/include/stdio.h",)),
    Need("make", ("make",)),
)
_KERNEL = (
    Need("flex", ("flex",)),
    Need("bison", ("bison",)),
    Need("bc", ("bc",)),
    Need("libssl-dev", ("/usr/include/openssl/ssl.h",)),
    Need("libelf-dev", ("/usr/include/libelf.h",)),
    Need("xz-utils", ("xz",)),
    Need("patch", ("patch",)),
)


def cross_needs() -> tuple[Need, ...]:
    """To compile for arm64."""
    return COMPILE if on_arm64() else _CROSS


def kernel_needs() -> tuple[Need, ...]:
    """To build a kernel from source."""
    return (*COMPILE, *cross_needs(), *_KERNEL)


def missing(needs: Iterable[Need]) -> list[str]:
    """The packages of ``needs`` that are not there."""

    def there(sign: str) -> bool:
        return Path(sign).exists() if sign.startswith("/") else shutil.which(sign) is not None

    return list(dict.fromkeys(n.package for n in needs if not any(there(sign) for sign in n.signs)))


def ensure(needs: Iterable[Need], run: Runner, progress: Callable[[str], None]) -> None:
    """Install what is missing, or raise with the one line that does it."""
    packages = missing(needs)
    if not packages:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    line = " ".join(install)
    what = f"this machine lacks: {', '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise ProvisionError(what, f"install what corresponds to: {' '.join(packages)}")
    privileged = _privileged(run)
    if privileged is None:
        raise ProvisionError(what, f"run: sudo {line}")
    progress(f"installing {', '.join(packages)}")
    result = privileged(install)
    if result.returncode != 0:
        # A fresh machine or container has no package index yet, or one that is too old.
        privileged(["apt-get", "update"])
        result = privileged(install)
    if result.returncode != 0 or missing(needs):
        raise ProvisionError(
            f"{what}; installing them failed:\n{result.tail()}", f"run: sudo {line}"
        )


def _privileged(run: Runner) -> Callable[[list[str]], Result] | None:
    """A function that runs a command as root, or None."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if os.geteuid() == 0:
        return lambda argv: run(argv, env=env)
    if shutil.which("sudo") is None:
        return None
    if run(["sudo", "-n", "true"]).returncode == 0:
        return lambda argv: run(["sudo", "-n", *argv], env=env)
    if sys.stdin.isatty() and sys.stderr.isatty():
        return _on_terminal
    return None


def _on_terminal(argv: list[str]) -> Result:
    """Asking for the password needs the user's own terminal, which a Runner does not pass on."""
    return Result(tuple(argv), subprocess.call(["sudo", *argv]), "")
