# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own C, built on this machine: the QEMU plugin, the guest side, the initramfs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError, ProvisionError
from harness.provision import cpio, kbuild
from harness.provision.cache import Facts, file_sha256
from harness.provision.packages import Context
from harness.provision.paths import project_root
from harness.provision.process import must
from harness.provision.results import Artifact, Kernel
from harness.provision.system import (
    COMPILE,
    Need,
    cross_needs,
    cross_prefix,
    ensure,
)
from harness.wire_header import c_header


def plugin(context: Context) -> Artifact:
    """The QEMU plugin, for this machine's own architecture."""
    return _made(context, _Part("qemu_plugin", "libgicv5.so", COMPILE))


def guest(context: Context) -> Artifact:
    """The static arm64 ``init``; what else the guest build makes is next to it."""
    header = {"wire.h": c_header()}
    return _made(context, _Part("guest", "init", cross_needs(), cross_prefix(), header))


def initramfs(
    context: Context, init: Artifact, kernel: Kernel, extra: Mapping[str, Path]
) -> Artifact:
    """/init, the kernel's modules in load order, and the caller's files."""
    for place in extra:
        if not place.startswith("/") or ".." in place.split("/"):
            raise ConfigError(
                f"not an absolute path in the initramfs: {place!r}", "write it like /bin/test"
            )
    files = {"init": init.path, **{f"modules/{m.name}": m for m in kernel.modules}}
    files |= {place.lstrip("/"): path for place, path in extra.items()}
    try:
        inputs = {place: file_sha256(path) for place, path in files.items()}
    except OSError as error:
        raise ConfigError(
            f"cannot read {error.filename}: {error.strerror}", "give a readable file"
        ) from error

    def build(folder: Path) -> Facts:
        entries = [cpio.character_device("dev/console", 5, 1)]
        entries += [cpio.directory(name) for name in ("proc", "sys", "tmp")]
        entries += [
            cpio.regular(place, path.read_bytes(), executable=not place.startswith("modules/"))
            for place, path in files.items()
        ]
        file = folder / "initramfs.cpio"
        file.write_bytes(cpio.archive(entries))
        return {"sha256": file_sha256(file)}

    made = context.cache.get("initramfs", inputs, build)
    return Artifact(made.path / "initramfs.cpio", made.facts["sha256"])


@dataclass(frozen=True)
class _Part:
    """One of the project's C folders: ``given`` are texts that its build finds in OUT."""

    folder: str
    product: str
    needs: tuple[Need, ...]
    prefix: str = ""
    given: Mapping[str, str] = field(default_factory=dict)


def _made(context: Context, part: _Part) -> Artifact:
    """``make -C folder OUT=...``"""
    root = project_root() / part.folder
    if not (root / "Makefile").exists():
        raise ProvisionError(
            f"no {root}/Makefile", "use a whole checkout, or reinstall the package"
        )
    ensure(part.needs, context.run, context.progress)
    files = sorted(
        p for p in root.rglob("*") if p.is_file() and "tests" not in p.relative_to(root).parts
    )
    inputs = {
        "files": {str(p.relative_to(root)): file_sha256(p) for p in files},
        "given": dict(part.given),
        "compiler": kbuild.compiler_version(context.run, part.prefix),
    }

    def build(folder: Path) -> Facts:
        context.progress(f"building {part.folder}")
        for name, text in part.given.items():
            (folder / name).write_text(text)
        log = context.cache.log(part.folder)
        result = context.run(
            ["make", "-C", str(root), f"OUT={folder}", f"CROSS_COMPILE={part.prefix}"],
            env={"MAKEFLAGS": ""},
            log=log,
        )
        must(result, f"make failed in {root}", f"read {log}")
        if not (folder / part.product).exists():
            raise ProvisionError(f"make in {root} made no {part.product}", f"read {log}")
        return {"sha256": file_sha256(folder / part.product)}

    made = context.cache.get(part.folder, inputs, build)
    return Artifact(made.path / part.product, made.facts["sha256"])
