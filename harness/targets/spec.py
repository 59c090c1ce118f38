# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user asks for when asking for a target, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from harness.targets.base import Host

MAX_CPUS: Final = 8  # of a QEMU host: the board's GICv2 has no more


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """The user's options.  None: as images.yaml says, or its default.

    ``kind``: qemu, ssh:HOST, board:NAME or what a plugin adds; ``boards``: where the board is.
    ``files``: executables to add to the host's file system, by their absolute path there.
    ``memory``: MiB that the host needs; 0: as much as the suite does.
    ``power``: whether a board's plug may be pulled.
    """

    kind: str = "qemu"
    kernel: str | None = None
    qemu: str | None = None
    images: Path | None = None
    cpus: int = 1
    kernel_args: str = ""
    trace_dir: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    memory: int = 0
    boards: Path | None = None
    power: bool = True


class Expect(Protocol):
    """What images.yaml declares of a kernel; enumerations by value or as members."""

    @property
    def accessors(self) -> bool | None: ...

    @property
    def finalize(self) -> object: ...

    @property
    def late_writes(self) -> object: ...

    @property
    def irs(self) -> bool | None: ...


class OpenTarget(Protocol):
    """A provisioned target: everything is on disk, nothing runs yet."""

    @property
    def expect(self) -> Expect: ...

    @property
    def kernel_name(self) -> str: ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """The same keys on every target: kernel, qemu, plugin, agent: versions and hashes."""
        ...

    def boot(self) -> Host:
        """A fresh host.  BootError says why not, with its console."""
        ...


@runtime_checkable
class Releasable(Protocol):
    """A target that others want, too."""

    def release(self) -> None:
        """Give it back.  May be called twice."""
        ...


Progress = Callable[[str], None]
Factory = Callable[[TargetSpec, Progress], OpenTarget]
