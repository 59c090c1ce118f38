# SPDX-License-Identifier: GPL-2.0-or-later
"""The file system of a board: Debian's arm64 sshd and a shell, in an initramfs of our own making.

Nothing is installed and nobody need be root: packages are unpacked, and of them only the programs
below and the libraries they are linked with are taken.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.provision import cpio, kernels
from harness.provision.apt import Apt, Query
from harness.provision.cache import Cache, Facts, file_sha256
from harness.provision.images import Images, KernelEntry
from harness.provision.kmod import extract_modules
from harness.provision.packages import Context, packaged, packaged_file, unpack
from harness.provision.paths import default_cache
from harness.provision.process import must, run
from harness.provision.results import Kernel
from harness.provision.system import cross_needs, cross_prefix, ensure

PACKAGES = (
    "busybox-static", "libapparmor1", "libaudit1", "libc6", "libcap-ng0", "libcom-err2",
    "libcrypt1",
    "libgcc-s1", "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1", "libkrb5-3",
    "libkrb5support0", "libnsl2", "libpam-modules",
    "libpam0g", "libpcre2-8-0", "libselinux1", "libssl3t64",
    "libsqlite3-0", "libtirpc3t64", "libwrap0", "libwtmpdb0", "libzstd1", "openssh-server",
    "openssh-sftp-server", "sudo", "zlib1g",
)  # fmt: skip
PROGRAMS = (
    "usr/bin/busybox", "usr/bin/sudo", "usr/libexec/sudo/sudoers.so", "usr/sbin/sshd",
    "usr/lib/aarch64-linux-gnu/security/pam_permit.so",
    "usr/lib/openssh/sftp-server", "usr/lib/openssh/sshd-auth", "usr/lib/openssh/sshd-session",
)  # fmt: skip
MODULES = ("virtio_net", "ramoops")
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]|\(SONAME\).*\[(.+)\]|interpreter: (.+)\]")
_SETUID = ("usr/bin/sudo",)


def context(images: Images) -> Context:
    """What the provisioner itself works with."""
    cache = Cache(default_cache(), _silent)
    return Context(images, cache, Apt(images.apt, cache, run, _silent), run, _silent)


def _silent(_message: str) -> None:
    """No progress."""


def userland(context: Context) -> dict[str, Path]:
    """Files by their place on the board, without the leading slash."""
    roots = [_package(context, name) for name in PACKAGES]
    there = {str(p.relative_to(r)): p for r in roots for p in r.rglob("*") if p.is_file()}
    by_name = {Path(place).name: place for place in there}
    ensure(cross_needs(), context.run, context.progress)
    wanted, files = list(PROGRAMS), dict[str, Path]()
    while wanted:
        place = wanted.pop()
        if place in files:
            continue
        files[place] = there[place]
        for name in _linked(context, there[place]):
            if name not in by_name:
                raise LookupError(f"{place} needs {name}, which none of PACKAGES has")
            wanted.append(by_name[name])
    return files


def _package(context: Context, name: str) -> Path:
    def build(debs: Sequence[Path], folder: Path) -> Facts:
        unpack(context, debs, folder / "root")
        return {}

    # The release's own, not the backport's: the libraries are the release's, too.
    release = "1:10.0*" if name.startswith("openssh") else "*"
    asked = Query(name, "arm64", release, context.images.apt.suites[0])
    return packaged(context, "unpacked", asked, build).object.path / "root"


def _linked(context: Context, program: Path) -> list[str]:
    """The file names of the libraries and the interpreter that an ELF file asks for."""
    result = context.run([f"{cross_prefix()}readelf", "-dlW", str(program)])
    text = must(result, f"cannot read {program}", "install binutils").output
    found = [match for match in _NEEDED.finditer(text) if not match[2]]
    return [Path(match[1] or match[3]).name for match in found]


def modules(context: Context, kernel: Kernel, entry: KernelEntry) -> Mapping[str, Path]:
    """The kernel's modules for the board, in load order; none if they are built in."""
    if not kernel.modules:
        return {}
    wanted = [*entry.modules, *MODULES]
    asked = kernels.query(context, entry)
    assert asked is not None

    def build(debs: Sequence[Path], folder: Path) -> Facts:
        unpack(context, debs, folder / "root")
        names = extract_modules([folder / "root"], wanted, folder / "modules", context.run)
        run(["rm", "-r", str(folder / "root")])
        return {"modules": names}

    made = packaged(context, "modules", asked, build, wanted).object
    return {f"modules/{name}": made.path / "modules" / name for name in made.facts["modules"]}


def u_boot(context: Context) -> Path:
    """Debian's build of U-Boot for QEMU's virt board."""
    asked = Query("u-boot-qemu", "all", suite=context.images.apt.suites[0])
    return packaged_file(context, asked, "usr/lib/u-boot/qemu_arm64/u-boot.bin").path


def initramfs(files: Mapping[str, Path], texts: Mapping[str, tuple[int, str]], to: Path) -> Path:
    """``texts`` maps places to (mode, content)."""
    to.write_bytes(cpio.archive(_entries(files, texts)))
    return to


def _entries(
    files: Mapping[str, Path], texts: Mapping[str, tuple[int, str]]
) -> Iterator[cpio.Entry]:
    yield cpio.character_device("dev/console", 5, 1)
    for name in ("bin", "sbin", "dev", "proc", "sys", "tmp", "run", "root", "var/empty", "home"):
        yield cpio.directory(name)
    for place, path in files.items():
        mode = 0o4755 if place in _SETUID else 0o755
        # Debian's /lib is a symbolic link to /usr/lib; here the interpreter is simply there, too.
        yield cpio.Entry(place, stat.S_IFREG | mode, path.read_bytes())
        if path.name.startswith("ld-linux"):
            yield cpio.regular(f"lib/{path.name}", path.read_bytes(), executable=True)
    for place, (mode, text) in texts.items():
        yield cpio.Entry(place, stat.S_IFREG | mode, text.encode())


def fingerprint(files: Mapping[str, Path]) -> dict[str, str]:
    """For a cache key."""
    return {place: file_sha256(path) for place, path in files.items()}
