# SPDX-License-Identifier: GPL-2.0-or-later
"""A cpio archive in the kernel's initramfs format ("newc"), the same bytes for the same content."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_ALIGN = 4
_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file; ``device`` is (major, minor) of a device node."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def regular(path: str, data: bytes, executable: bool = False) -> Entry:
    """An ordinary file."""
    return Entry(path, stat.S_IFREG | (0o755 if executable else 0o644), data)


def directory(path: str) -> Entry:
    """A folder."""
    return Entry(path, stat.S_IFDIR | 0o755)


def character_device(path: str, major: int, minor: int) -> Entry:
    """A character device node (no privilege is needed to write one into an archive)."""
    return Entry(path, stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive; folders that the entries' paths need are added."""
    by_path: dict[str, Entry] = {}
    for entry in entries:
        path = entry.path.strip("/")
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                by_path.setdefault(str(parent), directory(str(parent)))
        by_path[path] = Entry(path, entry.mode, entry.data, entry.device)
    out = bytearray()
    for inode, path in enumerate(sorted(by_path), start=1):
        _append(out, by_path[path], inode)
    _append(out, Entry(_TRAILER, 0), 0)
    return bytes(out)


def _append(out: bytearray, entry: Entry, inode: int) -> None:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (
        inode,
        entry.mode,
        0,
        0,
        links,
        0,
        len(entry.data),
        0,
        0,
        *entry.device,
        len(name),
        0,
    )
    out += _MAGIC + b"".join(b"%08X" % number for number in numbers) + name
    out += b"\0" * (-len(out) % _ALIGN)
    out += entry.data
    out += b"\0" * (-len(out) % _ALIGN)
