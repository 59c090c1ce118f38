# SPDX-License-Identifier: GPL-2.0-or-later
"""The IRS's registers about virtual machines (D.1, 200 to 308)."""

from __future__ import annotations

from collections.abc import Callable

from . import vist, vms
from .irs_register import IDLE, VALID, IrsRegister, constant
from .state import Machine, Vpe, bits

MAP = 1 << 63
UNMAP = 1 << 62
QUIESCED = 2


def _low(value: int) -> int:
    return bits(value, 15, 0)


def _high(value: int) -> int:
    return bits(value, 47, 32)


def _type(value: int) -> int:
    return bits(value, 31, 29)


# ---- the table of VMs ---------------------------------------------------------------------


def _read_vmt_baser(machine: Machine) -> int:
    return machine.irs.vmt_base | machine.irs.vmt_valid


def _write_vmt_baser(machine: Machine, value: int) -> None:
    vms.move_table(machine, value & vms.ADDRESS_55_3, bool(value & 1))


def _read_vmt_cfgr(machine: Machine) -> int:
    return machine.irs.vmt_two_level << 16 | machine.irs.vmt_id_bits


def _write_vmt_cfgr(machine: Machine, value: int) -> None:
    """Ignored while the table is valid."""
    if not machine.irs.vmt_valid:
        machine.irs.vmt_two_level = bool(value >> 16 & 1)
        machine.irs.vmt_id_bits = bits(value, 4, 0)


# ---- a VPE ----------------------------------------------------------------------------------


def _selected(machine: Machine) -> Vpe | None:
    return vms.find_vpe(machine, *machine.irs.vpe) if machine.irs.vpe_selected else None


def _read_vpe_selr(machine: Machine) -> int:
    vm, vpe = machine.irs.vpe
    return vpe << 32 | vm


def _write_vpe_selr(machine: Machine, value: int) -> None:
    """VPE above VM; IRS_VMAP_VPER has them the other way round."""
    machine.irs.vpe_selected = bool(value >> 63)
    machine.irs.vpe = _low(value), _high(value)


def _read_vpe_dbr(machine: Machine) -> int:
    vpe = _selected(machine)
    if vpe is None:
        return 0
    return vpe.doorbell_valid << 63 | vpe.requested << 62 | vpe.mask << 32 | vpe.doorbell


def _write_vpe_dbr(machine: Machine, value: int) -> None:
    vpe = _selected(machine)
    if vpe is not None:
        vpe.doorbell_valid, vpe.requested = bool(value >> 63), bool(value >> 62 & 1)
        vpe.mask, vpe.doorbell = bits(value, 36, 32), bits(value, 23, 0)


def _read_vpe_hppir(machine: Machine) -> int:
    best = vms.highest_of(machine, *machine.irs.vpe) if _selected(machine) else None
    return 0 if best is None else 1 << 32 | best[1].kind << 29 | best[1].number


def _read_vpe_cr0(machine: Machine) -> int:
    vpe = _selected(machine)
    return int(vpe is not None and vpe.powerdown)


def _write_vpe_cr0(machine: Machine, value: int) -> None:
    vpe = _selected(machine)
    if vpe is not None:
        vpe.powerdown = bool(value & 1)


def _read_vpe_statusr(machine: Machine) -> int:
    return IDLE | (VALID if _selected(machine) else 0)


# ---- commands: nothing without M ----------------------------------------------------------------


def _command(act: Callable[[Machine, int], None]) -> IrsRegister:
    def write(machine: Machine, value: int) -> None:
        if value & MAP:
            act(machine, value)

    return IrsRegister(act.__name__.removeprefix("_").upper(), 8, constant(0), write, whole=True)


def _vmap_l2_vmtr(machine: Machine, value: int) -> None:
    vms.map_level_2(machine, _low(value))


def _vmap_vmr(machine: Machine, value: int) -> None:
    (vms.unmap_vm if value & UNMAP else vms.map_vm)(machine, _low(value))


def _vmap_vistr(machine: Machine, value: int) -> None:
    vist.map_table(machine, _high(value), _type(value), bool(value & UNMAP))


def _vmap_l2_vistr(machine: Machine, value: int) -> None:
    vist.map_level_2(machine, _high(value), _type(value), bits(value, 23, 0))


def _vmap_vper(machine: Machine, value: int) -> None:
    vms.map_vpe(machine, _high(value), _low(value))


def _vm_statusr(machine: Machine) -> int:
    return IDLE | (VALID if machine.irs.vm in machine.vms else 0)


def _write_vm_selr(machine: Machine, value: int) -> None:
    machine.irs.vm = _low(value)


def _save_vmr(_machine: Machine, _value: int) -> None:
    """Memory is always current."""


REGISTERS: dict[int, IrsRegister] = {
    0x200: IrsRegister("VMT_BASER", 8, _read_vmt_baser, _write_vmt_baser),
    0x210: IrsRegister("VMT_CFGR", 4, _read_vmt_cfgr, _write_vmt_cfgr),
    0x214: IrsRegister("VMT_STATUSR", 4, constant(IDLE)),
    0x240: IrsRegister("VPE_SELR", 8, _read_vpe_selr, _write_vpe_selr, whole=True),
    0x248: IrsRegister("VPE_DBR", 8, _read_vpe_dbr, _write_vpe_dbr, whole=True),
    0x250: IrsRegister("VPE_HPPIR", 8, _read_vpe_hppir),
    0x258: IrsRegister("VPE_CR0", 4, _read_vpe_cr0, _write_vpe_cr0),
    0x25C: IrsRegister("VPE_STATUSR", 4, _read_vpe_statusr),
    0x288: IrsRegister("VM_SELR", 4, lambda m: m.irs.vm, _write_vm_selr),
    0x28C: IrsRegister("VM_STATUSR", 4, _vm_statusr),
    0x2C0: _command(_vmap_l2_vmtr),
    0x2C8: _command(_vmap_vmr),
    0x2D0: _command(_vmap_vistr),
    0x2D8: _command(_vmap_l2_vistr),
    0x2E0: _command(_vmap_vper),
    0x300: _command(_save_vmr),
    0x308: IrsRegister("SAVE_VM_STATUSR", 4, constant(IDLE | QUIESCED)),
}
