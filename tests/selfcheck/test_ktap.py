# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own parser, tools/testing/kunit/kunit_parser.py, reads what we export as KTAP."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.provision import Provisioner, default_images, load_images
from harness.report.verdict import Verdict
from harness.results import ktap
from harness.results.model import Case, Results

CASES = (
    Case("order/second-first", Verdict.FAIL, message="lost: CNTV(27) # and more"),
    Case("order/first", Verdict.PASS),
    Case("errno/crash", Verdict.CRASH, message="the kernel died: Oops", reports=("x",)),
    Case("errno/error", Verdict.ERROR, message="the host did not answer"),
    Case("pmu/lacks", Verdict.SKIP, message="PMUv3: absent"),
    Case("plain/one", Verdict.PASS),
)
EXPECTED = {
    "second-first": "FAILURE", "first": "SUCCESS", "crash": "FAILURE", "error": "FAILURE",
    "lacks": "SKIPPED", "one": "SUCCESS",
}  # fmt: skip


@pytest.fixture
def kunit(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    images = load_images(default_images())
    source = images.kernel("stock").source
    assert source is not None
    tree = Provisioner(images).source(source)
    monkeypatch.syspath_prepend(tree / "tools/testing/kunit")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # the tree is shared by all that is built
    yield importlib.import_module("kunit_parser")
    for name in ("kunit_parser", "kunit_printer"):
        sys.modules.pop(name, None)


def parsed(kunit: ModuleType, results: Results) -> Any:
    lines = ktap.write(results).splitlines()
    return kunit.parse_run_tests(lines, sys.modules["kunit_printer"].null_printer)


def test_the_kernels_parser_takes_every_verdict(kunit: ModuleType) -> None:
    provenance = {"kernel": "7.3.4", "command line": "ok 1 # SKIP 1..3"}
    results = Results("2026-11-22T01:02:03+00:00", "stock", provenance, CASES)
    test = parsed(kunit, results)
    assert test.counts.errors == 0
    assert [family.name for family in test.subtests] == ["order", "errno", "pmu", "plain"]
    leaves = [leaf for family in test.subtests for leaf in family.subtests]
    assert {leaf.name: leaf.status.name for leaf in leaves} == EXPECTED
    assert {leaf.skip_reason for leaf in leaves} == {"", "PMUv3: absent"}
    assert [family.status.name for family in test.subtests] == [
        "FAILURE", "FAILURE", "SKIPPED", "SUCCESS",
    ]  # fmt: skip


def test_the_kernels_parser_complains_of_a_truncated_file(kunit: ModuleType) -> None:
    results = Results("2026-11-22T01:02:03+00:00", "stock", {}, CASES)
    lines = ktap.write(results).splitlines()[:-3]
    printer = sys.modules["kunit_printer"].null_printer
    assert kunit.parse_run_tests(lines, printer).counts.errors > 0
    assert Path(kunit.__file__ or "").name == "kunit_parser.py"
