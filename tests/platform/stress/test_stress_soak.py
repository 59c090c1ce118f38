# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything at once, for as long as is asked for, with every count at the end of each lap.

    pytest tests/platform/stress -k soak --soak-minutes=30

The minutes are divided among hosts of 1, 2, 4 and 8 CPUs.  Each lap appends a line to
gicv5-results/soak.log; Ctrl-C ends it in order.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from stress_judge import Line
from stress_rig import Rig

CPUS = (1, 2, 4, 8)
LAP_SECONDS = 5


def counts(lines: list[Line]) -> Counter[str]:
    """What one lap sent and got, for the log."""
    sums: Counter[str] = Counter()
    wanted = {
        "vm": ("fired_v", "fired_p", "cancelled", "sent", "handled"),
        "ipi": ("sent",), "ring": ("hops",), "spi": ("echoes", "lines", "moves"),
        "vms": ("stops",),
    }  # fmt: skip
    for line in lines:
        for key in wanted.get(line.mode, ()):
            sums[f"{line.mode}.{key}"] += line[key]
    return sums


@pytest.mark.parametrize("cpus", CPUS)
def test_soak(rig: Rig, cpus: int, request: pytest.FixtureRequest) -> None:
    minutes = request.config.getoption("--soak-minutes", default=None)
    if not minutes and cpus in (2, 4):
        pytest.skip("one lap on 1 and 8 CPUs is enough without --soak-minutes")
    seconds = minutes * 60 / len(CPUS) if minutes else 1
    log = Path(request.config.rootpath, "gicv5-results", "soak.log") if minutes else None
    if log:
        log.parent.mkdir(exist_ok=True)
    start, total = time.monotonic(), Counter[str]()
    with rig.host(cpus=cpus) as host:
        for lap in range(1, 1_000_000):
            lines = host.stress_devices(
                "spi,vm,ring", LAP_SECONDS if minutes else 1,
                seconds=LAP_SECONDS if minutes else 1, tokens=cpus,
                vms=lap % 3 + 1, vcpus=lap % 8 + 1, rounds=40, burst=1 << lap % 4,
                stop=lap % 2, move=1, seed=lap,
            )  # fmt: skip
            # On its own: what else runs on a CPU may keep its spinner away.
            lines += host.stress("ipi", seed=lap)
            total += counts(lines)
            passed = time.monotonic() - start
            if log:
                with log.open("a") as f:
                    told = " ".join(f"{k}={v}" for k, v in sorted(total.items()))
                    f.write(f"cpus={cpus} lap={lap} seconds={passed:.0f} {told}\n")
            if passed >= seconds:
                break
    said = " ".join(f"{k}={v}" for k, v in sorted(total.items()))
    print(f"cpus={cpus} laps={lap} {said} plugin: {host.stats}")
    if log:
        with log.open("a") as f:
            f.write(f"cpus={cpus} done: {host.stats}\n")
