# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules out of an unpacked package: found, put in load order, decompressed."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from harness.errors import ProvisionError
from harness.provision.process import Runner, must

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_FILE = re.compile(r"^(?P<name>.+)\.ko(?P<packed>\.xz|\.gz|\.zst)?$")


def extract_modules(
    roots: Iterable[Path], names: Iterable[str], to: Path, run: Runner
) -> list[str]:
    """Write ``NN-name.ko`` for the names and all they depend on; built-in ones need no file."""
    files, builtin = _inventory(roots)
    order: list[tuple[str, bytes]] = []
    done: set[str] = set()

    def visit(name: str) -> None:
        if name in done or name in builtin:
            return
        done.add(name)
        if name not in files:
            raise ProvisionError(
                f"no module {name} in the kernel's packages",
                "see modules in images.yaml; leave out what is built in",
            )
        data = _unpacked(files[name], run)
        match = _DEPENDS.search(data)
        for needed in match[1].decode().split(",") if match else []:
            if needed:
                visit(needed.replace("-", "_"))
        order.append((name, data))

    for name in names:
        visit(name.replace("-", "_"))
    to.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, data) in enumerate(order):
        file = to / f"{number:02d}-{name}.ko"
        file.write_bytes(data)
        written.append(file.name)
    return written


def _inventory(roots: Iterable[Path]) -> tuple[dict[str, Path], set[str]]:
    files: dict[str, Path] = {}
    builtin: set[str] = set()
    for root in roots:
        for path in root.rglob("modules.builtin"):
            builtin |= {_name(Path(line).name) for line in path.read_text().split()}
        for path in root.rglob("*.ko*"):
            files[_name(path.name)] = path
    return files, builtin


def _name(file: str) -> str:
    match = _FILE.match(file)
    return (match["name"] if match else file).replace("-", "_")


def _unpacked(path: Path, run: Runner) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        plain = path.with_suffix("")
        must(
            run(["zstd", "-dqf", str(path), "-o", str(plain)]),
            f"cannot unpack {path.name}",
            "install zstd",
        )
        return plain.read_bytes()
    return path.read_bytes()
