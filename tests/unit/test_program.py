# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations and how they address registers."""

from __future__ import annotations

import pytest

from harness import program as p
from harness.program import Action, DeviceAttr, Pointer, VcpuAttr

SET, GET, HAS = Action


@pytest.mark.parametrize(
    ("built", "means"),
    [
        (p.set_reg("PCR", 5), DeviceAttr(SET, 6, 0xCE02, 5, Pointer.VALUE, 0)),
        (p.set_reg("PCR", 5, 17, 2), DeviceAttr(SET, 6, 0x101 << 32 | 0xCE02, 5, Pointer.VALUE, 2)),
        (p.get_reg("ENABLER0"), DeviceAttr(GET, 6, 0xC656, 0, Pointer.VALUE, 0)),
        (p.get_reg("ENABLER0", 3, 1), DeviceAttr(GET, 6, 3 << 32 | 0xC656, 0, Pointer.VALUE, 1)),
        (p.init_device(), DeviceAttr(SET, 4, 0, 0, Pointer.VALUE, 0)),
        (p.init_device(2), DeviceAttr(SET, 4, 0, 0, Pointer.VALUE, 2)),
        (p.irs_reg(HAS, 0x180), DeviceAttr(HAS, 10, 0x180, 0, Pointer.VALUE, 0)),
        (p.irs_reg(SET, 0x80, 1, 3), DeviceAttr(SET, 10, 0x80, 1, Pointer.VALUE, 3)),
        (p.pmu_init(), VcpuAttr(SET, 0, 1, 0, Pointer.NULL, 0, 0)),
        (p.pmu_init(2, 1), VcpuAttr(SET, 0, 1, 0, Pointer.NULL, 1, 2)),
        (p.read("PCR"), p.Read(p.reg("ICC_PCR_EL1"))),
        (p.write("PCR", 3), p.Write(p.reg("ICC_PCR_EL1"), 3)),
    ],
)
def test_short_forms(built: p.Op, means: p.Op) -> None:
    assert built == means
    # True == 1 and Action.SET == 0: the very same types too
    assert repr(built) == repr(means)


@pytest.mark.parametrize(
    ("vcpu_id", "affinity"),
    [(0, 0), (15, 15), (16, 0x100), (0xFFF, 0xFF0F), (0x1000, 0x1_0000), (0xF_FFFF, 0xFF_FF0F)],
)
def test_a_vcpu_id_in_an_mpidr(vcpu_id: int, affinity: int) -> None:
    """Aff0 has 4 bits of it, Aff1 and Aff2 have 8."""
    assert p.mpidr_affinity(vcpu_id) == affinity


def test_operations_of_branches_follow_their_section() -> None:
    inner = (p.Delay(1), p.Delay(2), p.Delay(3))
    section = p.Parallel((p.Branch(inner[:2]), p.Branch(inner[2:])))
    assert list(p.flat((p.Delay(0), section, p.Delay(4)))) == [
        p.Delay(0), section, *inner, p.Delay(4),
    ]  # fmt: skip


def test_the_family_is_the_first_part_of_the_name() -> None:
    assert p.Program("a/b/c", ()).family == "a"
