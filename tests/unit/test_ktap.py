# SPDX-License-Identifier: GPL-2.0-or-later
"""KTAP: what the specification has, what kselftests print, and what is broken."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ktap import CUT_OFF, Report, Result, Status, parse

GOLDEN = Path(__file__).parent / "golden"

NESTED = """\
KTAP version 1
1..2
  KTAP version 1
  1..2
    KTAP version 1
    1..1
    # inside
    not ok 1 deepest
  not ok 1 deep
  ok 2 - other # SKIP no hardware
not ok 1 outer
ok 2 last
"""


def one(line: str) -> Result:
    (result,) = parse(f"1..1\n{line}\n").results
    return result


@pytest.mark.parametrize(
    ("line", "name", "status", "reason"),
    [
        ("ok 1 name", "name", Status.PASS, ""),
        ("ok 1 - name", "name", Status.PASS, ""),
        ("ok", "", Status.PASS, ""),
        ("not ok 1 a name", "a name", Status.FAIL, ""),
        ("ok 1 name # SKIP CPU_SYSREGS: ENXIO", "name", Status.SKIP, "CPU_SYSREGS: ENXIO"),
        ("ok 1 # SKIP name, not supported", "name, not supported", Status.SKIP, ""),
        ("not ok 1 name # skip", "name", Status.SKIP, ""),
        ("ok 1 # XFAIL name", "name", Status.XFAIL, ""),
        ("ok 1 # XPASS name", "name", Status.XPASS, ""),
        ("not ok 1 name # TODO later", "name", Status.TODO, "later"),
        ("not ok 1 kvm: x # TIMEOUT 45 seconds", "kvm: x", Status.TIMEOUT, "45 seconds"),
        ("not ok 1 kvm: x # exit=254", "kvm: x", Status.FAIL, "exit=254"),
        ("not ok 1 # error name", "name", Status.ERROR, ""),
        ("ok 1 name #  a comment", "name", Status.PASS, "a comment"),
        ("ok 1 in C#", "in C#", Status.PASS, ""),
        (r"ok 1 a \# b", "a # b", Status.PASS, ""),
        ("ok 1 name # SKIPPING nothing", "name", Status.PASS, "SKIPPING nothing"),
    ],
)
def test_a_result_line(line: str, name: str, status: Status, reason: str) -> None:
    result = one(line)
    assert (result.name, result.status, result.reason) == (name, status, reason)


def test_nesting_as_specified() -> None:
    report = parse(NESTED)
    assert [(path, result.status) for path, result in report.leaves()] == [
        (("outer", "deep", "deepest"), Status.FAIL),
        (("outer", "other"), Status.SKIP),
        (("last",), Status.PASS),
    ]
    assert next(iter(report.leaves()))[1].said == ("# inside",)
    assert not list(report.all_problems())


def test_what_a_kselftest_prints() -> None:
    report = parse((GOLDEN / "kselftest-subtests.ktap").read_text())
    statuses = Counter(result.status for result in report.results)
    assert statuses == {Status.PASS: 6, Status.SKIP: 2}
    assert report.results[2].name == "MOPS advertised, not supported"
    assert not report.problems


def test_what_run_kselftest_sh_prints() -> None:
    """Subtests are behind ``# ``; their own diagnostics behind one more."""
    report = parse((GOLDEN / "kselftest-runner.ktap").read_text())
    assert [each.status.value for each in report.results] == ["pass", "fail", "pass", "skip"]
    assert report.results[1].reason == "exit=1"
    leaves = dict(report.leaves())
    first = leaves[("selftests: kvm/gicv5_ppi: order", "order/2-vcpus-1-first")]
    assert first.status is Status.FAIL
    assert first.said[0] == "# operation 8.0: write ICC_PPI_ENABLER0_EL1 = ~0"
    assert len(leaves) == 12 + 42 + 19 + 56
    assert not list(report.all_problems())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("TAP version 13\nok 1 x\n", "no plan"),
        ("1..3\nok 1 x\nok 2 y\n", "3 results planned, 2 came"),
        ("1..1\nok 1 x\nok 2 y\n", "1 results planned, 2 came"),
        ("1..2\nok 1 x\nok 1 y\n", "number 1 where 2 was due: y"),
        ("1..1\n1..1\nok 1 x\n", "a second plan: 1..1"),
        ("1..2\nok 1 x\nBail out! no memory\n", "bailed out: no memory"),
        ("1..2\nok 1 x\nBail out! \n", "bailed out"),
        ("1..1\nok 2\n", "number 2 where 1 was due: "),
        ("1..1\n  KTAP version 1\n  1..1\n  ok 1 x\n", "output ends inside a nested test"),
        ("1..1\n# TAP version 13\n# 1..1\n# ok 1 x\n", "output ends inside a nested test"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    assert problem in parse(text).problems


def test_what_is_nested_in_a_result_that_never_came_is_kept() -> None:
    report = parse("1..1\n# TAP version 13\n# 1..2\n# ok 1 x\n[  1.2] Oops: 0\n")
    assert report.results[0].reason == CUT_OFF
    assert [path for path, _ in report.leaves()] == [("", "x")]
    assert "2 results planned, 1 came" in " ".join(report.all_problems())


CUT = Report(
    (Result("x", Status.PASS, number=1),), 2, problems=("2 results planned, 1 came",)
)  # what is nested in the texts below


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1..1\n  KTAP version 1\n  1..2\n  ok 1 x\n", ()),
        ("1..1\nbefore\n# TAP version 13\n# 1..2\n# ok 1 x\n", ("before",)),
    ],
)
def test_what_is_cut_off_fails(text: str, said: tuple[str, ...]) -> None:
    report = parse(text)
    (result,) = report.results
    assert (result.name, result.status, result.reason) == ("", Status.FAIL, CUT_OFF)
    assert (result.inner, result.said) == (CUT, said)
    assert list(report.all_problems()) == [
        "output ends inside a nested test", ": 2 results planned, 1 came",
    ]  # fmt: skip


def test_what_a_report_keeps() -> None:
    report = parse(
        "KTAP version 1\n1..3 # SKIP only if 0\nok 1 x \r\nok 2\nBail out! no X\r\nend X\r\n"
    )
    assert (report.planned, report.skipped, report.bail_out) == (3, None, "no X")
    assert [(each.name, each.number) for each in report.results] == [("x", 1), ("", 2)]
    assert report.said == ("end X",)
    assert not parse("1..0\n").skipped


def test_what_is_not_indented_is_not_nested() -> None:
    (result,) = parse("1..1\n  TAP version 13\nok 1 x\n").results
    assert (result.name, result.inner) == ("x", Report())


def test_no_ktap_at_all() -> None:
    report = parse("Random seed: 0x6b8b4567\nRunning VGIC_V5 tests.\r\n")
    assert not report.is_ktap
    assert report.said == ("Random seed: 0x6b8b4567", "Running VGIC_V5 tests.")
    assert parse("1..0 # SKIP - Requirement not met: x\n").skipped == "Requirement not met: x"


# --- properties ---

names = st.from_regex(r"[a-z][a-z0-9/ _-]{0,12}[a-z0-9]", fullmatch=True).filter(
    lambda name: "- " not in name
)
statuses = st.sampled_from(list(Status))


def results(inner: st.SearchStrategy[Report] | None) -> st.SearchStrategy[Result]:
    nested = st.none() if inner is None else st.none() | inner
    reasons = st.sampled_from(["", "no hardware", "EBUSY"])
    return st.builds(Result, names, statuses, reasons, inner=nested).map(
        lambda r: Result(r.name, r.status, "" if r.status in PLAIN else r.reason, inner=r.inner)
    )


def reports(inner: st.SearchStrategy[Report] | None = None) -> st.SearchStrategy[Report]:
    return st.lists(results(inner), min_size=1, max_size=4).map(lambda rs: Report(tuple(rs)))


PLAIN = (Status.PASS, Status.FAIL)


def rendered(report: Report, indent: str) -> list[str]:
    """The text of a report; nested ones are indented, by spaces or by ``# ``."""
    out = ["KTAP version 1", f"1..{len(report.results)}"]
    for number, each in enumerate(report.results, 1):
        if each.inner is not None:
            out += [indent + line for line in rendered(each.inner, indent)]
        word = "ok" if not each.status.bad else "not ok"
        directive = f" # {each.status.name} {each.reason}" if each.status not in PLAIN else ""
        out.append(f"{word} {number} {each.name}{directive}".rstrip())
    return out


def plain(report: Report) -> list[object]:
    return [
        (r.name, r.status, r.reason, plain(r.inner) if r.inner else None) for r in report.results
    ]


@given(reports(reports(reports())), st.sampled_from(["  ", "# "]))
def test_what_is_written_is_read_back(report: Report, indent: str) -> None:
    read = parse("\n".join(rendered(report, indent)) + "\n")
    assert plain(read) == plain(report)
    assert not list(read.all_problems())


@given(reports(reports()), st.sampled_from(["  ", "# "]), st.data())
def test_what_was_cut_off_is_never_taken_for_whole(
    report: Report, indent: str, data: st.DataObject
) -> None:
    lines = rendered(report, indent)
    kept = lines[: data.draw(st.integers(2, len(lines) - 1))]
    assert list(parse("\n".join(kept)).all_problems())


@given(
    st.text() | st.lists(st.sampled_from([*NESTED.splitlines(), "# TAP version 13"])).map("\n".join)
)
def test_anything_can_be_read(text: str) -> None:
    report = parse(text)
    list(report.leaves())
    list(report.all_problems())
