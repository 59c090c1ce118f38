# SPDX-License-Identifier: GPL-2.0-or-later
"""Each check can fail: plugins with a deliberate bug, and the check that notices it.

Building and running them all takes minutes: pytest tests/platform/walk --gicv5-mutants
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant
from walking import SOURCES, Walker

from harness.provision import project_root

PLUGIN = project_root() / "qemu_plugin"


@pytest.fixture(scope="module")
def make(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """``make(mutant)`` builds the plugin with that bug; all in one folder, one after the other."""
    if not pytestconfig.getoption("--gicv5-mutants", False):
        pytest.skip("minutes: only with --gicv5-mutants")
    root = tmp_path_factory.mktemp("mutants")
    shutil.copytree(PLUGIN, root / "src")

    def build(mutant: Mutant) -> Path:
        file = root / "src" / mutant.file
        sound = file.read_text()
        try:
            file.write_text(sound.replace(mutant.old, mutant.new))
            # A mutant may leave something unused behind.
            argv = ["make", "-s", "-j2", "-C", str(root / "src"), f"OUT={root}", "OPT=-O1 -w"]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        finally:
            file.write_text(sound)
        return root / "libgicv5.so"

    return build


def test_all_apply() -> None:
    """Whoever changes the plugin's text finds the mutants to adapt here."""
    gone = [m.name for m in MUTANTS if (PLUGIN / m.file).read_text().count(m.old) != 1]
    assert not gone, f"adapt {SOURCES / 'mutants.py'}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_noticed(mutant: Mutant, make: Callable[..., Path], walker: Walker) -> None:
    heard = walker(make(mutant), mutant.cpus, mutant.tables, mutant.tables)
    gave_up = ["GAVE UP"] if heard.end is None else []
    names = [failed.partition(": got")[0] for failed in heard.failed] + gave_up
    assert mutant.noticed in names, f"{len(names)} others: {names[:8]}"
