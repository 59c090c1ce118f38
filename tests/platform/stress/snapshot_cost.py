# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fresh host costs: QEMU alone, a boot, and a restored snapshot.  See docs/stress.md.

    python tests/platform/stress/snapshot_cost.py [ROUNDS]

The restored machine does not work: the plugin's state is not in the snapshot.  It is the least that
a restore can cost.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from qemu.qmp import QMPClient
from qemu.qmp.error import QMPError
from stress_rig import Rig, StressHost, StressMachine, build


def _status(answer: object) -> str:
    return str(answer["status"]) if isinstance(answer, dict) else "?"


async def _running(socket: Path, wanted: set[str]) -> None:
    """Wait until the machine is in one of these states."""
    while True:
        client = QMPClient()
        try:
            await client.connect(str(socket))
            while _status(await client.execute("query-status")) not in wanted:
                await asyncio.sleep(0.002)
            return
        except (OSError, QMPError):
            await asyncio.sleep(0.002)
        finally:
            await client.disconnect()


def start(machine: StressMachine, tree: bytes, folder: Path, *more: str, until: set[str]) -> float:
    """Seconds from the start of a QEMU until its state is one of ``until``."""
    (folder / "gicv5.dtb").write_bytes(tree)
    argv = machine.argv(folder, 0, 0)
    for option in ("socket,id=monitor,fd=0", "socket,id=channel,fd=0"):
        argv[argv.index(option)] = option.replace("socket", "null").replace(",fd=0", "")
    at = argv.index("monitor-qmp,id=qmp,chardev=monitor")
    del argv[at - 1 : at + 1]
    begin = time.monotonic()
    process = subprocess.Popen([*argv, *more], stderr=subprocess.DEVNULL)
    try:
        asyncio.run(asyncio.wait_for(_running(folder / "qmp", until), 60))
        return time.monotonic() - begin
    finally:
        process.kill()
        process.wait()
        (folder / "qmp").unlink(missing_ok=True)


def save(host: StressHost, file: Path) -> None:
    host.qmp("stop")
    host.qmp("migrate", uri=f"file:{file}")
    while _status(host.qmp("query-migrate")) != "completed":
        time.sleep(0.02)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="gicv5-") as name:
        folder = Path(name)
        machine, target = Rig(build(folder / "out")).machine("stock", 1)
        boots, restores, empties = [], [], []
        for i in range(rounds):
            begin = time.monotonic()
            host = StressHost(machine, target.tree, {})
            boots.append(time.monotonic() - begin)
            if i == 0:
                save(host, folder / "state")
            host.close()
            tree = target.tree
            empties.append(start(machine, tree, folder, "-S", until={"prelaunch"}))
            state = f"file:{folder}/state"
            restores.append(
                start(machine, tree, folder, "-incoming", state, until={"running", "paused"})
            )
        size = (folder / "state").stat().st_size >> 20
        for what, times in (("QEMU alone", empties), ("boot", boots), ("restore", restores)):
            print(f"{what:12} median {median(times):.3f} s, least {min(times):.3f} s")
        print(f"snapshot     {size} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
