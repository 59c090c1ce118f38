# SPDX-License-Identifier: GPL-2.0-or-later
"""The other checks of the C that need no QEMU: threads under the sanitizers, and the inputs that a
fuzzer found. `make -C qemu_plugin fuzz` looks for more of these (it needs clang; this does not)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import SystemRandom

import pytest

from .native import PLUGIN

STEPS = 400
TIMEOUT = 240  # seconds; on an idle machine each of these takes a few


def make(out: Path, *arguments: str) -> str:
    command = ["make", "-s", "-C", str(PLUGIN), f"OUT={out}", *arguments]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT)
    assert made.returncode == 0, f"{' '.join(command)}:\n{made.stdout}{made.stderr}"
    return made.stdout


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_vcpus_do_not_race(sanitizer: str, tmp_path: Path) -> None:
    """The whole plugin on a fake QEMU, four vCPUs and a thread of devices; no data race, the
    plugin's lock always before QEMU's, no interrupt lost."""
    seed = os.environ.get("SPEC_SEED", str(1 + SystemRandom().getrandbits(31)))
    out = make(
        tmp_path, "-j2", "race", f"RACE_SAN={sanitizer}", f"RACE_STEPS={STEPS}", f"RACE_SEED={seed}"
    )
    assert "interrupts" in out


def test_the_fuzzers_inputs(tmp_path: Path) -> None:
    """Nothing in tests/corpus breaks an invariant or bothers AddressSanitizer and UBSan."""
    inputs = len(list((PLUGIN / "tests/corpus").iterdir()))
    assert inputs > 20
    assert f"{inputs} inputs" in make(tmp_path, "fuzz-replay")
