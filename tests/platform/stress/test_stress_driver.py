# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own GICv5 host driver under load: each interrupt that must come is counted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from stress_rig import Rig


@pytest.mark.parametrize("cpus", [2, 8])
def test_every_ipi_arrives(rig: Rig, cpus: int) -> None:
    """Function calls from each CPU to another, exactly as many as were asked for."""
    with rig.host(cpus=cpus) as host:
        lines = host.stress("ipi")
        assert sum(line["sent"] > 0 for line in lines) == cpus, lines


@pytest.mark.parametrize("cpus", [1, 8])
def test_wakeups_across_cpus(rig: Rig, cpus: int) -> None:
    with rig.host(cpus=cpus) as host:
        host.stress("ring", seconds=1, tokens=cpus)


@pytest.mark.parametrize("cpus", [1, 4])
def test_spis_while_they_are_moved(rig: Rig, cpus: int) -> None:
    """An edge (virtio) and a level (PL011), each message numbered and answered."""
    with rig.host(cpus=cpus) as host:
        lines = host.stress_devices("spi,ring", 1.0, seconds=1)
        (spi,) = (line for line in lines if line.mode == "spi")
        assert (spi["moves"] > 0) == (cpus > 1)


def test_each_press_of_a_button_is_two_interrupts(rig: Rig) -> None:
    """An SPI whose every edge has a number: the power button, a GPIO line (Debian's kernel)."""
    presses = 5
    with rig.host("debian", cpus=2) as host, ThreadPoolExecutor(1) as pool:
        done = pool.submit(host.stress, "gpio", presses=presses)
        while "stress: listens" not in host.console():
            assert not done.done(), done.result()
            time.sleep(0.1)
        for _ in range(presses):
            host.qmp("system_powerdown")
            time.sleep(0.4)  # the button is down for 0.1 s of the machine's time
        (gpio,) = (line for line in done.result() if line.mode == "gpio")
        assert gpio["interrupts"] == 2 * presses


def test_cpus_that_come_and_go(rig: Rig) -> None:
    """CPU hotplug in a loop while tokens run (Debian's kernel: the minimal one has none)."""
    with rig.host("debian", cpus=4) as host:
        host.stress("cpus,ring", seconds=2, cycles=3, loose=1)
        host.stress("ipi")
        host.stress("vm", vcpus=4, rounds=10)
