# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML, by the schema of Jenkins' xunit plugin (junit-10.xsd): one suite for each family.

That schema allows properties of suites only: those of the session stand in each suite, and what is
known of a case is its system-out, ``key: value`` lines with the value as JSON.  FAIL is a failure;
CRASH and ERROR are errors, told apart by their type.
"""

from __future__ import annotations

import json
import re
from typing import Final
from xml.etree import ElementTree as ET

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

_TAG: Final = {
    Verdict.FAIL: "failure", Verdict.CRASH: "error", Verdict.ERROR: "error",
    Verdict.SKIP: "skipped",
}  # fmt: skip
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: Results) -> str:
    families = by_family(results.cases)
    time = _time(results.seconds)
    root = ET.Element("testsuites", _totals(results.cases), name="gicv5", time=time)
    for family, cases in families.items():
        suite = ET.SubElement(
            root, "testsuite", _totals(cases), name=family, timestamp=results.started[:19],
            skipped=_count(cases, "skipped"), time=_time(sum(case.seconds for case in cases)),
        )  # fmt: skip
        properties = ET.SubElement(suite, "properties")
        for key, value in session_facts(results).items():
            ET.SubElement(properties, "property", name=key, value=_xml(json.dumps(value)))
        for case in cases:
            _write_case(suite, case)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _write_case(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(
        suite, "testcase", classname=case.family, name=case.name, time=f"{case.seconds:.3f}"
    )
    if tag := _TAG.get(case.verdict):
        ET.SubElement(element, tag, type=case.verdict.name, message=_xml(case.message))
    facts = case_facts(case)
    if facts:
        lines = [f"{key}: {json.dumps(value)}" for key, value in facts.items()]
        ET.SubElement(element, "system-out").text = "\n".join(lines)


def _totals(cases: tuple[Case, ...] | list[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)), "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
    }  # fmt: skip


def _count(cases: tuple[Case, ...] | list[Case], tag: str) -> str:
    return str(sum(_TAG.get(case.verdict) == tag for case in cases))


def _time(seconds: float) -> str:
    """The schema wants at most three decimals, and no exponent."""
    return f"{seconds:.3f}"


def _xml(text: str) -> str:
    """What XML 1.0 cannot hold is shown as its escape."""
    return _NOT_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def read(text: str, name: str = "JUnit XML") -> Results:
    """What ``write`` wrote."""
    try:
        root = ET.fromstring(text)
        found = root.find("testsuite/properties")
        properties = [] if found is None else list(found)
        session = {p.attrib["name"]: json.loads(p.attrib["value"]) for p in properties}
        return results_of(session, [_read_case(case) for case in root.iter("testcase")])
    except (ET.ParseError, ValueError, TypeError, KeyError) as e:
        raise ConfigError(f"{name}: {e}", "give what `gicv5 export` wrote") from None


def _read_case(element: ET.Element) -> Case:
    verdict = Verdict.PASS.name
    for child in element:
        if child.tag in _TAG.values():
            verdict = child.attrib["type"]
    pairs = [line.partition(": ") for line in (element.findtext("system-out") or "").splitlines()]
    facts = {key: json.loads(value) for key, _, value in pairs}
    program = f"{element.attrib['classname']}/{element.attrib['name']}"
    return case_of(program, verdict, facts)
