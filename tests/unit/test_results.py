# SPDX-License-Identifier: GPL-2.0-or-later
"""The result model and its formats: nothing is lost, and parsers of others read it."""

from __future__ import annotations

import json
from pathlib import Path

import kcidb_io
import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree
from third_party import junit_schema

from harness.cli import main
from harness.errors import ConfigError
from harness.report.verdict import Verdict
from harness.results.formats import FORMATS, load, results_file
from harness.results.model import Boot, Case, Results, exit_code

CASES = (
    Case("order/first", Verdict.PASS, 0.0125, 0.5, worker="gw0"),
    Case(
        "order/second-first", Verdict.FAIL, 0.02, 0.52,
        "ICC_PPI_ENABLER0_EL1: lost: CNTV(27) # and <more> & \"all\"", "finalize first-created",
        artefacts="stock/order/second-first", rerun="pytest --target=qemu 'x y'",
    ),
    Case(
        "plain/crash", Verdict.CRASH, 1.5, 0.6, "the kernel died: Oops \x1b[0m", reports=("a", "b")
    ),
    Case("plain/skip", Verdict.SKIP, 0.0, 2.0, "CPU_SYSREGS: ENXIO"),
    Case("plain/error", Verdict.ERROR, 0.1, 2.1, "the host did not answer in time"),
    Case("fuzz/generated", Verdict.PASS, 10.0, 2.2),
)  # fmt: skip
RESULTS = Results(
    "2026-11-22T01:02:03+00:00", "stock", {"kernel": "7.3.4 <x>", "qemu": "11.1.3"}, CASES, 12.25,
    ("Linux 7.3.4, VHE",), (Boot(0.5, 0.3, 0.35),), ("unknown register",),
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_keeps_every_verdict_and_fact(name: str) -> None:
    format_ = FORMATS[name]
    assert {case.verdict for case in RESULTS.cases} == set(Verdict)
    assert format_.read(format_.write(RESULTS), name) == RESULTS


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
cases = st.builds(
    Case, st.from_regex(r"[a-z]{1,5}/[a-z0-9-]{1,9}", fullmatch=True), st.sampled_from(Verdict),
    st.integers(0, 9999).map(lambda ms: ms / 1000), message=texts, diagnosis=texts,
    reports=st.lists(texts, max_size=2).map(tuple),
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@given(found=st.lists(cases, min_size=1, max_size=6))
def test_nothing_that_a_message_can_hold_is_lost(name: str, found: list[Case]) -> None:
    """By family: formats with subtests keep the order of families, and of cases within them."""
    results = Results("2026-11-22T01:02:03+00:00", "k", {}, tuple(found))
    again = FORMATS[name].read(FORMATS[name].write(results), name)
    assert sorted(again.cases, key=repr) == sorted(found, key=repr)


def test_a_session_that_died_is_readable() -> None:
    lines = FORMATS["jsonl"].write(RESULTS).splitlines(keepends=True)
    assert FORMATS["jsonl"].read("".join(lines[:3]), "x").cases == CASES[:2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "x:1"), ('{"session": {}}\nnonsense', "x:2"), ("", "format None"),
        ('{"session": {"format": 1}}', "'started'"),
        ('{"case": {"program": "a/b", "verdict": "GOOD"}}', "GOOD"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as e:
        FORMATS["jsonl"].read(text, "x")
    assert said.lower() in e.value.what.lower()


KTAP = """\
KTAP version 1
1..3
# started: "2026-11-22"
# kernel: "k"
# provenance: {}
# seconds: 0.0
# hosts: []
# boots: []
# warnings: []
  KTAP version 1
  # Subtest: order
  1..3
  # verdict: "PASS"
  ok 1 first
  # verdict: "FAIL"
  # message: "lost  # CNTV(27)"
  not ok 2 second # lost no. CNTV(27)
  # verdict: "CRASH"
  # message: "the kernel died"
  # reports: ["a"]
  not ok 3 third # CRASH the kernel died
not ok 1 order
  KTAP version 1
  # Subtest: plain
  1..2
  # verdict: "SKIP"
  # message: "no PMU"
  ok 1 skip # SKIP no PMU
  # verdict: "PASS"
  ok 2 pass
ok 2 plain
  KTAP version 1
  # Subtest: pmu
  1..1
  # verdict: "SKIP"
  ok 1 none # SKIP
ok 3 pmu # SKIP
"""
KTAP_CASES = (
    Case("order/first", Verdict.PASS),
    Case("order/second", Verdict.FAIL, message="lost  # CNTV(27)"),
    Case("order/third", Verdict.CRASH, message="the kernel died", reports=("a",)),
    Case("plain/skip", Verdict.SKIP, message="no PMU"),
    Case("plain/pass", Verdict.PASS),
    Case("pmu/none", Verdict.SKIP),
)


def test_ktap_as_it_is_written() -> None:
    results = Results("2026-11-22", "k", {}, KTAP_CASES)
    assert FORMATS["ktap"].write(results) == KTAP
    assert FORMATS["ktap"].read(KTAP, "x") == results


def test_ktap_says_error_too() -> None:
    results = Results("2026-11-22", "k", {}, (Case("a/b", Verdict.ERROR, message="no answer"),))
    assert "  not ok 1 b # ERROR no answer\nnot ok 1 a\n" in FORMATS["ktap"].write(results)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("KTAP version 1\n  # Subtest: a\n  ok 1 b\n", "x:3: 'verdict'"),
        ("  # verdict: nonsense\n", "x:1: Expecting value: line 1 column 1 (char 0)"),
        ('# started: "2026"\n# Subtest: a\n', "x: lacks 'kernel'"),
    ],
)
def test_ktap_of_others_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as e:
        FORMATS["ktap"].read(text, "x")
    assert (e.value.what, e.value.remedy) == (what, "give what `gicv5 export` wrote")


def test_junit_is_valid_by_the_schema_of_others() -> None:
    schema = etree.XMLSchema(etree.parse(junit_schema()))
    document = etree.fromstring(FORMATS["junit"].write(RESULTS).encode())
    assert schema.validate(document), schema.error_log


def test_junit_is_what_a_parser_of_others_takes_it_for() -> None:
    xml = JUnitXml.fromstring(FORMATS["junit"].write(RESULTS).encode())
    kinds = {case.name: [type(each) for each in case.result] for suite in xml for case in suite}
    assert kinds == {
        "first": [], "second-first": [Failure], "crash": [Error], "skip": [Skipped],
        "error": [Error], "generated": [],
    }  # fmt: skip
    assert (xml.tests, xml.failures, xml.errors) == (6, 1, 2)


def test_kcidb_takes_the_report() -> None:
    data = json.loads(FORMATS["kcidb"].write(RESULTS))
    kcidb_io.schema.V5_3.validate_exactly(data)
    statuses = {test["comment"]: test["status"] for test in data["tests"]}
    assert statuses == {
        "order/first": "PASS", "order/second-first": "FAIL", "plain/crash": "FAIL",
        "plain/skip": "SKIP", "plain/error": "ERROR", "fuzz/generated": "PASS",
    }  # fmt: skip


def test_export_finds_the_newest_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "results.jsonl").write_text(FORMATS["jsonl"].write(RESULTS))
    assert results_file(tmp_path) == folder / "results.jsonl"
    assert load(tmp_path) == RESULTS
    assert main(["export", str(tmp_path), "--format=ktap"]) == 0
    assert capsys.readouterr().out == FORMATS["ktap"].write(RESULTS)
    out = tmp_path / "x.xml"
    assert main(["export", str(folder), "--format=junit", "-o", str(out)]) == 0
    assert FORMATS["junit"].read(out.read_text(), "x") == RESULTS
    assert main(["export", str(folder / "nothing"), "--format=junit"]) == 4


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [([], 0), (["PASS", "SKIP"], 0), (["ERROR", "FAIL"], 1), (["CRASH"], 1), (["ERROR"], 6)],
)
def test_exit_codes(verdicts: list[str], code: int) -> None:
    assert exit_code(Verdict[name] for name in verdicts) == code


def test_boot_phases_add_up() -> None:
    log = "[    0.31] kvm [1]: VHE mode initialized successfully\n[ 0.38] Run /init as init process"
    boot = Boot.of(0.5, log)
    assert (boot.kvm, boot.init) == (0.31, 0.38)
    assert sum(seconds for _, seconds in boot.phases()) == pytest.approx(0.5)
    assert sum(seconds for _, seconds in Boot.of(0.5, "").phases()) == pytest.approx(0.5)
