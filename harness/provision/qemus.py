# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding or unpacking a QEMU that is new enough and loads plugins."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, ProvisionError
from harness.provision.apt import Query
from harness.provision.cache import Facts, Object, file_sha256
from harness.provision.images import QemuEntry
from harness.provision.packages import Context, find, packaged, unpack
from harness.provision.results import Qemu

KIND = "qemu"


class Unfit(Exception):
    """Why a QEMU on this machine cannot be used."""


def qemu(context: Context, name: str | None) -> Qemu:
    """The QEMU called ``name``, an executable by path, or the first default that will do."""
    section = context.images.qemu
    if name is not None:
        is_path = name not in section.named and ("/" in name or Path(name).exists())
        entry = QemuEntry(path=name) if is_path else context.images.qemu_entry(name)
        try:
            return _provide(context, entry)
        except Unfit as error:
            remedy = f"give one that is {section.min_version} or newer, with plugin support"
            raise ConfigError(f"QEMU {name!r}: {error}", remedy) from None
    reasons = []
    for candidate in section.default:
        try:
            return _provide(context, section.named[candidate])
        except Unfit as error:
            reasons.append(f"{candidate}: {error}")
    raise ProvisionError(
        f"no QEMU will do: {'; '.join(reasons)}",
        "add a package entry to qemu.default in images.yaml",
    )


def query(context: Context, entry: QemuEntry) -> Query:
    """The package that an entry asks for, with all that it needs to run."""
    assert entry.package is not None
    return Query(
        entry.package, context.apt.host_architecture, entry.version, entry.suite or "", closure=True
    )


def cached(context: Context, entry: QemuEntry) -> Object | None:
    """The unpacked package, if it is there."""
    found = find(context, KIND, query(context, entry), entry.program)
    return found.object if found else None


def check(context: Context, argv: Sequence[str]) -> str:
    """The version of a QEMU, or Unfit."""
    if shutil.which(argv[0]) is None:
        raise Unfit(f"no executable {argv[0]}")
    first = context.run([*argv, "--version"])
    match = re.search(r"emulator version (\d+(?:\.\d+)*)", first.output)
    if first.returncode != 0 or not match:
        raise Unfit(f"{argv[0]} --version says: {first.tail() or 'nothing'}")
    version, least = match[1], context.images.qemu.min_version
    if _numbers(version) < _numbers(least):
        raise Unfit(f"version {version} is older than {least}")
    if "-plugin " not in context.run([*argv, "-help"]).output:
        raise Unfit(f"version {version} was built without plugin support")
    return version


def _provide(context: Context, entry: QemuEntry) -> Qemu:
    if entry.path is not None:
        found = shutil.which(str(Path(entry.path).expanduser()))
        if found is None:
            raise Unfit(f"no executable {entry.path}")
        version = check(context, [found])
        real = Path(found).resolve()
        return Qemu((found,), version, file_sha256(real), found)

    def build(debs: Sequence[Path], folder: Path) -> Facts:
        context.progress(f"unpacking {len(debs)} packages")
        unpack(context, debs, folder)
        program = _program(folder, entry.program)
        try:
            version = check(context, _argv(folder, program))
        except Unfit as error:
            raise ProvisionError(
                f"the packaged QEMU: {error}", "adapt qemu in images.yaml"
            ) from None
        return {
            "version": version,
            "program": str(program.relative_to(folder)),
            "sha256": file_sha256(program),
        }

    made = packaged(context, KIND, query(context, entry), build, entry.program)
    folder, facts = made.object.path, made.object.facts
    argv = _argv(folder, folder / facts["program"])
    return Qemu(argv, facts["version"], facts["sha256"], str(made.packages[0]))


def _program(folder: Path, name: str) -> Path:
    program = folder / "usr/bin" / name
    if not program.exists():
        raise ProvisionError(f"no {name} in the package", "see package and program in images.yaml")
    return program


def _argv(folder: Path, program: Path) -> tuple[str, ...]:
    """Run it with the C library and all else that it was built with, whatever is installed."""
    loaders = sorted(folder.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"))
    if not loaders:
        raise ProvisionError("the packages carry no dynamic loader", "see package in images.yaml")
    places = [folder / part / loaders[0].parent.name for part in ("usr/lib", "lib")]
    path = ":".join(str(p) for p in places if p.is_dir())
    return (
        str(loaders[0]),
        "--library-path",
        path,
        str(program),
        "-L",
        str(folder / "usr/share/qemu"),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
