# SPDX-License-Identifier: GPL-2.0-or-later
"""A random program of either kind."""

from __future__ import annotations

from random import Random

from .accesses import Program
from .generate import Maker, accesses
from .generate_vm import VmMaker

LENGTH = 250


def program(rng: Random) -> Program:
    maker = Maker(rng)
    if rng.random() < 0.5:
        maker = VmMaker(maker)
    return accesses(maker, LENGTH)
