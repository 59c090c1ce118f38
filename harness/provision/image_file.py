# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel image files: is it one that QEMU loads, and which version is in it."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from harness.errors import ConfigError

_MAGIC_OFFSET = 56
_MAGIC = b"ARM\x64"
_HEAD = 64
_BANNER = re.compile(rb"Linux version (\d[^\s\x00]*) ")
_LARGEST = 512 << 20


def check_image(path: Path) -> None:
    """Raise a ConfigError unless QEMU's arm64 loader takes this file."""
    remedy = "give an arm64 Image, Image.gz or EFI zboot image, or a name from images.yaml"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(0)
            plain = _gunzip(stream.read(1 << 20), _HEAD) if head[:2] == b"\x1f\x8b" else head
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", remedy) from error
    if plain[_MAGIC_OFFSET : _MAGIC_OFFSET + 4] == _MAGIC or _zboot_payload(head) is not None:
        return
    raise ConfigError(f"not an arm64 Image: {path}", remedy)


def image_version(path: Path) -> str:
    """The release in the kernel's banner (``uname -r``), or "" where it cannot be read."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, _LARGEST)
    elif (payload := _zboot_payload(data[:_HEAD])) is not None:
        start, size = payload
        data = _gunzip(data[start : start + size], _LARGEST)
    match = _BANNER.search(data)
    return match[1].decode(errors="replace") if match else ""


def _zboot_payload(head: bytes) -> tuple[int, int] | None:
    """Offset and size of the compressed kernel in an EFI zboot image of a kind QEMU unpacks."""
    if len(head) < _HEAD or head[:2] != b"MZ" or head[4:8] != b"zimg":
        return None
    compression = head[24:56].partition(b"\0")[0]
    if compression not in (b"gzip", b"zstd"):
        return None
    return int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little")


def _gunzip(data: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, limit)
    except zlib.error:
        return b""
