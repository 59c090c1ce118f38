# SPDX-License-Identifier: GPL-2.0-or-later
"""KTAP, as Documentation/dev-tools/ktap.rst has it: one subtest for each family.

A result line can only say ok or not ok, SKIP and ERROR.  What else is known of a case stands in
diagnostic lines before its result, ``# key: value`` with the value as JSON, which every KTAP reader
passes on or over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from harness.errors import ConfigError
from harness.report.verdict import Verdict
from harness.results.model import (
    Case,
    Results,
    by_family,
    case_facts,
    case_of,
    results_of,
    session_facts,
)

_OK: Final = frozenset({Verdict.PASS, Verdict.SKIP})
_DIRECTIVE: Final = {Verdict.SKIP: "SKIP ", Verdict.ERROR: "ERROR "}
_RESULT: Final = re.compile(r"^( *)(ok|not ok) (\d+) ([^#]*?)(?: # (.*))?$")
_FACT: Final = re.compile(r"^ *# (\w+): (.*)$")
_SUBTEST: Final = re.compile(r"^ *# Subtest: (.*)$")


def write(results: Results) -> str:
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    yield "KTAP version 1"
    families = by_family(results.cases)
    yield f"1..{len(families)}"
    yield from (f"# {key}: {_json(value)}" for key, value in session_facts(results).items())
    for number, (family, cases) in enumerate(families.items(), 1):
        yield "  KTAP version 1"
        yield f"  # Subtest: {family}"
        yield f"  1..{len(cases)}"
        for each, case in enumerate(cases, 1):
            facts = {"verdict": case.verdict.name, **case_facts(case)}
            yield from (f"  # {key}: {_json(value)}" for key, value in facts.items())
            yield f"  {_result(case, each)}"
        passed = all(case.verdict in _OK for case in cases)
        skipped = " # SKIP" if all(c.verdict is Verdict.SKIP for c in cases) else ""
        yield f"{'ok' if passed else 'not ok'} {number} {family}{skipped}"


def _result(case: Case, number: int) -> str:
    """``not ok 3 second-vcpu-first # ERROR the host did not answer``."""
    said = " ".join(case.message.replace("#", "no. ").split())
    word = _DIRECTIVE.get(case.verdict, "CRASH " if case.verdict is Verdict.CRASH else "")
    data = f" # {word}{said}".rstrip() if word or said else ""
    return f"{'ok' if case.verdict in _OK else 'not ok'} {number} {case.name}{data}"


def _json(value: object) -> str:
    return json.dumps(value)  # ASCII, so that it is one line whoever reads it


def read(text: str, name: str = "KTAP") -> Results:
    """What ``write`` wrote.  ConfigError names the line that cannot be read."""
    session: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    cases: list[Case] = []
    family = ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if match := _SUBTEST.match(line):
                session, facts, family = session or facts, {}, match[1]
            elif match := _FACT.match(line):
                facts[match[1]] = json.loads(match[2])
            elif (match := _RESULT.match(line)) and match[1]:
                verdict = facts.pop("verdict")
                cases.append(case_of(f"{family}/{match[4]}", verdict, facts))
                facts = {}
        except (ValueError, TypeError, KeyError) as e:
            raise ConfigError(f"{name}:{number}: {e}", "give what `gicv5 export` wrote") from None
    try:
        return results_of(session or facts, cases)
    except (KeyError, TypeError) as e:
        raise ConfigError(f"{name}: lacks {e}", "give what `gicv5 export` wrote") from None
