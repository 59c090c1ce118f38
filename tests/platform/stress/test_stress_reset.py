# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU, several boots: the plugin is not told of a reset, and must notice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from stress_rig import Rig, StressHost

REBOOTS = {"-no-reboot": ()}


def exercise(host: StressHost) -> None:
    host.stress("vm,ring", vcpus=2, rounds=20, seconds=1)


def by_the_machine(host: StressHost) -> None:
    host.qmp("system_reset")


def by_the_kernel(host: StressHost) -> None:
    host.post("reboot")


@pytest.mark.parametrize("reset", [by_the_machine, by_the_kernel])
def test_a_host_is_as_good_after_a_reset(rig: Rig, reset: Callable[[StressHost], None]) -> None:
    with rig.host(cpus=2, swaps=REBOOTS) as host:
        exercise(host)
        for _ in range(2):
            reset(host)
            host.await_boot()
        exercise(host)


def test_a_reset_in_the_middle_of_everything(rig: Rig) -> None:
    """CPUs are inside guests, doorbells and traps under way, when the machine is reset."""
    with rig.host(cpus=4, swaps=REBOOTS) as host:
        for _ in range(2):
            host.post("vm,ring", vms=2, vcpus=4, rounds=100000, burst=8, seconds=60)
            time.sleep(0.7)
            host.qmp("system_reset")
            host.await_boot()
        exercise(host)
