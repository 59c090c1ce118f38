# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of ours, at EL2 in the place of a kernel, walks through the GICv5 as KVM does.

It says ``ok NAME`` or ``FAIL NAME: got X want Y`` of each of its checks; walk.h tells which .c file
is what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from platform_parts import Parts
from walking import Heard, Walker, must_be_well

Walk = Callable[..., Heard]

# The same words say to the plugin what to implement and to the program what to expect.
LINEAR: tuple[str, ...] = ()
TWO_LEVEL = ("vmt=two-level", "ist=two-level")
FAULTS = ("vmt-busy", "vmt-preset", "vpe-invalid", "contextr", "sticky-valid")


@pytest.fixture
def walk(walker: Walker, parts: Parts) -> Walk:
    """``walk(cpus, plugin arguments, words for the program)``"""
    return lambda cpus, *given: walker(parts.plugin, cpus, *given)


@pytest.mark.parametrize(
    ("cpus", "tables", "checks"),
    [
        (1, LINEAR, 594),
        (2, LINEAR, 630),
        (4, LINEAR, 698),
        (1, TWO_LEVEL, 756),
        (2, TWO_LEVEL, 792),
    ],
)
def test_story(walk: Walk, cpus: int, tables: Sequence[str], checks: int) -> None:
    must_be_well(walk(cpus, tables, tables), checks)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(walk: Walk, fault: str) -> None:
    word = f"fault={fault}"
    must_be_well(walk(1, [word], [word]), at_least=5)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_story_notices_a_fault(walk: Walk, fault: str) -> None:
    heard = walk(1, [f"fault={fault}"])
    assert heard.failed or heard.end is None


@pytest.mark.parametrize("fault", FAULTS)
def test_the_story_of_a_fault_notices_its_absence(walk: Walk, fault: str) -> None:
    assert walk(1, (), [f"fault={fault}"]).failed
