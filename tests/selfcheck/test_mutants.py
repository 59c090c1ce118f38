# SPDX-License-Identifier: GPL-2.0-or-later
"""One mutant end to end: patched, compiled, booted, and killed by the family that should see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main

MUTANT = "no-accessors-einval"  # of a kernel whose unpatched objects are there: one is compiled


def test_a_mutant_is_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "-k", MUTANT, "--jobs", "1", "--results", str(tmp_path)]) == 0
    assert "suite: of 1 mutants 1 killed" in capsys.readouterr().out
    record = json.loads((tmp_path / "matrix.json").read_text())
    (mutant,) = record["mutants"]
    assert mutant["families"] == {"errno-sysregs": 3}
    assert "ENXIO" in mutant["result"]["suite"]["first"]["message"]
    (base,) = record["baselines"]
    assert base["suite_programs"] > 400
    for name in ("matrix.md", "matrix.svg"):
        assert MUTANT in (tmp_path / name).read_text()
