# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left of a failure: one folder with everything that a bug report needs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.report.diagnosis import short_diagnosis
from harness.report.explain import explain, operations
from harness.report.failure import FILE, failure_facts
from harness.report.hardware import everything
from harness.report.verdict import Outcome


def session_folder(results: Path) -> Path:
    """A folder for this session, new by its name: the start time and the process."""
    return results / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Writes ``<folder>/<kernel>/<program>/``: nothing is written unless something failed."""

    folder: Path
    kernel: str
    provenance: Mapping[str, str]

    def of(self, program: str) -> Path:
        """Where the artefacts of a program go."""
        kernel = Path(self.kernel).name or "kernel"
        return self.folder / kernel / program

    def save(self, outcome: Outcome, rerun: str, host: str = "") -> Path:
        """Write them; the folder."""
        folder = self.of(outcome.program.name)
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "report.txt": explain(outcome, rerun) + "\n",
            "operations.txt": "\n".join(operations(outcome)) + "\n",
            "rerun.txt": rerun + "\n",
            "console.txt": outcome.console,
            "kernel-log.txt": outcome.observed.log if outcome.observed else "",
            "hardware-trace.txt": "\n".join(everything(outcome.accesses)) + "\n",
            FILE: json.dumps(failure_facts(outcome)) + "\n",
            "provenance.json": json.dumps(self._facts(outcome, host), indent=2) + "\n",
        }
        for name, text in files.items():
            if text.strip():
                (folder / name).write_text(text)
        if outcome.accesses.file:
            (folder / "hardware-trace.bin").write_bytes(outcome.accesses.file)
        return folder

    def _facts(self, outcome: Outcome, host: str) -> dict[str, object]:
        return {
            "verdict": outcome.verdict.value,
            "program": outcome.program.name,
            "message": outcome.message,
            "diagnosis": short_diagnosis(outcome),
            "reports": [report.fingerprint for report in outcome.reports],
            "host": host,
            **self.provenance,
        }
