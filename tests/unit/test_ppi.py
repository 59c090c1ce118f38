# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts about PPIs and registers that everything else rests on: reference A.1, C.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ppi import (
    BY_ENCODING,
    REGISTERS,
    U64,
    Kind,
    bits,
    mask_of,
    ppi_intid,
    ppi_name,
    reg,
)
from harness.program import mpidr_affinity, sysreg_attr


@pytest.mark.parametrize(("name", "encoding"), [
    ("ICC_PPI_HMR0_EL1", 0xC650), ("ICC_PPI_HMR1_EL1", 0xC651), ("ICC_IDR0_EL1", 0xC652),
    ("ICC_HPPIR_EL1", 0xC653), ("ICC_ICSR_EL1", 0xC654), ("ICC_IAFFIDR_EL1", 0xC655),
    ("ICC_PPI_ENABLER0_EL1", 0xC656), ("ICC_PPI_ENABLER1_EL1", 0xC657),
    ("ICC_PPI_CACTIVER0_EL1", 0xC668), ("ICC_PPI_SACTIVER0_EL1", 0xC66A),
    ("ICC_PPI_CPENDR0_EL1", 0xC66C), ("ICC_PPI_SPENDR0_EL1", 0xC66E),
    ("ICC_PPI_SPENDR1_EL1", 0xC66F), ("ICC_PPI_PRIORITYR0_EL1", 0xC670),
    ("ICC_PPI_PRIORITYR7_EL1", 0xC677), ("ICC_PPI_PRIORITYR8_EL1", 0xC678),
    ("ICC_PPI_PRIORITYR15_EL1", 0xC67F), ("ICC_APR_EL1", 0xCE00), ("ICC_CR0_EL1", 0xCE01),
    ("ICC_PCR_EL1", 0xCE02), ("ICC_HAPR_EL1", 0xCE03),
])  # fmt: skip
def test_encodings(name: str, encoding: int) -> None:
    assert REGISTERS[name].encoding == encoding


@pytest.mark.parametrize(("name", "fields"), [
    ("ICH_PPI_ENABLER0_EL2", (3, 4, 12, 10, 2)), ("ICH_VMCR_EL2", (3, 4, 12, 11, 7)),
    ("ID_AA64PFR2_EL1", (3, 0, 0, 4, 2)), ("CNTV_TVAL_EL0", (3, 3, 14, 3, 0)),
    ("CNTV_CTL_EL0", (3, 3, 14, 3, 1)), ("CNTV_CVAL_EL0", (3, 3, 14, 3, 2)),
    ("CNTP_TVAL_EL0", (3, 3, 14, 2, 0)), ("CNTP_CTL_EL0", (3, 3, 14, 2, 1)),
    ("CNTP_CVAL_EL0", (3, 3, 14, 2, 2)), ("GIC_CDDIS", (1, 0, 12, 1, 0)),
    ("GIC_CDEN", (1, 0, 12, 1, 1)), ("GIC_CDPRI", (1, 0, 12, 1, 2)),
    ("GIC_CDAFF", (1, 0, 12, 1, 3)),
    ("GIC_CDPEND", (1, 0, 12, 1, 4)), ("GIC_CDRCFG", (1, 0, 12, 1, 5)),
    ("GIC_CDEOI", (1, 0, 12, 1, 7)), ("GIC_CDDI", (1, 0, 12, 2, 0)), ("GIC_CDHM", (1, 0, 12, 2, 1)),
    ("GICR_CDIA", (1, 0, 12, 3, 0)), ("GICR_CDNMIA", (1, 0, 12, 3, 1)),
])  # fmt: skip
def test_fields_of_encodings(name: str, fields: tuple[int, ...]) -> None:
    r = REGISTERS[name]
    assert (r.op0, r.op1, r.crn, r.crm, r.op2) == fields


def test_which_can_only_be_read_or_written() -> None:
    """TVAL can be read, but what is read is the time."""
    assert {r.access for r in REGISTERS.values()} == {"R", "W", "RW"}
    assert {r.name for r in REGISTERS.values() if not r.writable} == {
        "ICC_PPI_HMR0_EL1", "ICC_PPI_HMR1_EL1", "ICC_IDR0_EL1", "ICC_HPPIR_EL1",
        "ICC_IAFFIDR_EL1", "ICC_HAPR_EL1", "ID_AA64PFR2_EL1", "GICR_CDIA", "GICR_CDNMIA",
    }  # fmt: skip
    assert {r.name for r in REGISTERS.values() if not r.readable} == {
        "CNTV_TVAL_EL0", "CNTP_TVAL_EL0",
        *(name for name in REGISTERS if name.startswith("GIC_")),
    }  # fmt: skip


def test_encodings_are_unique() -> None:
    assert len(BY_ENCODING) == len(REGISTERS)
    assert all(BY_ENCODING[r.encoding] is r for r in REGISTERS.values())


def test_userspace_list() -> None:
    """ICSR, three pairs, 16 priorities, APR, CR0, PCR."""
    names = [r.name for r in REGISTERS.values() if r.userspace]
    assert len(names) == 1 + 6 + 16 + 3
    assert not [n for n in names if "CACTIVER" in n or "CPENDR" in n or "HMR" in n]


def test_kinds() -> None:
    """A bit or five of each PPI, or neither."""
    ppi = {r.name: r.kind for r in REGISTERS.values() if r.name.startswith("ICC_PPI_")}
    priorities = {name for name in ppi if "PRIORITYR" in name}
    assert {name for name in ppi if ppi[name] is Kind.PPI_PRIORITIES} == priorities
    assert {name for name in ppi if ppi[name] is Kind.PPI_BITMAP} == ppi.keys() - priorities


def test_banks() -> None:
    for register in REGISTERS.values():
        if register.kind is Kind.OTHER:
            assert register.bank == 0
        else:
            assert register.name.endswith(f"{register.bank}_EL1")


@pytest.mark.parametrize("short", ["ENABLER0", "PPI_ENABLER0", "ICC_PPI_ENABLER0_EL1"])
def test_short_names(short: str) -> None:
    assert reg(short).name == "ICC_PPI_ENABLER0_EL1"


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(KeyError, match="known: ICC_PPI_HMR0_EL1, ICC_PPI_HMR1_EL1, "):
        reg("ENABLER2")


def test_names() -> None:
    assert [ppi_name(n) for n in (3, 27, 40)] == ["SW_PPI(3)", "CNTV(27)", "PPI(40)"]
    assert ppi_intid(27) == 0x2000001B


@given(st.integers(0, U64))
def test_bits_and_mask_are_inverse(mask: int) -> None:
    numbers = list(bits(mask))
    assert numbers == sorted(numbers)
    assert mask_of(numbers) == mask


@pytest.mark.parametrize(("vcpu_id", "affinity"), [
    (0, 0), (15, 0xF), (16, 0x100), (17, 0x101), (255, 0xF0F), (256, 0x1000), (511, 0x1F0F),
    (4095, 0xFF0F), (4096, 0x10000),
])  # fmt: skip
def test_affinity(vcpu_id: int, affinity: int) -> None:
    assert mpidr_affinity(vcpu_id) == affinity
    assert sysreg_attr("PCR", vcpu_id) == affinity << 32 | 0xCE02


@given(st.sets(st.integers(0, 511)))
def test_affinities_are_unique(ids: set[int]) -> None:
    assert len({mpidr_affinity(i) for i in ids}) == len(ids)
