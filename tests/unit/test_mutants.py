# SPDX-License-Identifier: GPL-2.0-or-later
"""The kill matrix: patch headers, what follows from results, its pictures, and resuming."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.errors import ConfigError
from harness.mutants.markdown import markdown
from harness.mutants.matrix import Matrix, Status, exit_code
from harness.mutants.patchfile import Mutant, load_mutants, parse
from harness.mutants.results import (
    FuzzRun,
    Kill,
    Result,
    Store,
    SuiteRun,
    merged,
    missing,
    still_valid,
)
from harness.mutants.svg import svg
from harness.mutants.terminal import summary, tally
from harness.provision import project_root
from harness.suite import families

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = {"order": 3, "pmu": 2, "timers": 4}
PROGRAMS = [f"{family}/{n}" for family in FAMILIES for n in ("a", "b", "x")]
DIFF = "--- a/arch/arm64/kvm/x.c\n+++ b/arch/arm64/kvm/x.c\n@@ -1 +1 @@\n-a\n+b\n"


def header(*lines: str) -> str:
    return "\n".join(["SPDX-License-Identifier: GPL-2.0-only", *lines, "", DIFF])


def test_a_header_is_read() -> None:
    text = header("Breaks: f(): one thing", "  and another", "Near: 0123456789ab (a fix)",
                  "Kernel: fixed", "Host-cpus: 2", "Seen-by: order, pmu")  # fmt: skip
    mutant = parse(Path("m/some-name.patch"), text, FAMILIES)
    assert mutant.name == "some-name"
    assert mutant.breaks == "f(): one thing and another"
    assert (mutant.near, mutant.kernel, mutant.cpus) == ("0123456789ab (a fix)", "fixed", 2)
    assert mutant.seen_by == ("order", "pmu")
    assert mutant.files == ("arch/arm64/kvm/x.c",)
    assert mutant.diff.startswith("--- a/arch")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (header("Breaks: x", "Seenby: order"), "m.patch:3: 'Seenby: order' is no header line"),
        (header("Breaks: x", "Breaks: y"), "m.patch:3: .*there twice"),
        (header("Breaks: x", "Seen-by: ordre"), "no family is called 'ordre'"),
        (header("Seen-by: order"), "no line Breaks:"),
        (header("Breaks: x", "Seen-by: order", "Host-cpus: 9"), "m.patch: Host-cpus: 9"),
        (header("Breaks: x"), "one of them, and not both"),
        (header("Breaks: x", "Seen-by: order", "Equivalent: y"), "one of them, and not both"),
        ("Breaks: x\nSeen-by: order\n", "no diff that changes a file"),
    ],
)
def test_a_wrong_header_is_named_with_its_file(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse(Path("m.patch"), text, FAMILIES)


def test_the_projects_mutants() -> None:
    """All headers are right, and each breaks something that no other breaks."""
    names = [family.name for family in families()]
    mutants = load_mutants(project_root() / "tests" / "mutants", names)
    assert len(mutants) >= 60
    assert len({mutant.diff for mutant in mutants}) == len(mutants)
    assert all(text.isascii() for mutant in mutants for text in (mutant.breaks, mutant.equivalent))


# --- what follows from results -------------------------------------------------------------------


def mutant(name: str, *seen_by: str, equivalent: str = "") -> Mutant:
    return Mutant(name, Path(f"{name}.patch"), f"f(): {name}", "", seen_by, "", 1, equivalent,
                  ("x.c",), DIFF)  # fmt: skip


def suite(*failed: str, crashed: tuple[str, ...] = (), errors: tuple[str, ...] = ()) -> SuiteRun:
    verdicts = dict.fromkeys(PROGRAMS, "pass")
    verdicts |= dict.fromkeys(failed, "fail") | dict.fromkeys(crashed, "crash")
    verdicts |= {error.partition(":")[0]: "error" for error in errors}
    killers = [name for name, verdict in verdicts.items() if verdict in ("fail", "crash")]
    first = None
    if killers:
        first = Kill(killers[0], "PPI 3 lost", PROGRAMS.index(killers[0]) + 1, 0.25, not failed)
    digests = {name: f"of {name}" for name in PROGRAMS}
    return SuiteRun("key", verdicts, digests, errors, first, seconds=5.0)


def fuzz(number: int = 0) -> FuzzRun:
    kill = Kill(f"fuzz/x-{number}", "PPI 3 lost", number, number / 10) if number else None
    return FuzzRun("key", 60.0, number or 900, kill, seconds=number / 10 or 60.0)


MUTANTS = [mutant("killed", "order"), mutant("alone", "pmu"), mutant("dead", "timers"),
           mutant("same", equivalent="nothing reads it | ever")]  # fmt: skip
RESULTS = {
    "killed": Result("killed", suite("order/a", "order/b", "timers/x"), fuzz(7)),
    "alone": Result("alone", suite("pmu/a"), fuzz()),
    "dead": Result("dead", suite(crashed=("timers/x",)), fuzz(1)),
    "same": Result("same", suite(), fuzz()),
}


def matrix(**changed: Result) -> Matrix:
    return Matrix.of(MUTANTS, {**RESULTS, **changed}, FAMILIES, PROGRAMS)


def test_who_kills_what() -> None:
    m = matrix()
    assert [row.suite for row in m.rows] == [Status.KILLED] * 3 + [Status.EQUIVALENT]
    assert [r.mutant.name for r in m.killed_alone_by("pmu")] == ["alone"]
    assert [r.mutant.name for r in m.killed_by("timers")] == ["killed", "dead"]
    assert m.never_failed() == ["order/x", "pmu/b", "pmu/x", "timers/a", "timers/b"]
    assert m.idle_families() == []
    assert tally(m.rows[2]) == "timers 1 crashed"
    assert summary(m, True, 60.0) == [
        "suite: of 4 mutants 3 killed, 1 equivalent",
        "fuzzer, 60 s each: of 4 mutants 2 killed, 1 equivalent, 1 survived",
    ]


@pytest.mark.parametrize(
    ("name", "result", "status", "code"),
    [
        ("killed", Result("killed", suite()), Status.SURVIVED, 1),
        ("killed", Result("killed", suite("pmu/a")), Status.UNSEEN, 1),
        ("same", Result("same", suite("pmu/a")), Status.NOT_EQUIVALENT, 1),
        ("dead", Result("dead", no_boot="Kernel panic"), Status.KILLED, 0),
        ("dead", Result("dead", error="dead.patch does not fit"), Status.ERROR, 4),
        ("dead", Result("dead", suite(errors=("timers/x: silent",))), Status.ERROR, 6),
        ("dead", Result("dead", suite("timers/a", errors=("timers/x: silent",))), Status.KILLED, 0),
    ],
)  # fmt: skip
def test_only_what_was_killed_or_is_equivalent_is_well(
    name: str, result: Result, status: Status, code: int
) -> None:
    m = matrix(**{name: result})
    assert status in [row.suite for row in m.rows if row.mutant.name == name]
    assert exit_code(m, suite=True, fuzz=False) == code
    assert exit_code(matrix(), suite=True, fuzz=False) == 0


def test_survivors_of_the_fuzzer_count_if_it_was_alone() -> None:
    assert exit_code(matrix(), suite=True, fuzz=True) == 0
    assert exit_code(matrix(), suite=False, fuzz=True) == 1
    killed = replace(RESULTS["alone"], fuzz=fuzz(3))
    assert exit_code(matrix(alone=killed), suite=False, fuzz=True) == 0


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mutants.md", "mutants.svg"])
def test_the_tables_and_the_picture(name: str) -> None:
    """GICV5_GOLDEN=1 writes them anew."""
    survivor = matrix(alone=Result("alone", suite(), fuzz()))
    text = markdown(survivor, "mutants.svg") if name.endswith("md") else svg(survivor)
    if os.environ.get("GICV5_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_without_the_fuzzer_nothing_is_said_of_it() -> None:
    m = matrix(**{name: replace(result, fuzz=None) for name, result in RESULTS.items()})
    assert "fuzz" not in markdown(m, "x.svg") + svg(m)


def test_the_picture_is_one_well_formed_file() -> None:
    text = svg(matrix())
    ElementTree.fromstring(text)
    assert "href" not in text
    assert "url(" not in text


# --- resuming ------------------------------------------------------------------------------------


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    for result in RESULTS.values():
        store.save(result)
        assert store.load(result.mutant) == result
    assert store.load("unknown") == Result("unknown")
    store.path("killed").write_text('{"of": "another version"}')
    assert store.load("killed") == Result("killed")


def test_only_what_was_judged_in_the_same_way_is_taken_over() -> None:
    whole = replace(RESULTS["killed"], error="once")

    def kept(known: Result, suite_key: str = "key", fuzz_key: str = "key", limit: float = 60.0,
             fast: bool = False) -> tuple[bool, bool]:  # fmt: skip
        left = still_valid(known, suite_key, fuzz_key, limit, fast)
        assert not left.error
        return left.suite is not None, left.fuzz is not None

    assert kept(whole) == (True, True)
    assert kept(whole, suite_key="other") == (False, True)
    assert kept(whole, fuzz_key="other") == (True, False)
    assert kept(whole, limit=600.0) == (True, True)  # it found something in less
    assert kept(RESULTS["alone"], limit=600.0) == (True, False)
    part = replace(whole, suite=replace(suite("order/a"), whole=False))
    assert kept(part) == (False, True)
    assert kept(part, fast=True) == (True, True)
    assert kept(replace(whole, suite=suite(errors=("timers/x: silent",)))) == (False, True)


def test_only_programs_that_are_new_or_changed_are_run_again() -> None:
    known = suite("pmu/a", "timers/a")
    wanted = {"order/new": "of order/new", **known.digests, "timers/a": "changed"}
    del wanted["pmu/x"]
    assert missing(None, wanted) == list(wanted)
    assert missing(known, wanted) == ["order/new", "timers/a"]
    new = SuiteRun("key", {"order/new": "crash", "timers/a": "pass"},
                   {name: wanted[name] for name in ("order/new", "timers/a")},
                   first=Kill("order/new", "oops", 1, 0.1, True), seconds=1.0)  # fmt: skip
    both = merged(known, new, wanted)
    assert list(both.verdicts) == list(wanted)
    assert both.killers == ["order/new", "pmu/a"]
    assert both.first == Kill("order/new", "oops", 1, 0.1, True)
    assert both.seconds == 6.0
    again = merged(known, replace(new, verdicts={"order/new": "pass"}, first=None), wanted)
    assert again.first == replace(known.first, number=5)  # there is one more before it now
    assert missing(known, {**wanted, "pmu/a": "changed"}) == list(wanted)
    assert missing(both, wanted) == []


def test_a_report_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, patches = Store(tmp_path / "results"), tmp_path / "patches"
    patches.mkdir()
    (patches / "known.patch").write_text(header("Breaks: x", "Seen-by: order"))
    program = "order/2-vcpus-1-first"
    run = SuiteRun("key", {program: "fail"}, {program: ""}, first=Kill(program, "lost", 1, 0.1))
    store.save(Result("known", run))
    report = ["mutants", "--report", "--results", str(store.folder), "--mutants", str(patches)]
    assert main(report) == 0
    assert "suite: of 1 mutants 1 killed" in capsys.readouterr().out
    assert "`known`" in (store.folder / "matrix.md").read_text()
    (patches / "new.patch").write_text(header("Breaks: y", "Seen-by: order"))
    assert main(report) == 6
    assert "1 not run" in capsys.readouterr().out
