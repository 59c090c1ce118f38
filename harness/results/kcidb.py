# SPDX-License-Identifier: GPL-2.0-or-later
"""KCIDB, the report format of kernelci.org (version 5.3 of its I/O schema).

A session is one checkout, one build and its tests.  KCIDB has no status for a crash: it is a FAIL,
and the verdict stands in ``misc``, as does everything that KCIDB has no field for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from harness.errors import ConfigError
from harness.report.verdict import Verdict
from harness.results.model import Case, Results, case_facts, case_of, results_of, session_facts

ORIGIN: Final = "gicv5"
_STATUS: Final = {
    Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.CRASH: "FAIL",
    Verdict.SKIP: "SKIP", Verdict.ERROR: "ERROR",
}  # fmt: skip
_EXCERPT: Final = 16384  # the schema's limit of log_excerpt, in characters


def write(results: Results, origin: str = ORIGIN) -> str:
    """``origin`` is the name under which kernelci.org knows the submitter."""
    return json.dumps(report(results, origin), indent=1) + "\n"


def report(results: Results, origin: str = ORIGIN) -> dict[str, Any]:
    key = _key(results)
    checkout, build = f"{origin}:{key}", f"{origin}:{key}-{_word(results.kernel)}"
    return {
        "version": {"major": 5, "minor": 3},
        "checkouts": [{
            "id": checkout, "origin": origin, "valid": True, "start_time": results.started,
            "misc": {"gicv5": session_facts(results)},
        }],
        "builds": [{
            "id": build, "checkout_id": checkout, "origin": origin, "architecture": "arm64",
            "status": "PASS", "start_time": results.started, "config_name": results.kernel,
            "comment": results.provenance.get("kernel", results.kernel),
        }],
        "tests": [
            _test(case, f"{build}:{number}", build, results, origin)
            for number, case in enumerate(results.cases)
        ],
    }  # fmt: skip


def _test(case: Case, id_: str, build: str, results: Results, origin: str) -> dict[str, Any]:
    started = datetime.fromisoformat(results.started) + timedelta(seconds=case.started)
    test: dict[str, Any] = {
        "id": id_, "build_id": build, "origin": origin,
        "path": ".".join(["gicv5", *map(_word, case.program.split("/"))]),
        "comment": case.program, "status": _STATUS[case.verdict],
        "start_time": started.isoformat(), "duration": case.seconds,
        "environment": {"comment": results.provenance.get("qemu", "")},
        "misc": {"program": case.program, "verdict": case.verdict.name, "case": case_facts(case)},
    }  # fmt: skip
    if case.message:
        test["log_excerpt"] = case.message[:_EXCERPT]
    return test


def _key(results: Results) -> str:
    """Names a session: KCIDB wants ids that are unique per origin."""
    text = json.dumps(session_facts(results), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _word(text: str) -> str:
    """Only what KCIDB allows in a path: letters, digits, ``_`` and ``-``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text) or "_"


def read(text: str, name: str = "KCIDB report") -> Results:
    """What ``write`` wrote."""
    try:
        found: Mapping[str, Any] = json.loads(text)
        cases = [
            case_of(test["misc"]["program"], test["misc"]["verdict"], test["misc"]["case"])
            for test in found["tests"]
        ]
        return results_of(found["checkouts"][0]["misc"]["gicv5"], cases)
    except (ValueError, TypeError, KeyError, IndexError) as e:
        raise ConfigError(f"{name}: {e}", "give what `gicv5 export` wrote") from None
