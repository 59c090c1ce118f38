# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare as many random accesses as wanted: python -m spec --accesses 10000000"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import SystemRandom

from .compare import Progress, explain, search, shortest
from .native import PLUGIN, StateMachine, build


def hunt(library: Path, seed: int, job: int, jobs: int, accesses: int) -> Progress:
    """One job's share: the accesses compared, and the first program that differs."""
    for progress in search(StateMachine(library), seed, job, jobs):
        if progress.failure or progress.accesses >= accesses:
            return progress
    raise AssertionError("a search does not end by itself")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m spec", description=__doc__)
    parser.add_argument("--accesses", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, help="default: a new one, printed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--plugin", type=Path, default=PLUGIN, help="another qemu_plugin/")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gicv5-spec.") as scratch:
        library = build(Path(scratch), options.plugin.resolve())
        start = time.monotonic()
        share = options.accesses // options.jobs
        with ProcessPoolExecutor(options.jobs) as pool:
            futures = [
                pool.submit(hunt, library, seed, job, options.jobs, share)
                for job in range(options.jobs)
            ]
            results = [future.result() for future in futures]
        total, elapsed = sum(done for done, _ in results), time.monotonic() - start
        print(f"{total} accesses in {elapsed:.1f} s, {total / elapsed:.0f}/s", flush=True)
        failure = next((program for _, program in results if program), None)
        if failure:
            machine = StateMachine(library)
            print("DIFFERENT:", explain(machine, shortest(machine, failure)))
        else:
            print("no difference")
        return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
