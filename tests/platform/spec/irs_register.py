# SPDX-License-Identifier: GPL-2.0-or-later
"""What a register of the IRS is, for irs.py and irs_vm.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .state import Machine

IDLE = 1
VALID = 2
ONLINE = 4


@dataclass(frozen=True, slots=True)
class IrsRegister:
    name: str
    size: int
    read: Callable[[Machine], int]
    write: Callable[[Machine, int], None] | None = None
    whole: bool = False  # writing it does something: not by halves


def constant(value: int) -> Callable[[Machine], int]:
    return lambda _machine: value
