# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage: counters, gcov's JSON, explanations and what is shown of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from harness.coverage.explained import (
    Explanation,
    load_explanations,
    report,
    restricted,
    stale,
    uncovered,
)
from harness.coverage.gcov import FileCoverage, counters, evaluate, merged, notes, parse
from harness.coverage.tables import branches_of, html, lines_of, summary, text
from harness.errors import ConfigError, TargetError
from harness.provision.process import Result

GOLDEN = Path(__file__).parent / "golden"
FILE = "arch/arm64/kvm/vgic/vgic-v5.c"
SOURCES = {FILE: ["int f(void)", "{", "\tif (a)", "\t\treturn 1;", "\treturn 0;", "}"]}


def covered(*lines: int) -> FileCoverage:
    """f() with these of its lines reached, one branch of its `if` taken for each return."""
    return FileCoverage(
        {n: int(n in lines) for n in (1, 3, 4, 5)},
        {3: (int(4 in lines), int(5 in lines))},
        dict.fromkeys((1, 3, 4, 5), "f"),
    )


def test_phases_are_added() -> None:
    total = merged([{FILE: covered(1, 3, 4)}, {FILE: covered(1, 3, 5)}])[FILE]
    assert total.lines == {1: 2, 3: 2, 4: 1, 5: 1}
    assert total.branches == {3: (1, 1)}
    assert (str(lines_of(total)), str(branches_of(total))) == ("4/4 100.0 %", "2/2 100.0 %")
    assert str(lines_of(covered(1, 3, 4))) == "3/4  75.0 %"


def test_what_gcov_says() -> None:
    """Two programs on `coverage`; headers, whose code is inlined, are left out."""
    ((name, mask),) = parse((GOLDEN / "gcov.json").read_text()).items()
    assert name == "arch/arm64/kvm/vgic/vgic-v5-mask.c"
    assert (len(mask.lines), sum(map(len, mask.branches.values()))) == (30, 70)
    assert set(mask.functions.values()) == {
        "expose_ppis", "hide_ppis", "vgic_v5_finalize_vcpu_ppi_state",
    }  # fmt: skip
    set_bit, vms, implemented, exposed = 32, 2, 6, 3  # exposed: SW_PPI, CNTV and CNTP
    assert mask.functions[set_bit] == "expose_ppis"
    assert mask.lines[set_bit] == vms * exposed
    assert mask.lines[set_bit - 1] == vms * implemented
    assert mask.branches[58] == (4 * 64, 4)  # four vCPUs hide the state of 64 PPIs each


def test_an_uncovered_line_is_explained_by_its_text() -> None:
    coverage = {FILE: covered(1, 3, 5)}
    (found,) = uncovered(coverage, SOURCES, [])
    assert (found.number, found.function, found.text, found.why) == (4, "f", "\t\treturn 1;", "")
    for lines in (["return 1;"], None):
        because = Explanation(file=FILE, function="f", lines=lines, why="a is 0")
        assert [u.why for u in uncovered(coverage, SOURCES, [because])] == ["a is 0"]
        assert stale(coverage, SOURCES, [because]) == []
    other = Explanation(file=FILE, function="g", why="another function")
    assert [u.why for u in uncovered(coverage, SOURCES, [other])] == [""]


def test_an_explanation_that_is_not_true_is_stale() -> None:
    def said(coverage: FileCoverage, function: str, *lines: str) -> list[str]:
        each = Explanation(file=FILE, function=function, lines=list(lines) or None, why="w")
        return stale({FILE: coverage}, SOURCES, [each])

    assert said(covered(1, 3, 4, 5), "f") == [f"{FILE}: f: every line was reached"]
    assert said(covered(1, 3, 4), "f", "return 1;") == [f"{FILE}: f: was reached: return 1;"]
    assert said(covered(), "f", "return 2;") == [f"{FILE}: f: no code in this line: return 2;"]
    assert said(covered(), "gone") == [f"{FILE}: gone: no code of it"]
    elsewhere = Explanation(file="not/here.c", function="f", why="another kernel's")
    assert stale({FILE: covered()}, SOURCES, [elsewhere]) == []


def test_what_must_be_reached() -> None:
    file = FileCoverage({1: 0, 2: 0}, {}, {1: "access_gicv5_iaffid", 2: "access_vm_reg"})
    assert restricted({"arch/arm64/kvm/sys_regs.c": file}).popitem()[1].lines == {1: 0}
    assert restricted({"arch/arm64/kvm/arm.c": covered()}) == {}
    assert restricted({FILE: covered()})[FILE].lines.keys() == {1, 3, 4, 5}


def test_mistakes_in_the_explanations(tmp_path: Path) -> None:
    file = tmp_path / "coverage.yaml"
    file.write_text("- file: x\n  function: f\n  why: w\n- file: y\n  why: w\n  lins: []\n")
    with pytest.raises(ConfigError) as caught:
        load_explanations(file)
    assert f"{file}:4: [1].function: Field required" in caught.value.what
    assert f"{file}:6: [1].lins: " in caught.value.what
    file.write_text("- {file: x, function: f, why: w}\n")
    assert load_explanations(file) == [Explanation(file="x", function="f", why="w")]


def test_the_projects_own_explanations() -> None:
    assert load_explanations(Path(__file__).parents[2] / "docs/coverage.yaml")


def test_counters_from_the_kernel() -> None:
    said = "/build/tree/arch/arm64/kvm/hyp/vhe/../vgic-v5-sr.gcda 61646367\n/build/x.gcda \n"
    assert counters(said) == {
        "/build/tree/arch/arm64/kvm/hyp/vgic-v5-sr.gcda": b"adcg", "/build/x.gcda": b"",
    }  # fmt: skip
    with pytest.raises(TargetError, match="not counters of gcov: 'cannot"):
        counters("cannot mount debugfs\n")
    with pytest.raises(TargetError, match="counts nothing"):
        counters("")


def test_a_kernel_without_gcov(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was not built with gcov") as caught:
        notes(tmp_path / "Image")
    assert "`coverage`" in caught.value.remedy


def test_counters_meet_the_notes_of_their_build(tmp_path: Path) -> None:
    """gcov sees a folder with one file's counters and notes; what never ran has no counters."""
    kept, scratch = tmp_path / "gcov", tmp_path / "scratch"
    for name in ("vgic/vgic-v5.gcno", "vgic/never.gcno"):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_bytes(name.encode())
    scratch.mkdir()

    def fake_gcov(argv: list[str], *, cwd: Path) -> Result:
        assert {p.name for p in cwd.iterdir()} == {"vgic-v5.gcno", "vgic-v5.gcda"}
        assert argv[-1] == "vgic-v5.gcda"
        assert (cwd / "vgic-v5.gcda").read_bytes() == b"counts"
        answer = (GOLDEN / "gcov.json").read_bytes()
        (cwd / "vgic-v5.gcov.json.gz").write_bytes(gzip.compress(answer))
        return Result(tuple(argv), 0, "")

    found = evaluate({"/b/vgic/vgic-v5.gcda": b"counts"}, kept, scratch, fake_gcov)  # type: ignore[arg-type]
    assert found == parse((GOLDEN / "gcov.json").read_text())


def test_the_text(tmp_path: Path) -> None:
    because = Explanation(file=FILE, function="f", lines=["return 1;"], why="a is 0")
    phases = {"suite": {FILE: covered(1, 3)}, "fuzz": {FILE: covered(1, 3, 5)}}
    row = " ".join(summary(phases)[1].split())
    suite, fuzz = "2/4 50.0 % 0/2 0.0 %", "3/4 75.0 % 1/2 50.0 %"
    assert row == f"{FILE} {suite} {fuzz} {fuzz}"
    shown = text(report(phases, SOURCES, [because]))
    assert f"{FILE}:4: return 1;    [a is 0]" in shown
    assert shown.endswith("explained, but not so:\n    nothing")
    assert "[NOT EXPLAINED]" in text(report(phases, SOURCES, []))


def test_the_pages(tmp_path: Path) -> None:
    sources = {FILE: [*SOURCES[FILE][:2], "\tif (a < b && c)", *SOURCES[FILE][3:]]}
    phases = {"suite": {FILE: covered(1, 3, 5)}}
    index = html(tmp_path / "out", "a title", report(phases, sources, []))
    assert "a title" in index.read_text()
    page = (index.parent / f"{FILE.replace('/', '_')}.html").read_text()
    assert page.count('class="miss"') == 1
    assert "if (a &lt; b &amp;&amp; c)" in page
    assert 'class="hit half" id="3"' in page
    assert page.count('class="hit"') == 2
