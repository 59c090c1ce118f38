# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM under load: timers by direct injection and edges on SW_PPI, counted by the guests."""

from __future__ import annotations

import pytest
from stress_judge import Line
from stress_rig import Rig


def total(lines: list[Line], key: str) -> int:
    return sum(line[key] for line in lines if line.mode == "vm")


@pytest.mark.parametrize("cpus", [1, 2])
def test_edges_that_wait_for_each_other_are_all_seen(rig: Rig, cpus: int) -> None:
    """One edge at a time: exactly one interrupt each; and every timer fires once."""
    with rig.host(cpus=cpus) as host:
        lines = host.stress("vm", vcpus=2, rounds=150)
        assert total(lines, "handled") == total(lines, "sent") > 0
        fired = total(lines, "fired_v") + total(lines, "fired_p")
        assert total(lines, "fired_v") > 50 < total(lines, "fired_p")
    assert host.stats["microexits"] > fired / 10, "timers came with the host's exits only"


@pytest.mark.parametrize("cpus", [1, 2])
def test_edges_that_do_not_wait_may_merge_but_not_be_lost(rig: Rig, cpus: int) -> None:
    with rig.host(cpus=cpus) as host:
        lines = host.stress("vm", vcpus=2, rounds=150, burst=32)
        assert total(lines, "handled") < total(lines, "sent"), "no two met: no storm at all"


@pytest.mark.parametrize("cpus", [1, 2])
def test_more_vcpus_than_cpus(rig: Rig, cpus: int) -> None:
    with rig.host(cpus=cpus) as host:
        host.stress("vm", vcpus=8, rounds=60, burst=4)


def test_many_vms_stopped_continued_and_moved(rig: Rig) -> None:
    """The threads in KVM_RUN are stopped at any moment, and moved from CPU to CPU."""
    with rig.host(cpus=4) as host:
        lines = host.stress("vm", vms=4, vcpus=2, rounds=60, burst=4, stop=1, move=1)
        assert sum(line["stops"] for line in lines if line.mode == "vms") > 0


def test_vms_on_a_kernel_as_distributed(rig: Rig) -> None:
    with rig.host("debian", cpus=2) as host:
        host.stress("vm,ring", vcpus=2, rounds=60, burst=4, seconds=1)
