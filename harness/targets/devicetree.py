# SPDX-License-Identifier: GPL-2.0-or-later
"""The device tree of a GICv5 host, made from that of QEMU's GICv2 board.

The platform (qemu_plugin/) puts a GICv5 where the board has a GICv2, so the tree must say so.
Bindings: Linux Documentation/devicetree/bindings/interrupt-controller/arm,gic-v5.yaml.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import libfdt

from harness.errors import TargetError

IRS_BASE: Final = 0x080A0000  # a hole in the GICv2 board; qemu_plugin answers there
IRS_SIZE: Final = 0x10000
PPI, SPI = 1, 3  # interrupt types of the arm,gic-v5 binding
GICV2_SPI = 0  # else a PPI
LEVEL_HIGH: Final = 4
MAINTENANCE_PPI: Final = 25  # Linux 7.3 wants one, although a native GICv5 never raises it
ROOM: Final = 4096  # bytes the new nodes may take


def gicv5_tree(board: bytes) -> bytes:
    """Describe a GICv5 instead of the GICv2 in the board's flattened device tree.

    The interrupt controller keeps its phandle, so nobody who refers to it changes.  PCIe and its
    MSI frame go: there is no ITS.  The seeds become constant: a host boots the same way every time.
    TargetError if the board is not the one this is made for.
    """
    fdt = libfdt.Fdt(bytearray(board))
    fdt.resize(len(board) + ROOM)
    try:
        (path,) = _paths_of(fdt, "/", "intc@")
        phandle = fdt.get_phandle(fdt.path_offset(path))
        cpus = [fdt.get_phandle(fdt.path_offset(cpu)) for cpu in _cpus(fdt)]
        for gone in (path, *_paths_of(fdt, "/", "pcie@")):
            fdt.del_node(fdt.path_offset(gone))
        for node in list(_paths(fdt, 0)):
            _convert_interrupts(fdt, node)
        _add_gicv5(fdt, phandle, cpus)
        chosen = fdt.path_offset("/chosen")
        fdt.delprop(chosen, "kaslr-seed")
        fdt.setprop(chosen, "rng-seed", bytes(range(32)))
    except (libfdt.FdtException, ValueError) as e:
        raise TargetError(
            f"the board's device tree is not that of -M virt,gic-version=2: {e}",
            "use a supported QEMU (gicv5 images)",
        ) from e
    fdt.pack()
    return bytes(fdt.as_bytearray())


def _nodes(fdt: libfdt.Fdt, parent: str) -> Iterator[int]:
    node = fdt.first_subnode(fdt.path_offset(parent), libfdt.QUIET_NOTFOUND)
    while node >= 0:
        yield node
        node = fdt.next_subnode(node, libfdt.QUIET_NOTFOUND)


def _paths(fdt: libfdt.Fdt, node: int) -> Iterator[str]:
    yield fdt.get_path(node)
    for child in _nodes(fdt, fdt.get_path(node)):
        yield from _paths(fdt, child)


def _paths_of(fdt: libfdt.Fdt, parent: str, prefix: str) -> list[str]:
    return [fdt.get_path(n) for n in _nodes(fdt, parent) if fdt.get_name(n).startswith(prefix)]


def _cpus(fdt: libfdt.Fdt) -> list[str]:
    """In the order of their affinity, which is the plugin's numbering and so the IAFFID."""
    return sorted(_paths_of(fdt, "/cpus", "cpu@"), key=lambda path: int(path.split("@")[1], 16))


def _cells(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _convert_interrupts(fdt: libfdt.Fdt, path: str) -> None:
    """GICv2 specifiers <type number flags> to GICv5 ones: PPIs count from 0, SPIs stay as they are.

    The GICv2 CPU mask in the flags of a PPI goes.
    """
    node = fdt.path_offset(path)
    if not fdt.hasprop(node, "interrupts"):
        return
    out = list[int]()
    for kind, number, flags in struct.iter_unpack(">III", fdt.getprop(node, "interrupts")):
        out += (SPI, number, flags & 15) if kind == GICV2_SPI else (PPI, number + 16, flags & 15)
    fdt.setprop(node, "interrupts", _cells(out))


def _add_gicv5(fdt: libfdt.Fdt, phandle: int, cpus: list[int]) -> None:
    """The controller and its one Interrupt Routing Service; IAFFIDs are the CPU numbers."""
    cells = {"#address-cells": _cells([2]), "#size-cells": _cells([2]), "ranges": b""}
    intc = fdt.add_subnode(fdt.path_offset("/"), "intc")
    _set(fdt, intc, {
        "compatible": b"arm,gic-v5\0",
        "#interrupt-cells": _cells([3]),
        "interrupt-controller": b"",
        "phandle": _cells([phandle]),
        "interrupts": _cells([PPI, MAINTENANCE_PPI, LEVEL_HIGH]),
        **cells,
    })  # fmt: skip
    irs = fdt.add_subnode(intc, f"irs@{IRS_BASE:x}")
    _set(fdt, irs, {
        "compatible": b"arm,gic-v5-irs\0",
        "reg": struct.pack(">QQ", IRS_BASE, IRS_SIZE),
        "reg-names": b"ns-config\0",
        "cpus": _cells(cpus),
        "arm,iaffids": struct.pack(f">{len(cpus)}H", *range(len(cpus))),
        **cells,
    })  # fmt: skip


def _set(fdt: libfdt.Fdt, node: int, properties: Mapping[str, bytes]) -> None:
    for name, value in properties.items():
        fdt.setprop(node, name, value)
