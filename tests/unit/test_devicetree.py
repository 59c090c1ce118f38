# SPDX-License-Identifier: GPL-2.0-or-later
"""The GICv5 device tree, made from a board's that is like QEMU's."""

from __future__ import annotations

import struct

import libfdt
import pytest

from harness.errors import TargetError
from harness.targets.devicetree import gicv5_tree


def board(controller: str = "intc@8000000") -> bytes:
    """QEMU's GICv2 board, as far as it matters: two CPUs (last first), a timer, a UART, PCIe."""
    sw = libfdt.FdtSw()
    sw.finish_reservemap()
    with sw.add_node(""):
        with sw.add_node("pcie@10000000"):
            pass
        with sw.add_node(controller):
            sw.property_u32("phandle", 0x8003)
            with sw.add_node("v2m@8020000"):
                pass
        with sw.add_node("pl011@9000000"):
            sw.property("interrupts", struct.pack(">3I", 0, 1, 4))
        with sw.add_node("timer"):
            sw.property("interrupts", struct.pack(">6I", 1, 13, 0xF04, 1, 11, 0xF04))
        with sw.add_node("cpus"):
            for cpu in (1, 0):
                with sw.add_node(f"cpu@{cpu}"):
                    sw.property_u32("phandle", 0x8001 + cpu)
        with sw.add_node("chosen"):
            sw.property("kaslr-seed", b"12345678")
    return bytes(sw.as_fdt().as_bytearray())


def cells(fdt: libfdt.Fdt, path: str, name: str) -> tuple[int, ...]:
    data = bytes(fdt.getprop(fdt.path_offset(path), name))
    return struct.unpack(f">{len(data) // 4}I", data)


def test_controller_keeps_its_phandle_and_gets_an_irs_for_all_cpus() -> None:
    fdt = libfdt.Fdt(bytearray(gicv5_tree(board())))
    assert fdt.getprop(fdt.path_offset("/intc"), "compatible").as_str() == "arm,gic-v5"
    assert cells(fdt, "/intc", "phandle") == (0x8003,)
    assert cells(fdt, "/intc", "interrupts") == (1, 25, 4)
    irs = "/intc/irs@80a0000"
    assert cells(fdt, irs, "cpus") == (0x8001, 0x8002)
    assert bytes(fdt.getprop(fdt.path_offset(irs), "arm,iaffids")) == bytes([0, 0, 0, 1])


def test_specifiers_become_gicv5_ones() -> None:
    fdt = libfdt.Fdt(bytearray(gicv5_tree(board())))
    assert cells(fdt, "/pl011@9000000", "interrupts") == (3, 1, 4)
    assert cells(fdt, "/timer", "interrupts") == (1, 29, 4, 1, 27, 4)


@pytest.mark.parametrize("gone", ["/pcie@10000000", "/intc@8000000"])
def test_what_the_platform_lacks_goes(gone: str) -> None:
    fdt = libfdt.Fdt(bytearray(gicv5_tree(board())))
    assert fdt.path_offset(gone, libfdt.QUIET_NOTFOUND) < 0


def test_a_host_boots_the_same_way_every_time() -> None:
    assert gicv5_tree(board()) == gicv5_tree(board())
    fdt = libfdt.Fdt(bytearray(gicv5_tree(board())))
    assert not fdt.hasprop(fdt.path_offset("/chosen"), "kaslr-seed")


def test_another_board_is_refused() -> None:
    with pytest.raises(TargetError, match="gic-version=2"):
        gicv5_tree(board(controller="gic@1"))
