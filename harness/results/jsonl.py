# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON lines: what every session writes as it goes, so that a session that died is readable.

The first line is ``{"session": ...}``, then one ``{"case": ...}`` for each program, in the order in
which they ended; the last is ``{"end": ...}`` with what is only known then.  Without the last line
the session was interrupted; its cases count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness.errors import ConfigError
from harness.results.model import Case, Results, case_facts, case_of, results_of, session_facts

FILE: Final = "results.jsonl"
FORMAT: Final = 1
_AT_THE_END: Final = ("seconds", "hosts", "boots", "warnings")


def session_line(results: Results) -> str:
    facts = {k: v for k, v in session_facts(results).items() if k not in _AT_THE_END}
    return _line({"session": {"format": FORMAT, **facts}})


def case_line(case: Case) -> str:
    facts = case_facts(case)
    return _line({"case": {"program": case.program, "verdict": case.verdict.name, **facts}})


def end_line(results: Results) -> str:
    facts = session_facts(results)
    return _line({"end": {key: facts[key] for key in _AT_THE_END}})


def write(results: Results) -> str:
    return "".join([session_line(results), *map(case_line, results.cases), end_line(results)])


def read(text: str, name: str = FILE) -> Results:
    """ConfigError names the line that cannot be read."""
    session: dict[str, Any] = {}
    cases: list[Case] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            ((kind, facts),) = json.loads(line).items()
            if kind == "case":
                program, verdict = facts.pop("program"), facts.pop("verdict")
                cases.append(case_of(program, verdict, facts))
            else:
                session.update(facts)
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise ConfigError(
                f"{name}:{number}: not a line of a results.jsonl: {e}",
                "give a file that a session of this harness wrote",
            ) from None
    if session.get("format") != FORMAT:
        raise ConfigError(
            f"{name}: format {session.get('format')}, this version reads {FORMAT}",
            "use the harness that wrote it",
        )
    return _session(session, cases, name)


def _session(session: Mapping[str, Any], cases: Iterable[Case], name: str) -> Results:
    try:
        return results_of(session, cases)
    except (KeyError, TypeError) as e:
        raise ConfigError(f"{name}: its session lacks {e}", "give another file") from None


def _line(value: object) -> str:
    return json.dumps(value) + "\n"  # ASCII: str.splitlines() knows many ends of a line
