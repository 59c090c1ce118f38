# SPDX-License-Identifier: GPL-2.0-or-later
"""Physical memory: little-endian, some of it there."""

from __future__ import annotations

from .state import Machine

BASE = 0x40000000
SIZE = 0x60000


def there(address: int, size: int) -> bool:
    return address >= BASE and address + size <= BASE + SIZE


def load(machine: Machine, address: int, size: int = 8) -> int:
    """4 or 8 bytes, from a multiple of 4. Where there is no memory: 0."""
    if not there(address, size):
        return 0
    words = [machine.memory.get(address + offset, 0) for offset in range(0, size, 4)]
    return sum(word << 32 * index for index, word in enumerate(words))


def store(machine: Machine, address: int, value: int, size: int = 8) -> None:
    """Where there is no memory: lost."""
    if not there(address, size):
        return
    for offset in range(0, size, 4):
        machine.memory[address + offset] = value >> 8 * offset & 0xFFFFFFFF
