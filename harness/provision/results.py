# SPDX-License-Identifier: GPL-2.0-or-later
"""What provisioning hands out: plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.provision.images import ExpectEntry, Finalize, LateWrites


@dataclass(frozen=True)
class Artifact:
    """One file in the cache."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Expect:
    """What images.yaml says that a kernel should do.

    ``accessors``, ``irs`` None: as probed.  ``late_writes`` None: either, but as a whole.
    """

    accessors: bool | None = None
    finalize: Finalize = "per-vcpu"
    late_writes: LateWrites | None = None
    irs: bool | None = None

    @classmethod
    def of(cls, entry: ExpectEntry) -> Expect:
        """The entry with the defaults filled in: the seed patch's behaviour."""
        return cls(entry.accessors, entry.finalize or "per-vcpu", entry.late_writes, entry.irs)


@dataclass(frozen=True)
class Qemu:
    """A QEMU that is new enough and loads plugins.  ``argv`` is the prefix that starts it."""

    argv: tuple[str, ...]
    version: str
    sha256: str
    source: str


@dataclass(frozen=True)
class Kernel:
    """A kernel that QEMU can load.  ``modules`` are in load order, uncompressed.

    ``memory``: MiB that its host needs.  ``slowdown``: by which deadlines are multiplied.
    """

    name: str
    image: Path
    version: str
    sha256: str
    source: str
    modules: tuple[Path, ...] = ()
    cmdline: str = ""
    expect: Expect = Expect()
    memory: int = 144
    slowdown: int = 1


@dataclass(frozen=True)
class Listing:
    """One line of `gicv5 images`; what is not known yet is empty."""

    section: str
    name: str
    kind: str
    asked: str
    resolved: str
    version: str
    sha256: str
    cached: bool
    cmdline: str = ""
    expect: Expect | None = None
    note: str = ""
    absent: bool = False  # the archive was asked and does not have it yet
