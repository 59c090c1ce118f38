# SPDX-License-Identifier: GPL-2.0-or-later
"""Targets by the name that --target takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from harness.errors import ConfigError
from harness.provision.paths import default_images
from harness.targets.spec import Factory, OpenTarget, Progress, Releasable, TargetSpec


def _qemu(spec: TargetSpec, progress: Progress) -> OpenTarget:
    from harness.targets.qemu import QemuTarget  # noqa: PLC0415 (heavy; only if it is used)

    return QemuTarget.create(spec, progress)


def _board(spec: TargetSpec, progress: Progress) -> OpenTarget:
    from harness.targets.board_target import create  # noqa: PLC0415 (heavy; only if it is used)

    return create(spec, progress)


BOARDS: Final = ("ssh:HOST", "board:NAME")
KINDS: Final[Mapping[str, Factory]] = {"qemu": _qemu, **dict.fromkeys(BOARDS, _board)}


def kind_of(target: str) -> str:
    """``ssh:HOST`` of ``ssh:n1``, and so on; anything else as it is."""
    return {"ssh": "ssh:HOST", "board": "board:NAME"}.get(target.partition(":")[0], target)


@contextmanager
def opened(spec: TargetSpec, progress: Progress) -> Iterator[OpenTarget]:
    """A target, given back in the end.  ConfigError if there is no such kind."""
    kind = kind_of(spec.kind)
    if kind not in KINDS:
        raise ConfigError(f"--target={spec.kind}: no such target", f"one of: {', '.join(KINDS)}")
    target = KINDS[kind](spec, progress)
    try:
        yield target
    finally:
        if isinstance(target, Releasable):
            target.release()


def arguments(spec: TargetSpec) -> list[str]:
    """The options of a command line that lead to the same target."""
    out = [] if spec.kind == "qemu" else ["--target", spec.kind]
    out += ["--boards", str(spec.boards)] if spec.boards else []
    out += ["--kernel", spec.kernel] if spec.kernel else []
    out += ["--images", str(spec.images)] if spec.images not in (None, default_images()) else []
    out += ["--qemu", spec.qemu] if spec.qemu else []
    return out + (["--host-cpus", str(spec.cpus)] if spec.cpus != 1 else [])
