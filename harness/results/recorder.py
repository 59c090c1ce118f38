# SPDX-License-Identifier: GPL-2.0-or-later
"""From pytest's reports to results.jsonl, line by line as the programs end.

Under xdist the controller gets the reports of all workers, so one file has them all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.report.verdict import Verdict
from harness.results import jsonl
from harness.results.model import Boot, Case, Results

BOOT_PROPERTY = "boot"


@dataclass(slots=True)
class Recorder:
    """Writes ``folder/results.jsonl``; ``results`` is what it wrote so far.

    Nothing is written before the first case.  ``failed``: why the file could not be written.
    """

    folder: Path
    results: Results
    began: float = field(default_factory=time.time)
    failed: str = ""

    @classmethod
    def of(cls, folder: Path, kernel: str, provenance: Mapping[str, str]) -> Recorder:
        began = time.time()
        started = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
        return cls(folder, Results(started, kernel, dict(provenance)), began)

    def add(self, report: pytest.TestReport) -> None:
        """A report of a program, or of something else, which is passed over."""
        case = case_of_report(report, self.began)
        if case is None:
            return
        first = not self.results.cases
        values = report.user_properties
        self.results = replace(
            self.results,
            cases=(*self.results.cases, case),
            hosts=_with(self.results.hosts, [str(v) for k, v in values if k == "host"]),
            warnings=_with(self.results.warnings, [str(v) for k, v in values if k == "platform"]),
            boots=self.results.boots
            + tuple(Boot(**json.loads(str(v))) for k, v in values if k == BOOT_PROPERTY),
        )
        self._append((jsonl.session_line(self.results) if first else "") + jsonl.case_line(case))

    def end(self) -> Path | None:
        """The last line, and the page; where that is."""
        if not self.results.cases:
            return None
        from harness.results.html import REPORT, page  # noqa: PLC0415 (a template engine)

        self.results = replace(self.results, seconds=round(time.time() - self.began, 3))
        self._append(jsonl.end_line(self.results))
        try:
            (self.folder / REPORT).write_text(page(self.results, self.folder))
        except OSError as e:
            self.failed = f"{self.folder / REPORT}: {e.strerror}"
            return None
        return self.folder / REPORT

    def _append(self, text: str) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / jsonl.FILE).open("a") as file:
                file.write(text)
        except OSError as e:  # a full disk must not change a verdict
            self.failed = f"{self.folder / jsonl.FILE}: {e.strerror}"


def case_of_report(report: pytest.TestReport, began: float) -> Case | None:
    """None if it is not the verdict on a program."""
    properties = dict(report.user_properties)
    verdict = properties.get("verdict")
    if report.when != "call" or not isinstance(verdict, str):
        return None

    def text(key: str) -> str:
        return str(properties.get(key, ""))

    return Case(
        program=text("program"),
        verdict=Verdict(verdict),
        seconds=round(report.duration, 4),
        started=round(max(0.0, report.start - began), 4),
        message=text("message"),
        diagnosis=text("diagnosis"),
        reports=tuple(str(v) for k, v in report.user_properties if k == "kernel_report"),
        artefacts=text("artefacts_in"),
        rerun=text("rerun"),
        worker=str(getattr(report, "worker_id", "")),
    )


def _with(known: tuple[str, ...], more: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *more]))
