# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypothesis strategies: registers, operations, programs, traces."""

from __future__ import annotations

from hypothesis import strategies as st

from harness import program as p
from harness.irs import Table
from harness.ppi import REGISTERS, U64
from harness.trace import Ending, Result, Status, Trace

u64 = st.integers(0, U64)
u32 = st.integers(0, (1 << 32) - 1)
vms = st.integers(0, p.MAX_VMS - 1)
vcpus = st.integers(0, p.MAX_VCPUS - 1)
actions = st.sampled_from(p.Action)
pointers = st.sampled_from(p.Pointer)
registers = st.sampled_from(list(REGISTERS.values()))
groups = st.integers(0, 0xFFFF)
offsets = st.integers(0, p.IRS_FRAME_SIZE // 4 - 2).map(lambda n: 4 * n)
sizes = st.integers(0, p.MAX_IST_BYTES)
delays = st.integers(0, p.MAX_DELAY_NS)

guest_ops = st.one_of(
    st.builds(p.Read, registers),
    st.builds(p.Write, registers, u64),
    st.just(p.Wfi()),
    st.just(p.Window()),
    st.builds(p.IrsRead, offsets, st.booleans()),
    st.builds(p.IrsWrite, offsets, u64, st.booleans()),
    st.builds(p.Spin, delays),
)
runs = st.builds(p.Run, st.lists(guest_ops, max_size=6).map(tuple), vms, vcpus, u32)
branch_ops = st.one_of(
    st.builds(p.CloseVm, vms),
    st.builds(p.CreateDevice, vms, u32, st.booleans()),
    st.builds(p.InitVcpu, vms, vcpus, u64),
    st.builds(p.DeviceAttr, actions, groups, u64, u64, pointers, vms),
    st.builds(p.VcpuAttr, actions, groups, u64, u64, pointers, vms, vcpus),
    st.builds(p.CopyReg, u64, vms, vms, groups),
    st.builds(p.OneReg, actions, u64, u64, vms, vcpus),
    st.builds(p.IrqLine, st.integers(0, 0xFFFF), u32, vms, st.integers(0, 0xFFF),
              st.integers(0, 0xF)),
    st.builds(p.Delay, delays),
    runs,
)  # fmt: skip
branches = st.builds(
    p.Branch, st.lists(branch_ops, max_size=3).map(tuple), st.integers(0, p.MAX_BRANCHES - 1)
)
ops = st.one_of(
    branch_ops,
    st.builds(p.CreateVm, vms),
    st.builds(p.CreateVcpu, vms, vcpus, u64),
    st.builds(p.PlaceIrs, vms, u64),
    st.builds(p.Ist, actions, sizes, sizes, vms, u64, pointers, vms),
    st.builds(p.IstEntry, st.sampled_from((p.Action.SET, p.Action.GET)), st.sampled_from(Table),
              st.integers(0, p.MAX_IST_BYTES // 4 - 1), u32, vms),
    st.builds(p.Parallel, st.lists(branches, min_size=1, max_size=p.MAX_BRANCHES).map(tuple)),
)  # fmt: skip
programs = st.builds(p.Program, st.just("fuzz/any"), st.lists(ops, max_size=12).map(tuple))

results = st.builds(
    Result, st.integers(-(1 << 31), (1 << 31) - 1), st.sampled_from(Status), u64, u64
)
traces = st.builds(
    Trace,
    st.lists(results, max_size=8).map(tuple),
    st.sampled_from(Ending),
    u32,
    st.text(st.characters(codec="utf-8"), max_size=20),
)
